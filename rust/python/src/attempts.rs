//! What happens to a run between its admission and its end besides executing: it is held by the
//! limits of its process, started once more after a failure, or given up.

use std::sync::PoisonError;

use pyo3::prelude::*;
use theus_core::Ticket;
use theus_core::span::Status;

use crate::access::Access;
use crate::admit::proceed;
use crate::engine::Engine;
use crate::finish::{end_cancelled, fail_with, span_of};
use crate::outcome::Outcome;
use crate::queue::WorkQueue;
use crate::run::{Lane, Run};

#[pymethods]
impl Engine {
    /// Gives up on a run whose thread goes on; false if it has ended meanwhile.
    ///
    /// Another thread may take the place of its own until that comes back.
    #[pyo3(signature = (run, error = None))]
    fn abandon(
        slf: &Bound<'_, Self>,
        run: &Bound<'_, Run>,
        error: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<bool> {
        if !run.get().give_up() {
            return Ok(false); // it will end by itself, and its files are half in their places
        }
        let ended = match error {
            None => end_cancelled(slf, run, Status::Abandoned)?,
            Some(error) => {
                let outcome = Outcome::error(error);
                fail_with(slf, run, error, outcome, Status::Abandoned, false)?
            }
        };
        if let (true, Lane::Worker { queue, .. }) = (ended, &run.get().lane) {
            let me = run.get();
            WorkQueue::abandon(queue.bind(slf.py()), me.number(), me.name(slf.py()))?;
        }
        Ok(ended)
    }

    /// Records that an attempt has failed and takes the run back to where it waits for its turn;
    /// `Run.proceed` starts the next one. False if it has ended, or somebody asked for its end.
    ///
    /// Args:
    ///     run: the run; it keeps its place in the order and its inputs.
    ///     attempt: which attempt it was, from 1.
    ///     error: with what it has failed.
    ///     call: what the worker is given the next time.
    ///     context: the context variables with which it runs then.
    ///     parent: the access of the run in whose body it was started.
    #[pyo3(signature = (run, attempt, error, call = None, context = None, parent = None))]
    fn retry(
        &self,
        run: &Bound<'_, Run>,
        attempt: i64,
        error: &Bound<'_, PyAny>,
        call: Option<Py<PyAny>>,
        context: Option<Py<PyAny>>,
        parent: Option<Py<Access>>,
    ) -> bool {
        let me = run.get();
        let now = self.now();
        let above = match self.core().runs.get(&me.number()) {
            Some(entry) => entry.parent,
            None => return false,
        };
        let Some(definition) = me.definition() else {
            return false;
        };
        let (span, dropped) = {
            let mut state = me.state();
            if state.outcome.is_some() || state.cancel.is_some() {
                return false;
            }
            state.stop_cpu();
            let span = span_of(self, run, &state, definition, above, Status::Retried, now);
            state.status = Status::Waiting;
            state.ready = false;
            state.stopping = false;
            state.told = 0;
            state.committing = false;
            state.recorded = false;
            state.started = 0;
            if let Lane::Worker { .. } = &me.lane {
                state.lane_label = None;
            }
            (span, std::mem::replace(&mut state.call, call))
        };
        drop(dropped);
        if let Lane::Worker { start, .. } = &me.lane {
            let next = context.map(|context| (context, parent));
            let old = std::mem::replace(
                &mut *start.lock().unwrap_or_else(PoisonError::into_inner),
                next,
            );
            drop(old);
        }
        self.record_retry(me, &span, attempt, error);
        self.core().spans.push(span);
        me.feed(above);
        true
    }

    /// Numbers of the unfinished runs in whose bodies this one was started, the nearest first.
    fn ancestors(&self, run: &Bound<'_, Run>) -> Vec<u64> {
        let core = self.core();
        let mut found = Vec::new();
        let mut next = core.runs.get(&run.get().number());
        while let Some(parent) = next.and_then(|entry| entry.parent) {
            found.push(parent);
            next = core.runs.get(&parent);
        }
        found
    }

    /// Notes that a run whose inputs are there waits for the end of another one: its turn.
    ///
    /// Returns the circle, from `run` on, if that one waits for this one; nothing is noted then.
    fn hold(&self, run: &Bound<'_, Run>, holder: u64) -> Option<Vec<u64>> {
        let number = Ticket(run.get().number());
        let noted = self.core().scheduler.await_begin(number, Ticket(holder));
        let circle = noted.err()?;
        Some(circle.iter().map(|ticket| ticket.0).collect())
    }

    /// The run waits for that one no more.
    fn unhold(&self, run: &Bound<'_, Run>, holder: u64) {
        self.forget_wait(run.get().number(), holder);
    }

    /// Says who has the places of a limit; nobody if one is free.
    fn limit_taken(&self, limit: u64, holders: Vec<u64>) {
        let holders = holders.into_iter().map(Ticket).collect();
        self.core().scheduler.limit_taken(limit, holders);
    }

    /// Notes that a run whose inputs are there waits until one of those that have the places ends.
    ///
    /// Returns the circle, from `run` on, if all of them wait for it; nothing is noted then.
    fn limit_wait(&self, run: &Bound<'_, Run>, limit: u64) -> Option<Vec<u64>> {
        let number = Ticket(run.get().number());
        let circle = self.core().scheduler.limit_wait(number, limit).err()?;
        Some(circle.iter().map(|ticket| ticket.0).collect())
    }

    /// The run waits for a place no more.
    fn limit_pass(&self, run: &Bound<'_, Run>) {
        let number = Ticket(run.get().number());
        self.core().scheduler.limit_pass(number);
    }
}

#[pymethods]
impl Run {
    /// Lets a run go on whose inputs are there and whose limits allow it.
    fn proceed(slf: &Bound<'_, Self>) -> PyResult<()> {
        proceed(slf)
    }

    /// Tells the body that it is to stop (its time is up), without asking for the end of the run.
    fn request_stop(&self) {
        self.state().stopping = true;
    }

    /// Notes that the body has been told in this thread that it is to stop: it leaves by itself.
    fn told(&self, py: Python<'_>) -> PyResult<()> {
        self.tell(py)
    }

    /// Calls the watchers: the body is to stop, and leaves by itself where it waits in our code.
    fn alert(&self, py: Python<'_>) {
        self.tell_watchers(py);
    }
}
