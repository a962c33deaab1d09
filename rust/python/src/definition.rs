//! What a process is to one engine.

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::PyString;
use theus_core::{Access, ContractId, NodeId};

use crate::cpu::CpuClock;
use crate::engine::Engine;
use crate::layout::{Layout, Returned};

/// A process as the scheduler knows it.
pub struct Definition {
    pub name: Arc<str>,
    pub source_hash: Box<str>,
    pub clock: CpuClock,
    pub contract: ContractId,
    /// The process has a limit or a rate: its runs take turns once their inputs are there.
    pub gated: bool,
    /// Input paths in declared order, and whether each is optional.
    pub inputs: Vec<(Arc<str>, Py<PyString>, bool)>,
    /// Output paths with the scheduler's numbers for them.
    pub outputs: Vec<(Py<PyString>, NodeId)>,
    /// The same paths as a body meets them.
    pub layout: Layout,
}

/// What `define` returns; a process keeps it, and it goes with the process.
#[pyclass(frozen, name = "Definition", module = "theus_nb._core")]
pub struct Known(pub Arc<Definition>);

impl Definition {
    /// Compiles a contract. `function`: what the process returns is laid over its outputs;
    /// `gated`: its runs take turns.
    pub fn new(
        py: Python<'_>,
        engine: &Engine,
        (name, source_hash): (&str, &str),
        inputs: Vec<(String, bool)>,
        outputs: Vec<(String, bool)>,
        (function, gated): (bool, bool),
    ) -> Self {
        let key = |path: &str| PyString::intern(py, path).unbind();
        let access = |(path, optional)| Access { path, optional };
        let reads: Vec<_> = inputs.into_iter().map(access).collect();
        let writes: Vec<_> = outputs.into_iter().map(access).collect();
        let keys: Vec<_> = writes.iter().map(|a| key(&a.path)).collect();
        let (contract, nodes) = {
            let mut core = engine.core();
            let contract = core.scheduler.compile(&reads, &writes);
            let nodes = writes.iter().map(|a| core.scheduler.node(&a.path));
            (contract, nodes.collect::<Vec<_>>())
        };
        // Notebook variables are bound on the main thread, so they are no common case.
        let notebook = writes.iter().any(|a| a.path.starts_with("nb."));
        let returned = match *nodes.as_slice() {
            _ if !function || notebook => Returned::Unknown,
            [] => Returned::Nothing,
            [node] => Returned::Output(node),
            _ => Returned::Unknown,
        };
        let paths = |list: &'_ [Access]| list.iter().map(|a| a.path.clone()).collect::<Vec<_>>();
        let layout = Layout::new(py, &paths(&reads), &paths(&writes), returned);
        let inputs = reads.into_iter().map(|a| {
            let object = key(&a.path);
            (a.path.into(), object, a.optional)
        });
        Self {
            name: name.into(),
            source_hash: source_hash.into(),
            clock: CpuClock::default(),
            contract,
            gated,
            inputs: inputs.collect(),
            outputs: keys.into_iter().zip(nodes).collect(),
            layout,
        }
    }
}
