//! What users and the Python side see of a run, apart from awaiting it.

use std::sync::atomic::Ordering;

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::bridge::Bridge;
use crate::engine::Engine;
use crate::here::wait_edge;
use crate::outcome::Outcome;
use crate::run::{CancelledBy, Lane, Run};

#[pymethods]
impl Run {
    /// Identifier, unique in the session: `"r7"`.
    #[getter]
    fn id(&self) -> String {
        format!("r{}", self.number())
    }

    #[getter(number)]
    fn get_number(&self) -> u64 {
        self.number()
    }

    #[getter]
    fn process(&self, py: Python<'_>) -> Py<PyAny> {
        self.process.clone_ref(py)
    }

    #[getter(name)]
    fn get_name(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.process.getattr(py, intern!(py, "name"))
    }

    #[getter]
    fn status(&self) -> &'static str {
        self.state().status.as_str()
    }

    #[getter]
    fn ready(&self) -> bool {
        self.state().ready
    }

    #[getter(engine)]
    fn get_engine(&self, py: Python<'_>) -> Py<Engine> {
        self.engine.clone_ref(py)
    }

    #[getter(bridge)]
    fn get_bridge(&self, py: Python<'_>) -> Py<Bridge> {
        self.bridge.clone_ref(py)
    }

    /// `"loop"`, or the name of the worker lane once it runs there.
    #[getter(lane)]
    fn get_lane(&self) -> String {
        match &self.lane {
            Lane::Loop => self
                .state()
                .lane_label
                .as_deref()
                .unwrap_or("loop")
                .to_owned(),
            Lane::Worker { .. } => self.state().lane_label.as_deref().unwrap_or("").to_owned(),
        }
    }

    #[getter]
    fn submitted_ns(&self) -> u64 {
        self.state().submitted
    }

    #[getter]
    fn started_ns(&self) -> Option<u64> {
        Some(self.state().started).filter(|&at| at != 0)
    }

    #[getter]
    fn ended_ns(&self) -> Option<u64> {
        Some(self.state().ended).filter(|&at| at != 0)
    }

    /// Seconds from start to end, or to now; 0.0 before the start.
    #[getter]
    #[allow(clippy::cast_precision_loss)] // nanoseconds of a run fit a double's 53 bits
    fn elapsed(&self) -> f64 {
        let (started, ended) = {
            let state = self.state();
            (state.started, state.ended)
        };
        if started == 0 {
            return 0.0;
        }
        let end = if ended == 0 { self.now() } else { ended };
        end.saturating_sub(started) as f64 / 1e9
    }

    #[getter]
    fn outputs(&self, py: Python<'_>) -> PyResult<Py<PyDict>> {
        let (outputs, returned) = {
            let state = self.state();
            let returned = match &state.outcome {
                Some(Outcome::Value(value)) if state.returned => Some(value.clone_ref(py)),
                _ => None,
            };
            let outputs = state.outputs.as_ref().map(|o| o.clone_ref(py));
            (outputs, returned)
        };
        if let Some(outputs) = outputs {
            return Ok(outputs);
        }
        let made = PyDict::new(py);
        if let (Some(value), Some(known)) = (returned, self.definition()) {
            for (path, _) in &known.outputs {
                made.set_item(path, &value)?;
            }
        }
        Ok(made.unbind())
    }

    /// Whether it has failed and nobody has looked at how.
    #[getter]
    fn unseen(&self) -> bool {
        self.state().unretrieved
    }

    #[getter]
    fn cancel_requested(&self) -> bool {
        self.must_stop()
    }

    /// True if the request came from asyncio rather than from the run's owner.
    #[getter]
    fn cancelled_by_asyncio(&self) -> bool {
        matches!(self.state().cancel, Some(CancelledBy::Asyncio(_)))
    }

    /// Notes that the cell in which it was started has ended, and it has not.
    fn leave(&self) {
        self.is_left.store(true, Ordering::Relaxed);
    }

    /// True if the task that awaited it was cancelled, and knows no more than that.
    #[getter]
    fn awaiter_cancelled(&self) -> bool {
        let by = &self.state().cancel;
        matches!(by, Some(CancelledBy::Asyncio(_) | CancelledBy::Waiter))
    }

    #[getter]
    fn task(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.state().task.as_ref().map(|task| task.clone_ref(py))
    }

    #[setter]
    fn set_task(&self, task: Option<Py<PyAny>>) {
        let _old = std::mem::replace(&mut self.state().task, task);
    }

    /// Keeps what a run would have written, where its commit was refused.
    fn keep_outputs(&self, outputs: Py<PyDict>) {
        let _old = self.state().outputs.replace(outputs);
    }

    /// Records that the process we are in, if any, waits for this run from here on.
    fn begin_wait(slf: &Bound<'_, Self>) -> PyResult<()> {
        wait_edge(slf).map(drop)
    }

    /// From here on the run cannot be cancelled. False if it is being given up, or has ended.
    fn begin_commit(&self) -> bool {
        let mut state = self.state();
        state.committing = state.outcome.is_none() && !state.given_up;
        state.committing
    }

    /// From here on the run cannot begin to commit. False if it has begun.
    pub fn give_up(&self) -> bool {
        let mut state = self.state();
        state.given_up = !state.committing;
        state.given_up
    }

    /// Whether it is becoming visible, and too late to be stopped.
    #[getter]
    fn committing(&self) -> bool {
        self.state().committing
    }

    /// Registers the future to be opened when the inputs are there; false if they are already.
    fn set_gate(&self, gate: Py<PyAny>) -> bool {
        let mut state = self.state();
        if state.ready || state.outcome.is_some() {
            return false;
        }
        state.gate = Some(gate);
        true
    }

    /// The exception of a run that has ended, settled or not.
    fn failure(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        match &self.state().outcome {
            Some(Outcome::Error(error, _)) => Some(error.clone_ref(py)),
            _ => None,
        }
    }

    /// Has a function called, without arguments, when the run becomes ready, when its body in a
    /// thread is to stop, and when it ends, in the thread where that happens; at once if it has ended. For threads that wait without a
    /// loop: they wait in Python, where the end of the interpreter may find them.
    fn watch(&self, function: Bound<'_, PyAny>) -> PyResult<()> {
        {
            let mut state = self.state();
            if state.outcome.is_none() {
                state.watchers.push(function.unbind());
                return Ok(());
            }
        }
        function.call0().map(drop)
    }

    #[getter(has_ended)]
    fn get_has_ended(&self) -> bool {
        self.has_ended()
    }

    /// The value or the exception of a run that has ended, whether its loop knows yet or not.
    fn take(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.look(py, false)
            .map_or_else(|| Err(self.pending(py)), |outcome| outcome.get(py))
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        let elapsed = self.elapsed();
        let status = self.state().status.as_str();
        let time = if elapsed > 0.0 {
            format!(" {elapsed:.3} s")
        } else {
            String::new()
        };
        format!(
            "<Run r{} '{}' {status}{time}>",
            self.number(),
            self.name(py)
        )
    }
}
