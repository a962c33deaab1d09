//! One execution of a process: the handle that users await, cancel and look at.
//!
//! The object speaks asyncio's future protocol itself. A Python class around a future would cost
//! more than everything else a run does.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use theus_core::span::Status;

use crate::bridge::{Bridge, Completion};
use crate::callbacks::Callbacks;
use crate::engine::{Definition, Engine, copy_context, wait_edge};
use crate::errors::theus_error;
use crate::finish::cancel_run;
use crate::outcome::{Outcome, cancelled};
use crate::queue::WorkQueue;
use crate::waiter::Waiter;

/// Who asked for the end of a run; it decides what its awaiters see.
pub enum CancelledBy {
    /// `run.cancel(reason)`, a magic, a timeout: awaiters get `RunCancelledError`.
    Owner(Option<Py<PyAny>>),
    /// asyncio itself (a cancelled task, a gather): awaiters get `CancelledError`.
    Asyncio(Option<Py<PyAny>>),
}

/// Where a run executes.
pub enum Lane {
    /// On a worker thread: the queue it goes to, and `Context.run` of its private context.
    Worker { queue: Py<WorkQueue>, enter: Py<PyAny> },
    /// On the event loop, in a task of the caller's.
    Loop,
}

/// What changes during a run's life. Held for field accesses only, never while Python runs.
pub struct State {
    pub status: Status,
    /// Set once, by whoever ends the run; later attempts find it set and do nothing.
    pub outcome: Option<Outcome>,
    /// The outcome is visible to the future protocol (set on the loop's thread).
    pub settled: bool,
    pub unretrieved: bool,
    blocking: bool,
    callbacks: Callbacks,
    waiters: Vec<Py<Waiter>>,
    watchers: Vec<Py<PyAny>>,
    pub cancel: Option<CancelledBy>,
    /// `(args, kwargs, setup)` for a worker; released when the run ends.
    pub call: Option<Py<PyAny>>,
    /// The task in which an async process runs, for cancelling it.
    pub task: Option<Py<PyAny>>,
    /// A future that an async run waits on until its inputs are there.
    pub gate: Option<Py<PyAny>>,
    /// All inputs are there.
    pub ready: bool,
    pub outputs: Option<Py<PyDict>>,
    pub submitted: u64,
    pub started: u64,
    pub ended: u64,
    /// The worker lane it runs on; None before that, and on the loop.
    pub lane_label: Option<Arc<str>>,
}

/// One execution of a process.
#[pyclass(frozen, weakref, module = "theus_nb._core")]
pub struct Run {
    /// Known only under the engine's lock, after the object has been made.
    number: AtomicU64,
    /// What its process is to the engine; set at admission.
    definition: OnceLock<Arc<Definition>>,
    engine: Py<Engine>,
    process: Py<PyAny>,
    pub bridge: Py<Bridge>,
    pub lane: Lane,
    state: Mutex<State>,
}

impl Run {
    /// A run that has not been admitted yet.
    pub fn new(
        engine: Py<Engine>,
        process: Py<PyAny>,
        bridge: Py<Bridge>,
        lane: Lane,
        call: Option<Py<PyAny>>,
        task: Option<Py<PyAny>>,
        now: u64,
    ) -> Self {
        Self {
            number: AtomicU64::new(0),
            definition: OnceLock::new(),
            engine,
            process,
            bridge,
            lane,
            state: Mutex::new(State {
                status: Status::Waiting,
                outcome: None,
                settled: false,
                unretrieved: false,
                blocking: false,
                callbacks: Callbacks::default(),
                waiters: Vec::new(),
                watchers: Vec::new(),
                cancel: None,
                call,
                task,
                gate: None,
                ready: false,
                outputs: None,
                submitted: now,
                started: 0,
                ended: 0,
                lane_label: None,
            }),
        }
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn number(&self) -> u64 {
        self.number.load(Ordering::Relaxed)
    }

    /// Called once, under the engine's lock.
    pub fn admitted(&self, number: u64, definition: Arc<Definition>) {
        self.number.store(number, Ordering::Relaxed);
        let _ = self.definition.set(definition);
    }

    pub fn definition(&self) -> Option<&Arc<Definition>> {
        self.definition.get()
    }

    pub fn engine(&self, py: Python<'_>) -> Py<Engine> {
        self.engine.clone_ref(py)
    }

    /// Nanoseconds since the session began.
    pub fn now(&self) -> u64 {
        self.engine.get().now()
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

    /// Calls the watchers: the run has become ready, or has ended.
    pub fn tell_watchers(&self, py: Python<'_>) {
        let watchers: Vec<_> = self.state().watchers.iter().map(|w| w.clone_ref(py)).collect();
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
        let (callbacks, waiters) = {
            let mut state = me.state();
            if state.settled {
                return;
            }
            state.settled = true;
            (state.callbacks.take(), std::mem::take(&mut state.waiters))
        };
        callbacks.schedule(me.bridge.get(), slf.as_any());
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

    /// The value, or the exception the run ended with.
    pub fn value(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let outcome = {
            let mut state = self.state();
            state.unretrieved = false;
            if !state.settled {
                None
            } else {
                state.outcome.as_ref().map(|outcome| outcome.clone_ref(py))
            }
        };
        outcome.map_or_else(|| Err(self.pending(py)), |outcome| outcome.get(py))
    }

    fn pending(&self, py: Python<'_>) -> PyErr {
        let message = format!(
            "run r{} of '{}' is {}: await it, or ask again when .done() is true",
            self.number(),
            self.name(py),
            self.state().status.as_str(),
        );
        theus_error(py, "RunPendingError", &message)
    }
}

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

    #[getter(bridge)]
    fn get_bridge(&self, py: Python<'_>) -> Py<Bridge> {
        self.bridge.clone_ref(py)
    }

    /// `"loop"`, or the name of the worker lane once it runs there.
    #[getter(lane)]
    fn get_lane(&self) -> String {
        match &self.lane {
            Lane::Loop => self.state().lane_label.as_deref().unwrap_or("loop").to_owned(),
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
    fn outputs(&self, py: Python<'_>) -> Py<PyDict> {
        let outputs = self.state().outputs.as_ref().map(|o| o.clone_ref(py));
        outputs.unwrap_or_else(|| PyDict::new(py).unbind())
    }

    /// `(args, kwargs, setup)` as submitted; None for a run on the loop, or one that has ended.
    #[getter]
    fn call(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.state().call.as_ref().map(|call| call.clone_ref(py))
    }

    #[setter]
    fn set_call(&self, call: Option<Py<PyAny>>) {
        let _old = std::mem::replace(&mut self.state().call, call);
    }

    #[getter]
    fn cancel_requested(&self) -> bool {
        self.state().cancel.is_some()
    }

    /// True if the request came from asyncio rather than from the run's owner.
    #[getter]
    fn cancelled_by_asyncio(&self) -> bool {
        matches!(self.state().cancel, Some(CancelledBy::Asyncio(_)))
    }

    #[setter]
    fn set_task(&self, task: Option<Py<PyAny>>) {
        let _old = std::mem::replace(&mut self.state().task, task);
    }

    /// Keeps what a run would have written, where its commit was refused.
    fn keep_outputs(&self, outputs: Py<PyDict>) {
        let _old = self.state().outputs.replace(outputs);
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

    /// Has a function called, without arguments, when the run becomes ready and when it ends, in
    /// the thread where that happens; at once if it has ended. For threads that wait without a
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

    #[getter]
    fn has_ended(&self) -> bool {
        self.state().outcome.is_some()
    }

    /// The value or the exception of a run that has ended, whether its loop knows yet or not.
    fn take(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let outcome = {
            let mut state = self.state();
            state.unretrieved = false;
            state.outcome.as_ref().map(|outcome| outcome.clone_ref(py))
        };
        outcome.map_or_else(|| Err(self.pending(py)), |outcome| outcome.get(py))
    }

    // The future protocol.

    fn __await__(slf: &Bound<'_, Self>) -> PyResult<Waiter> {
        let py = slf.py();
        let me = slf.get();
        let bridge = me.engine.bind(py).get().bridge_here(py, &me.bridge)?;
        let edge = wait_edge(slf)?;
        Ok(Waiter::new(slf.clone().unbind(), bridge, edge))
    }

    fn __iter__(slf: &Bound<'_, Self>) -> PyResult<Waiter> {
        Self::__await__(slf)
    }

    #[getter(_asyncio_future_blocking)]
    fn future_blocking(&self) -> bool {
        self.state().blocking
    }

    #[setter(_asyncio_future_blocking)]
    fn set_future_blocking(&self, value: bool) {
        self.state().blocking = value;
    }

    #[getter(_loop)]
    fn own_loop(&self, py: Python<'_>) -> Py<PyAny> {
        self.get_loop(py)
    }

    fn get_loop(&self, py: Python<'_>) -> Py<PyAny> {
        self.bridge.get().event_loop().clone_ref(py)
    }

    #[pyo3(signature = (callback, /, *, context = None))]
    fn add_done_callback(
        slf: &Bound<'_, Self>,
        callback: Bound<'_, PyAny>,
        context: Option<Py<PyAny>>,
    ) -> PyResult<()> {
        let py = slf.py();
        let me = slf.get();
        // gather and wait suspend through callbacks of their own: inside a process those are
        // waits like any other, and may close a circle. A user's callback is not a wait.
        let module = callback.getattr_opt(intern!(py, "__module__"))?;
        if module.is_some_and(|m| m.eq(intern!(py, "asyncio.tasks")).unwrap_or(false)) {
            wait_edge(slf)?;
        }
        let context = match context {
            Some(context) => context,
            None => copy_context(py)?,
        };
        {
            let mut state = me.state();
            if !state.settled {
                state.callbacks.add(callback.unbind(), Some(context));
                return Ok(());
            }
        }
        me.bridge.get().call_soon(py, &callback, slf.as_any(), Some(&context));
        Ok(())
    }

    fn remove_done_callback(&self, callback: &Bound<'_, PyAny>) -> PyResult<usize> {
        let callbacks = self.state().callbacks.take();
        let (kept, removed) = callbacks.without(callback)?;
        self.state().callbacks = kept;
        Ok(removed)
    }

    #[pyo3(signature = (reason = None, *, msg = None))]
    fn cancel(
        slf: &Bound<'_, Self>,
        reason: Option<Py<PyAny>>,
        msg: Option<Py<PyAny>>,
    ) -> PyResult<bool> {
        let by = if msg.is_some() || called_by_asyncio(slf.py()) {
            CancelledBy::Asyncio(msg)
        } else {
            CancelledBy::Owner(reason)
        };
        cancel_run(slf, by)
    }

    fn _make_cancelled_error(&self, py: Python<'_>) -> Py<PyAny> {
        let message = match &self.state().cancel {
            Some(CancelledBy::Asyncio(Some(message))) => Some(message.clone_ref(py)),
            _ => None,
        };
        cancelled(py, message.as_ref()).into_value(py).into_any()
    }

    fn cancelled(&self) -> bool {
        let state = self.state();
        state.settled && matches!(state.outcome, Some(Outcome::Cancelled(_)))
    }

    fn done(&self) -> bool {
        self.settled()
    }

    fn result(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.value(py)
    }

    fn exception(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let outcome = {
            let mut state = self.state();
            state.unretrieved = false;
            if !state.settled {
                None
            } else {
                state.outcome.as_ref().map(|outcome| outcome.clone_ref(py))
            }
        };
        match outcome {
            None => Err(self.pending(py)),
            Some(Outcome::Value(_)) => Ok(py.None()),
            Some(Outcome::Error(error, _)) => Ok(error),
            Some(Outcome::Cancelled(message)) => Err(cancelled(py, message.as_ref())),
        }
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        let elapsed = self.elapsed();
        let status = self.state().status.as_str();
        let time = if elapsed > 0.0 { format!(" {elapsed:.3} s") } else { String::new() };
        format!("<Run r{} '{}' {status}{time}>", self.number(), self.name(py))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.engine)?;
        visit.call(&self.process)?;
        visit.call(&self.bridge)?;
        if let Lane::Worker { queue, enter } = &self.lane {
            visit.call(queue)?;
            visit.call(enter)?;
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

    fn __clear__(&self) {
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

/// asyncio's own Python code (gather, and `wait_for` before 3.12) cancels futures by the same
/// method as users do; only the calling frame tells them apart. Not a hot path.
fn called_by_asyncio(py: Python<'_>) -> bool {
    let caller = || -> PyResult<bool> {
        let frame = py.import("sys")?.getattr("_getframe")?.call0()?;
        let name = frame.getattr("f_globals")?.get_item("__name__")?;
        Ok(name.extract::<String>()?.starts_with("asyncio."))
    };
    caller().unwrap_or(false)
}

impl Drop for Run {
    /// Reports a failure that nobody looked at, as asyncio does for its futures.
    fn drop(&mut self) {
        let outcome = {
            let mut state = self.state();
            if !state.unretrieved {
                return;
            }
            state.outcome.take()
        };
        let Some(Outcome::Error(error, _)) = outcome else {
            return;
        };
        Python::try_attach(|py| {
            let message = format!(
                "run r{} of '{}' failed and its exception was never retrieved",
                self.number(),
                self.name(py)
            );
            let report = || -> PyResult<()> {
                let context = PyDict::new(py);
                context.set_item("message", message)?;
                context.set_item("exception", error)?;
                let event_loop = self.bridge.get().event_loop().bind(py);
                event_loop.call_method1("call_exception_handler", (context,)).map(drop)
            };
            if let Err(failure) = report() {
                failure.write_unraisable(py, None);
            }
        });
    }
}

/// Lets the loop of a run know its outcome. A run that nobody awaits yet needs no wake-up.
pub fn push_settle(run: &Bound<'_, Run>) {
    {
        let mut state = run.get().state();
        if state.callbacks.is_empty() && state.waiters.is_empty() {
            state.settled = true;
            return;
        }
    }
    let bridge = run.get().bridge.bind(run.py());
    Bridge::push(bridge, Completion::Settle(run.clone().unbind()));
}
