//! What `await run` suspends on.
//!
//! A task that is cancelled must see `CancelledError`, while a run cancelled by its owner must
//! raise `RunCancelledError` at every `await` of it. asyncio tells both through one method,
//! `future.cancel()`. So each `await` gets an object of its own: cancelling *it* can only come
//! from the awaiting task. It also lets a run be awaited on a loop it does not belong to.

use std::sync::{Mutex, MutexGuard, PoisonError};

use pyo3::exceptions::PyStopIteration;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::bridge::{Bridge, Callback, Completion};
use crate::callbacks::{Callbacks, remove_equal};
use crate::finish::cancel_run;
use crate::outcome::cancelled;
use crate::run::{CancelledBy, Run};

#[derive(Default)]
struct State {
    callbacks: Callbacks,
    blocking: bool,
    woken: bool,
    /// Set when the awaiting task was cancelled.
    cancelled: bool,
    /// The message it was given then.
    message: Option<Py<PyAny>>,
    /// The run that awaits, while its wait is an edge of the scheduler's graph.
    edge: Option<u64>,
}

/// One `await` of one run.
#[pyclass(frozen, weakref, module = "theus_nb._core")]
pub struct Waiter {
    run: Py<Run>,
    bridge: Py<Bridge>,
    /// The run is not the awaiting task's to cancel.
    only_waits: bool,
    state: Mutex<State>,
}

impl Waiter {
    /// A waiter for a run on the loop of a bridge; `edge` is the run in whose body we are.
    pub fn new(run: Py<Run>, bridge: Py<Bridge>, edge: Option<u64>, only_waits: bool) -> Self {
        let state = Mutex::new(State {
            edge,
            ..State::default()
        });
        Self {
            run,
            bridge,
            only_waits,
            state,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Called when the run has settled: on the run's loop, or on the waiter's own.
    pub fn wake(slf: &Bound<'_, Self>) {
        let py = slf.py();
        let me = slf.get();
        let callbacks = {
            let mut state = me.state();
            state.woken = true;
            state.callbacks.take()
        };
        me.drop_edge();
        callbacks.schedule(me.bridge.bind(py), slf.as_any());
    }

    /// Passes a settled run on to this waiter, over its own bridge if that is another one.
    pub fn notify(slf: &Bound<'_, Self>, from: Option<&Py<Bridge>>) {
        let py = slf.py();
        let bridge = &slf.get().bridge;
        if from.is_some_and(|from| from.is(bridge)) {
            Self::wake(slf);
        } else {
            Bridge::push(bridge.bind(py), Completion::Wake(slf.clone().unbind()));
        }
    }

    fn note_cancelled(&self, message: Option<Py<PyAny>>) {
        let mut state = self.state();
        state.cancelled = true;
        state.message = message;
    }

    /// Ends the wait and leaves the run alone, which keeps nothing of whoever has gone.
    fn leave(slf: &Bound<'_, Self>, message: Option<Py<PyAny>>) {
        let me = slf.get();
        me.note_cancelled(message);
        me.run
            .get()
            .state()
            .waiters
            .retain(|waiter| !waiter.is(slf));
        Self::wake(slf);
    }

    fn drop_edge(&self) {
        let edge = self.state().edge.take();
        if let Some(waiter) = edge {
            let run = self.run.get();
            run.engine.get().forget_wait(waiter, run.number());
        }
    }

    fn value(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let (is_cancelled, message) = {
            let state = self.state();
            (
                state.cancelled,
                state.message.as_ref().map(|message| message.clone_ref(py)),
            )
        };
        if is_cancelled {
            // The awaiting task asked for the end of the run, so it has seen how it ended.
            if !self.only_waits {
                self.run.get().mark_retrieved();
            }
            return Err(cancelled(py, message.as_ref()));
        }
        self.run.get().value(py)
    }
}

#[pymethods]
impl Waiter {
    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __next__(slf: &Bound<'_, Self>) -> PyResult<Py<Self>> {
        let me = slf.get();
        if !me.done() {
            me.state().blocking = true;
            return Ok(slf.clone().unbind());
        }
        let value = me.value(slf.py())?;
        Err(PyStopIteration::new_err((value,)))
    }

    #[getter(_asyncio_future_blocking)]
    fn future_blocking(&self) -> bool {
        self.state().blocking
    }

    #[setter(_asyncio_future_blocking)]
    fn set_future_blocking(&self, value: bool) {
        self.state().blocking = value;
    }

    /// A foreign coroutine drives the wait by hand.
    fn send(slf: &Bound<'_, Self>, _value: &Bound<'_, PyAny>) -> PyResult<Py<Self>> {
        Self::__next__(slf)
    }

    /// The wait ends with an exception from outside.
    #[pyo3(signature = (error, *_details))]
    fn throw(&self, error: Bound<'_, PyAny>, _details: &Bound<'_, PyTuple>) -> PyResult<()> {
        self.drop_edge();
        Err(PyErr::from_value(error))
    }

    /// The wait is given up.
    fn close(&self) {
        self.drop_edge();
    }

    fn get_loop(&self, py: Python<'_>) -> Py<PyAny> {
        self.bridge.get().event_loop().clone_ref(py)
    }

    #[pyo3(signature = (callback, /, *, context = None))]
    fn add_done_callback(
        slf: &Bound<'_, Self>,
        callback: Bound<'_, PyAny>,
        context: Option<Py<PyAny>>,
    ) {
        let me = slf.get();
        if me.done() {
            let (function, future) = (callback.unbind(), slf.as_any().clone().unbind());
            let callback = Callback {
                function,
                future,
                context,
            };
            Bridge::call_soon(me.bridge.bind(slf.py()), callback);
            return;
        }
        me.state().callbacks.add(callback.unbind(), context, None);
        // Registered late, so that a waiter nobody suspends on costs the run nothing.
        Run::add_waiter(me.run.bind(slf.py()), slf);
    }

    fn remove_done_callback(&self, callback: &Bound<'_, PyAny>) -> PyResult<usize> {
        let functions = self.state().callbacks.functions(callback.py());
        let remove = |function: &Py<PyAny>| self.state().callbacks.remove(function);
        Ok(remove_equal(functions, callback, remove)?.len())
    }

    /// The awaiting task is cancelled: the run is cancelled with it, unless it is another cell's.
    #[pyo3(signature = (msg = None))]
    fn cancel(slf: &Bound<'_, Self>, msg: Option<Py<PyAny>>) -> PyResult<bool> {
        let (py, me) = (slf.py(), slf.get());
        if me.done() {
            return Ok(false);
        }
        let run = me.run.get();
        if me.only_waits {
            Self::leave(slf, msg);
            return Ok(true);
        }
        let over = !cancel_run(me.run.bind(py), CancelledBy::Waiter)?;
        // It may have ended and wait for the disk, which takes its time: its awaiter need not.
        if over && !(run.has_ended() && run.engine.get().is_durable()) {
            return Ok(false);
        }
        me.note_cancelled(msg);
        if over {
            Self::wake(slf);
        }
        Ok(true)
    }

    fn cancelled(&self) -> bool {
        self.done() && self.state().cancelled
    }

    fn done(&self) -> bool {
        // A run on another loop is over for this loop only when its own bridge has said so.
        self.state().woken || self.run.get().settled()
    }

    fn result(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.value(py)
    }

    fn exception(&self, py: Python<'_>) -> Py<PyAny> {
        match self.value(py) {
            Ok(_) => py.None(),
            Err(error) => error.into_value(py).into_any(),
        }
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.run)?;
        visit.call(&self.bridge)?;
        // Locked means that this very thread is inside one of the short sections above; leaving
        // the fields out of one collection only keeps them alive until the next.
        match self.state.try_lock() {
            Ok(state) => state.callbacks.traverse(&visit),
            Err(_) => Ok(()),
        }
    }

    fn __clear__(&self) {
        let _dropped = self.state().callbacks.take();
    }
}

impl Drop for Waiter {
    /// A waiter that is thrown away (its task was cancelled or destroyed) waits no more.
    fn drop(&mut self) {
        if self.state().edge.is_some() {
            Python::try_attach(|_| self.drop_edge());
        }
    }
}
