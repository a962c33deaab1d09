//! Threads that were given up: counted, replaced, and not too many of them.

use pyo3::prelude::*;

use crate::errors::theus_error;
use crate::queue::WorkQueue;

/// How many threads may be given up at a time, for each that there is.
const ABANDONED_PER_WORKER: usize = 4;

impl WorkQueue {
    /// The thread of a run was given up: another may take its place until it comes back.
    pub fn abandon(slf: &Bound<'_, Self>, number: u64, process: String) -> PyResult<()> {
        slf.get().jobs().abandoned.push((number, process));
        Self::block(slf)
    }

    /// Refuses a further run while too many threads were given up: each holds memory, and what it
    /// does elsewhere goes on.
    pub fn check(&self, py: Python<'_>) -> PyResult<()> {
        let jobs = self.jobs();
        if jobs.abandoned.len() < ABANDONED_PER_WORKER * jobs.workers {
            return Ok(());
        }
        let listed: Vec<String> = jobs
            .abandoned
            .iter()
            .map(|(number, process)| format!("r{number} of '{process}'"))
            .collect();
        drop(jobs);
        let message = format!(
            "{} threads were given up and still run: {}. New sync runs are refused until some of \
             them have ended; restart the kernel if they never will",
            listed.len(),
            listed.join(", "),
        );
        Err(theus_error(py, "AbandonedThreadsError", &message))
    }

    /// A thread that was given up has come back.
    pub fn returned(&self, number: u64) {
        self.jobs().abandoned.retain(|(known, _)| *known != number);
        self.unblock();
    }
}

#[pymethods]
impl WorkQueue {
    /// Runs that were given up while their threads go on: `(number, process)`.
    #[getter]
    fn abandoned(&self) -> Vec<(u64, String)> {
        self.jobs().abandoned.clone()
    }
}
