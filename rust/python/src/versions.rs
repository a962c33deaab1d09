//! Between Python's dicts and the scheduler's versions.

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::PyDict;
use theus_core::{Input, NodeId};

use crate::definition::Definition;
use crate::engine::{Core, Engine, Held, Origin, Value};
use crate::run::Run;

/// What is to be written, and under which number or name.
pub type Writes = Vec<(Result<NodeId, String>, Py<PyAny>)>;

/// Takes the values out of the dict, before the lock. Declared outputs, the common case, are
/// found by their numbers; children of a declared path have to be looked up by name.
pub fn collect_writes(run: &Run, writes: Option<&Bound<'_, PyDict>>) -> PyResult<Writes> {
    let Some(writes) = writes.filter(|writes| !writes.is_empty()) else {
        return Ok(Vec::new());
    };
    let py = writes.py();
    let mut list = Vec::with_capacity(writes.len());
    if let Some(known) = run.definition() {
        for (path, node) in &known.outputs {
            if let Some(value) = writes.get_item(path.bind(py))? {
                list.push((Ok(*node), value.unbind()));
            }
        }
    }
    if list.len() < writes.len() {
        list.clear();
        for (path, value) in writes {
            list.push((Err(path.extract()?), value.unbind()));
        }
    }
    Ok(list)
}

/// Gives values their origin and paths their numbers; None if the run has been ended.
pub fn to_versions(
    engine: &Engine,
    core: &mut Core,
    run: u64,
    list: Writes,
) -> Option<Vec<(NodeId, Value)>> {
    let entry = core.runs.get_mut(&run)?;
    if list.is_empty() {
        return Some(Vec::new());
    }
    let at = engine.now();
    let definition = Arc::clone(&entry.definition);
    let origin = Arc::new(Origin {
        definition,
        run,
        at,
        reads: entry.reads.clone(),
    });
    let scheduler = &mut core.scheduler;
    let version = |(path, object): (Result<NodeId, String>, Py<PyAny>)| {
        let held = Held {
            object,
            origin: Some(Arc::clone(&origin)),
        };
        (
            path.unwrap_or_else(|path| scheduler.node(&path)),
            Arc::new(held),
        )
    };
    Some(list.into_iter().map(version).collect())
}

/// The versions a run is given, for the provenance of what it writes.
pub fn versions_read(known: &Definition, values: &[Input<Value>]) -> Vec<(Arc<str>, u64)> {
    let mut reads = Vec::with_capacity(values.len());
    for ((path, ..), input) in known.inputs.iter().zip(values) {
        match input {
            Input::Leaf { version, .. } => reads.push((Arc::clone(path), *version)),
            Input::Branch(entries) => {
                reads.extend(entries.iter().map(|e| (Arc::clone(&e.path), e.version)));
            }
            Input::Missing => {}
        }
    }
    reads
}
