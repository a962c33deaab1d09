//! One execution of a process: the handle that users await, cancel and look at.
//!
//! The object speaks asyncio's future protocol itself. A Python class around a future would cost
//! more than everything else a run does.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use theus_core::audit::AuditFailed;
use theus_core::span::Status;

use crate::access::Access;
use crate::bridge::Bridge;
use crate::callbacks::Callbacks;
use crate::cpu::CpuStart;
use crate::definition::Definition;
use crate::engine::Engine;
use crate::errors::run_error;
use crate::interrupt::this_thread;
use crate::outcome::Outcome;
use crate::queue::WorkQueue;
use crate::waiter::Waiter;

/// Who asked for the end of a run; it decides what its awaiters see.
pub enum CancelledBy {
    /// `run.cancel(reason)`, a magic, a timeout: awaiters get `RunCancelledError`.
    Owner(Option<Py<PyAny>>),
    /// A task that awaits the run was cancelled: it gets `CancelledError`, the others that await
    /// the run, and were not cancelled, `RunCancelledError`.
    Waiter,
    /// asyncio, through the run's own future (a gather): awaiters get `CancelledError`.
    Asyncio(Option<Py<PyAny>>),
}

/// Where a run executes.
pub enum Lane {
    /// On a worker thread: the queue it goes to, the context variables it runs with, and the
    /// access of the run in whose body it was started. The worker takes the two out: the context
    /// will hold the run's access, and that holds the run.
    Worker {
        queue: Py<WorkQueue>,
        start: Mutex<Option<Start>>,
    },
    /// On the event loop, in a task of the caller's.
    Loop,
}

/// Context variables, and the parent's access.
pub type Start = (Py<PyAny>, Option<Py<Access>>);

/// What changes during a run's life. Held for field accesses only, never while Python runs.
#[allow(clippy::struct_excessive_bools)] // independent facts, not one state in disguise
pub struct State {
    pub status: Status,
    /// Set once, by whoever ends the run; later attempts find it set and do nothing.
    pub outcome: Option<Outcome>,
    /// The outcome is visible to the future protocol (set on the loop's thread).
    pub settled: bool,
    /// Why the disk will never confirm what the log says of it, where that was waited for.
    pub unsynced: Option<AuditFailed>,
    pub unretrieved: bool,
    pub blocking: bool,
    pub callbacks: Callbacks,
    pub waiters: Vec<Py<Waiter>>,
    pub watchers: Vec<Py<PyAny>>,
    pub cancel: Option<CancelledBy>,
    /// The body is to stop, though nobody asked for the end of the run: its time is up.
    pub stopping: bool,
    /// The thread in which the body has learnt from us that it is to stop; 0 for none.
    pub told: u64,
    /// The log knows that the body, or this attempt of it, has begun.
    pub recorded: bool,
    /// `(args, kwargs, setup)` for a worker, if there are any; released when the run ends.
    pub call: Option<Py<PyAny>>,
    /// The task in which an async process runs, for cancelling it.
    pub task: Option<Py<PyAny>>,
    /// A future that an async run waits on until its inputs are there.
    pub gate: Option<Py<PyAny>>,
    /// All inputs are there.
    pub ready: bool,
    /// Cannot be cancelled any more: what it did outside is becoming visible.
    pub committing: bool,
    /// Somebody is ending it over the head of its body: too late to become visible.
    pub given_up: bool,
    pub outputs: Option<Py<PyDict>>,
    /// What it returned is what it wrote: `outputs` is made when somebody asks.
    pub returned: bool,
    pub submitted: u64,
    pub started: u64,
    pub ended: u64,
    /// Running while the body is on a worker thread that is measured.
    pub cpu_start: Option<CpuStart>,
    /// What was measured.
    pub cpu: Option<u64>,
    /// How long the worker waited for the interpreter.
    pub waited: Option<u64>,
    /// The worker lane it runs on; None before that, and on the loop.
    pub lane_label: Option<Arc<str>>,
}

impl State {
    /// The body has left its worker thread, or is about to. On that thread, or nothing is known.
    pub fn stop_cpu(&mut self) {
        if let Some(start) = self.cpu_start.take() {
            self.cpu = start.elapsed();
        }
    }

    /// Whether anybody is to be told when the run ends. If not, it needs no wake-up of its loop.
    pub fn is_awaited(&self) -> bool {
        !(self.callbacks.is_empty() && self.waiters.is_empty() && self.watchers.is_empty())
    }
}

/// One execution of a process.
#[pyclass(frozen, weakref, module = "theus_nb._core")]
pub struct Run {
    /// Known only under the engine's lock, after the object has been made.
    number: AtomicU64,
    /// Number of the run in whose body it was started; 0 for none. Set at admission.
    pub parent: AtomicU64,
    /// What its process is to the engine; set at admission.
    definition: OnceLock<Arc<Definition>>,
    pub engine: Py<Engine>,
    pub process: Py<PyAny>,
    pub bridge: Py<Bridge>,
    pub lane: Lane,
    /// Whether the log has kept room for this run's entries.
    pub logged: bool,
    /// Execution count of the cell it was submitted from; 0 for none.
    pub from_cell: u32,
    /// Its cell has ended, so who awaits it may be somebody else: `hooks.only_waits` knows.
    pub is_left: AtomicBool,
    state: Mutex<State>,
}

impl Run {
    /// A run that has not been admitted yet.
    #[allow(clippy::too_many_arguments)] // the fields of a run
    pub fn new(
        engine: Py<Engine>,
        process: Py<PyAny>,
        bridge: Py<Bridge>,
        lane: Lane,
        call: Option<Py<PyAny>>,
        task: Option<Py<PyAny>>,
        now: u64,
        logged: bool,
        from_cell: u32,
    ) -> Self {
        Self {
            number: AtomicU64::new(0),
            parent: AtomicU64::new(0),
            definition: OnceLock::new(),
            engine,
            process,
            bridge,
            lane,
            logged,
            from_cell,
            is_left: AtomicBool::new(false),
            state: Mutex::new(State {
                status: Status::Waiting,
                outcome: None,
                settled: false,
                unsynced: None,
                unretrieved: false,
                blocking: false,
                callbacks: Callbacks::default(),
                waiters: Vec::new(),
                watchers: Vec::new(),
                cancel: None,
                stopping: false,
                told: 0,
                recorded: false,
                call,
                task,
                gate: None,
                ready: false,
                committing: false,
                given_up: false,
                outputs: None,
                returned: false,
                submitted: now,
                started: 0,
                ended: 0,
                cpu_start: None,
                cpu: None,
                waited: None,
                lane_label: None,
            }),
        }
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the body is to stop: somebody asked for the end of the run, or its time is up.
    pub fn must_stop(&self) -> bool {
        let state = self.state();
        state.cancel.is_some() || state.stopping
    }

    /// Notes that the body has been told in this thread that it is to stop: it leaves by itself.
    pub fn tell(&self, py: Python<'_>) -> PyResult<()> {
        self.state().told = this_thread(py)?;
        Ok(())
    }

    pub fn number(&self) -> u64 {
        self.number.load(Ordering::Relaxed)
    }

    /// Called once, under the engine's lock.
    pub fn admitted(&self, number: u64, parent: Option<u64>, definition: Arc<Definition>) {
        self.number.store(number, Ordering::Relaxed);
        self.parent.store(parent.unwrap_or(0), Ordering::Relaxed);
        let _ = self.definition.set(definition);
    }

    pub fn definition(&self) -> Option<&Arc<Definition>> {
        self.definition.get()
    }

    /// Marks a run as running on the loop, unless it has ended.
    pub fn started_here(&self, now: u64) {
        let mut state = self.state();
        if state.outcome.is_none() {
            state.status = Status::Running;
            state.started = now;
        }
    }

    /// Nanoseconds since the session began.
    pub fn now(&self) -> u64 {
        self.engine.get().now()
    }

    /// Whether it has ended, even if its loop does not know yet.
    pub fn has_ended(&self) -> bool {
        self.state().outcome.is_some()
    }

    pub fn settled(&self) -> bool {
        self.state().settled
    }

    pub fn mark_retrieved(&self) {
        self.state().unretrieved = false;
    }

    pub fn name(&self, py: Python<'_>) -> String {
        self.process
            .bind(py)
            .getattr(intern!(py, "name"))
            .and_then(|name| name.extract())
            .unwrap_or_default()
    }

    /// Calls the watchers: the run has become ready, its body is to stop, or it has ended.
    pub fn tell_watchers(&self, py: Python<'_>) {
        let watchers: Vec<_> = self
            .state()
            .watchers
            .iter()
            .map(|w| w.clone_ref(py))
            .collect();
        for watcher in watchers {
            if let Err(error) = watcher.call0(py) {
                error.write_unraisable(py, Some(watcher.bind(py)));
            }
        }
    }

    /// Makes the outcome visible and schedules the callbacks. On the loop's thread.
    pub fn settle(slf: &Bound<'_, Self>) {
        let py = slf.py();
        let me = slf.get();
        me.tell_unsynced(py);
        let (callbacks, waiters) = {
            let mut state = me.state();
            if state.settled {
                return;
            }
            state.settled = true;
            (state.callbacks.take(), std::mem::take(&mut state.waiters))
        };
        callbacks.schedule(me.bridge.bind(py), slf.as_any());
        for waiter in waiters {
            Waiter::notify(waiter.bind(py), Some(&me.bridge));
        }
    }

    /// Registers one `await`; a run that has settled meanwhile wakes it at once.
    pub fn add_waiter(slf: &Bound<'_, Self>, waiter: &Bound<'_, Waiter>) {
        {
            let mut state = slf.get().state();
            if !state.settled {
                state.waiters.push(waiter.clone().unbind());
                return;
            }
        }
        Waiter::notify(waiter, None);
    }

    /// The outcome, which counts as seen from now on; with `settled`, only if the loop knows it.
    pub fn look(&self, py: Python<'_>, settled: bool) -> Option<Outcome> {
        let mut state = self.state();
        state.unretrieved = false;
        if settled && !state.settled {
            return None;
        }
        state.outcome.as_ref().map(|outcome| outcome.clone_ref(py))
    }

    /// The value, or the exception the run ended with.
    pub fn value(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.look(py, true)
            .map_or_else(|| Err(self.pending(py)), |outcome| outcome.get(py))
    }

    pub fn pending(&self, py: Python<'_>) -> PyErr {
        let message = format!(
            "run r{} of '{}' is {}: await it, or ask again when .done() is true",
            self.number(),
            self.name(py),
            self.state().status.as_str(),
        );
        run_error(
            py,
            "RunPendingError",
            &message,
            &self.name(py),
            Some(self.number()),
        )
    }
}

#[pymethods]
impl Run {
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.engine)?;
        visit.call(&self.process)?;
        visit.call(&self.bridge)?;
        if let Lane::Worker { queue, start } = &self.lane {
            visit.call(queue)?;
            // See below about the lock.
            if let Ok(Some((context, parent))) = start.try_lock().as_deref() {
                visit.call(context)?;
                visit.call(parent)?;
            }
        }
        // See Waiter: a lock held by this very thread only postpones the collection.
        let Ok(state) = self.state.try_lock() else {
            return Ok(());
        };
        state.callbacks.traverse(&visit)?;
        for waiter in &state.waiters {
            visit.call(waiter)?;
        }
        for watcher in &state.watchers {
            visit.call(watcher)?;
        }
        visit.call(&state.call)?;
        visit.call(&state.task)?;
        visit.call(&state.gate)?;
        visit.call(&state.outputs)?;
        match &state.outcome {
            Some(Outcome::Value(value)) => visit.call(value),
            Some(Outcome::Error(error, trace)) => {
                visit.call(error)?;
                visit.call(trace)
            }
            _ => Ok(()),
        }
    }

    fn __clear__(&self, py: Python<'_>) {
        // A failed run is in a cycle with its traceback: this is where most of them go.
        self.report_unretrieved(py);
        // Taken out under the lock, dropped after it: dropping may run anybody's code.
        let _dropped = {
            let mut state = self.state();
            (
                state.callbacks.take(),
                std::mem::take(&mut state.waiters),
                std::mem::take(&mut state.watchers),
                state.call.take(),
                state.outcome.take(),
                (state.task.take(), state.gate.take(), state.outputs.take()),
            )
        };
    }
}
