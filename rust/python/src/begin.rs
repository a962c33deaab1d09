//! The beginning of a run's body: what it is given.

use std::sync::Arc;

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};
use theus_core::{Input, Ticket};

use crate::access::{Access, is_plain};
use crate::admit::refused;
use crate::engine::Engine;
use crate::run::{Lane, Run};
use crate::versions::versions_read;

/// What a run is given.
pub struct Given {
    /// Values by path; None if there are none.
    pub reads: Option<Py<PyDict>>,
    /// A required input that was never written.
    pub missing: Option<Py<PyString>>,
    /// None of the values needs to be guarded.
    pub plain: bool,
}

/// Starts a ready run in Python's own words: raises where an input is missing. The values are
/// as they stand in the state; the caller guards them.
pub fn begin(
    engine: &Bound<'_, Engine>,
    run: &Bound<'_, Run>,
    parent: Option<Py<Access>>,
) -> PyResult<Access> {
    if matches!(run.get().lane, Lane::Loop) {
        run.get().started_here(engine.get().now());
    }
    let given = start(engine, run)?;
    if let Some(path) = given.missing {
        return Err(missing(engine, run, &path));
    }
    Ok(Access::new(run.clone().unbind(), parent, given.reads))
}

/// The exception for a required input that was never written.
pub fn missing(engine: &Bound<'_, Engine>, run: &Bound<'_, Run>, path: &Py<PyString>) -> PyErr {
    let py = engine.py();
    let hooks = engine.get().hooks.bind(py);
    let made = hooks.call_method1(intern!(py, "missing"), (run, path));
    made.map_or_else(|error| error, PyErr::from_value)
}

/// Marks a run as started and returns the values it is bound to.
pub fn start(engine: &Bound<'_, Engine>, run: &Bound<'_, Run>) -> PyResult<Given> {
    let py = engine.py();
    let me = engine.get();
    let mut given = Given {
        reads: None,
        missing: None,
        plain: true,
    };
    if run.get().definition().is_some_and(|d| d.inputs.is_empty()) {
        // Nothing the scheduler would have to know about the start.
        run.get().record_start(Vec::new());
        run.get().feed(None);
        return Ok(given);
    }
    let number = run.get().number();
    let started = {
        let mut core = me.core();
        match core
            .runs
            .get(&number)
            .map(|entry| Arc::clone(&entry.definition))
        {
            None => return Ok(given),
            Some(known) => core.scheduler.start(Ticket(number)).map(|values| {
                let reads = versions_read(&known, &values);
                if let Some(entry) = core.runs.get_mut(&number) {
                    entry.reads.clone_from(&reads);
                }
                (known, values, reads)
            }),
        }
    };
    let (known, values, versions) =
        started.map_err(|error| refused(py, &error, &run.get().name(py)))?;
    run.get().feed(None);
    if me.feed.is_open() {
        me.feed.reads(number, &versions);
    }
    run.get().record_start(versions);
    let reads = PyDict::new(py);
    for ((_, path, optional), input) in known.inputs.iter().zip(values) {
        match input {
            Input::Leaf { value, .. } => {
                given.plain &= is_plain(value.object.bind(py));
                reads.set_item(path, &value.object)?;
            }
            Input::Branch(entries) => {
                for entry in entries {
                    given.plain &= is_plain(entry.value.object.bind(py));
                    reads.set_item(entry.path.as_ref(), &entry.value.object)?;
                }
            }
            Input::Missing if *optional => {}
            Input::Missing => {
                given.missing = Some(path.clone_ref(py));
                return Ok(given);
            }
        }
    }
    given.reads = Some(reads.unbind());
    Ok(given)
}
