//! Looking at a session: its state, its unfinished runs, its records.

use pyo3::prelude::*;
use theus_core::span::Span;
use theus_core::{Input, Ticket};

use crate::engine::Engine;
use crate::run::Run;
use crate::store;

/// `(run, parent, process, lane, status, submitted, started, ended, cpu, waited)`.
type SpanRow = (
    u64,
    Option<u64>,
    String,
    String,
    &'static str,
    u64,
    u64,
    u64,
    Option<u64>,
    Option<u64>,
);

#[pymethods]
impl Engine {
    /// What a path holds now: `(kind, value, version)`, kind one of `"leaf"`, `"branch"`,
    /// `"failed"` (the value is then `(path, cause)`) and `"missing"`.
    fn present(&self, py: Python<'_>, path: &str) -> PyResult<(&'static str, Py<PyAny>, u64)> {
        store::present(self, py, path)
    }

    /// Where a path's value comes from: `(version, run, process, source hash, inputs, time)`.
    fn provenance(&self, path: &str) -> Option<store::Provenance> {
        store::provenance(self, path)
    }

    /// What a running run would read at a path now: the value, or None if there is none.
    fn look(&self, py: Python<'_>, run: &Bound<'_, Run>, path: &str) -> Option<Py<PyAny>> {
        let found = self.core().scheduler.look(Ticket(run.get().number()), path);
        match found {
            Ok(Input::Leaf { value, .. }) => Some(value.object.clone_ref(py)),
            _ => None,
        }
    }

    /// Names directly beneath a path that hold something.
    fn children(&self, path: &str) -> Vec<String> {
        self.core().scheduler.children(path)
    }

    /// Lifts the failed marks at a path and beneath it: `(lifted paths, failed ancestor)`.
    fn accept(&self, path: &str) -> (Vec<String>, Option<String>) {
        store::accept(self, path)
    }

    /// Paths that are failed, with the exceptions that made them so.
    fn failed_paths(&self, py: Python<'_>) -> Vec<(String, Py<PyAny>)> {
        store::failed_paths(self, py)
    }

    /// The Python side of the engine.
    #[getter]
    fn hooks(&self, py: Python<'_>) -> Py<PyAny> {
        self.hooks.clone_ref(py)
    }

    /// Unfinished runs that may write a path.
    fn writers(&self, py: Python<'_>, path: &str) -> Vec<Py<Run>> {
        let core = self.core();
        let tickets = core.scheduler.pending_writers(path);
        tickets
            .iter()
            .filter_map(|t| Some(core.runs.get(&t.0)?.run.clone_ref(py)))
            .collect()
    }

    /// Runs that a run waits for at present.
    fn blockers(&self, py: Python<'_>, run: &Bound<'_, Run>) -> Vec<Py<Run>> {
        let core = self.core();
        let tickets = core.scheduler.blockers(Ticket(run.get().number()));
        tickets
            .iter()
            .filter_map(|t| Some(core.runs.get(&t.0)?.run.clone_ref(py)))
            .collect()
    }

    /// Unfinished runs, oldest first.
    fn unfinished(&self, py: Python<'_>) -> Vec<Py<Run>> {
        let core = self.core();
        let mut found: Vec<_> = core
            .runs
            .iter()
            .map(|(n, e)| (*n, e.run.clone_ref(py)))
            .collect();
        drop(core);
        found.sort_by_key(|(number, _)| *number);
        found.into_iter().map(|(_, run)| run).collect()
    }

    /// The newest finished runs, oldest first: `(run, parent, process, lane, status, submitted,
    /// started, ended, cpu, waited)`, times in nanoseconds since the session began.
    fn spans(&self) -> Vec<SpanRow> {
        let row = |s: &Span| {
            let (process, lane) = (s.process.to_string(), s.lane.to_string());
            let status = s.status.as_str();
            (
                s.run,
                s.parent,
                process,
                lane,
                status,
                s.submitted,
                s.started,
                s.ended,
                s.cpu,
                s.waited,
            )
        };
        self.core().spans.iter().map(row).collect()
    }

    /// Nanoseconds since the session began.
    #[pyo3(name = "now")]
    fn get_now(&self) -> u64 {
        self.now()
    }
}
