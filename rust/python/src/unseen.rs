//! Failures that nobody looked at: reported when the run goes, as asyncio does for its futures.

use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::outcome::Outcome;
use crate::run::Run;

impl Drop for Run {
    fn drop(&mut self) {
        if self.state().unretrieved {
            Python::try_attach(|py| self.report_unretrieved(py));
        }
    }
}

impl Run {
    /// Reports a failure that nobody looked at, as asyncio does for its futures.
    pub fn report_unretrieved(&self, py: Python<'_>) {
        let outcome = {
            let mut state = self.state();
            if !std::mem::take(&mut state.unretrieved) {
                return;
            }
            state.outcome.take()
        };
        let Some(Outcome::Error(error, _)) = outcome else {
            return;
        };
        let report = || -> PyResult<()> {
            let message = format!(
                "run r{} of '{}' failed and its exception was never retrieved",
                self.number(),
                self.name(py)
            );
            let context = PyDict::new(py);
            context.set_item("message", message)?;
            context.set_item("exception", error)?;
            let event_loop = self.bridge.get().event_loop().bind(py);
            event_loop
                .call_method1("call_exception_handler", (context,))
                .map(drop)
        };
        if let Err(failure) = report() {
            failure.write_unraisable(py, None);
        }
    }
}
