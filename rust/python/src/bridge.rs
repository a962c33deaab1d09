//! Completions on their way to an event loop: one bridge per loop, one wake-up per batch.
//!
//! A worker that finishes a run pushes it here and goes on; the first push of a batch makes the
//! loop's selector return, later ones find it already woken. The loop then drains the queue. The
//! drain runs no continuation itself: it hands callbacks to `loop.call_soon`, because a
//! continuation may re-enter the loop and drain again.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::ThreadId;
use std::time::Instant;

use pyo3::exceptions::{PyKeyboardInterrupt, PySystemExit};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::run::Run;
use crate::waiter::Waiter;
use crate::wakeup::Wakeup;

/// One thing to be done on the loop's thread.
pub enum Completion {
    /// The outcome of a run becomes visible to whoever awaits it.
    Settle(Py<Run>),
    /// A waiter that lives on this loop while its run lives on another.
    Wake(Py<Waiter>),
    /// A function of the engine that must run on the loop's thread.
    Call(Py<PyAny>, Py<PyTuple>),
}

/// A done-callback: the function, the future it is called with, the context it runs in.
pub struct Callback {
    pub function: Py<PyAny>,
    pub future: Py<PyAny>,
    pub context: Option<Py<PyAny>>,
}

impl Callback {
    fn call(&self, py: Python<'_>) -> PyResult<()> {
        let future = self.future.bind(py);
        match &self.context {
            Some(context) => {
                let run = intern!(py, "run");
                context
                    .bind(py)
                    .call_method1(run, (&self.function, future))
                    .map(drop)
            }
            None => self.function.bind(py).call1((future,)).map(drop),
        }
    }

    /// Tells the loop's exception handler, in the words of asyncio's own handles.
    fn report(&self, py: Python<'_>, event_loop: &Py<PyAny>, error: PyErr) -> PyResult<()> {
        let context = PyDict::new(py);
        let message = format!("Exception in callback {}", self.function.bind(py).repr()?);
        context.set_item("message", message)?;
        context.set_item("exception", error.into_value(py))?;
        context.set_item("future", &self.future)?;
        event_loop
            .call_method1(py, intern!(py, "call_exception_handler"), (context,))
            .map(drop)
    }
}

/// Asks a loop whether it still turns.
#[derive(Default)]
pub struct Ping {
    /// When the loop came by, and how many completions had been waiting for it.
    pub answer: OnceLock<(Instant, usize)>,
}

struct State {
    queue: VecDeque<Completion>,
    /// Questions the next drain answers.
    pings: Vec<Arc<Ping>>,
    /// Done-callbacks that the loop is going to call.
    callbacks: VecDeque<Callback>,
    /// A handle of the loop's that will call them is on its way.
    runner_scheduled: bool,
    /// The loop has been woken and has not drained yet.
    signalled: bool,
    wake: Wake,
}

enum Wake {
    /// Registered with the loop's selector.
    Descriptor(Wakeup),
    /// Loops without `add_reader` (Windows' proactor): `call_soon_threadsafe` once per batch.
    Threadsafe,
    Closed,
}

/// Carries completions from any thread to one event loop.
#[pyclass(frozen, weakref, module = "theus_nb._core")]
pub struct Bridge {
    event_loop: Py<PyAny>,
    call_soon: Py<PyAny>,
    /// The loop's thread: bridges are made there.
    thread: ThreadId,
    /// The same as Python numbers it.
    ident: u64,
    /// Held for a push, a pop or one non-blocking write; never while Python code runs.
    state: Mutex<State>,
}

impl Bridge {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The loop this bridge leads to.
    pub fn event_loop(&self) -> &Py<PyAny> {
        &self.event_loop
    }

    /// Whether this thread is the loop's. A thread has one running loop, and asking asyncio which
    /// costs a system call before Python 3.12.
    pub fn is_here(&self) -> bool {
        self.thread == std::thread::current().id() && !matches!(self.state().wake, Wake::Closed)
    }

    /// Queues a completion and makes sure that the loop wakes up for it.
    pub fn push(slf: &Bound<'_, Self>, completion: Completion) {
        let me = slf.get();
        let closed = {
            let mut state = me.state();
            state.queue.push_back(completion);
            if state.signalled {
                return;
            }
            state.signalled = true;
            match &state.wake {
                Wake::Descriptor(wakeup) => {
                    wakeup.signal();
                    return;
                }
                Wake::Threadsafe => false,
                Wake::Closed => true,
            }
        };
        let py = slf.py();
        let posted = !closed
            && slf
                .getattr(intern!(py, "drain"))
                .and_then(|drain| {
                    let post = intern!(py, "call_soon_threadsafe");
                    me.event_loop.bind(py).call_method1(post, (drain,))
                })
                .is_ok();
        if !posted {
            // The loop is closed: nobody can be called back, but outcomes must not stay unknown.
            me.drain(py);
        }
    }

    /// Has the loop answer a ping at its next turn; needs no interpreter. False where only a
    /// descriptor could wake the loop, and there is none.
    pub fn ping(&self, ping: Arc<Ping>) -> bool {
        let mut state = self.state();
        let Wake::Descriptor(wakeup) = &state.wake else {
            return false;
        };
        if !state.signalled {
            wakeup.signal();
        }
        state.signalled = true;
        state.pings.push(ping);
        true
    }

    /// Does the same from a thread that does not hold the interpreter, and need not where the loop has a descriptor.
    pub fn push_from_outside(bridge: Py<Self>, completion: Completion) {
        let bare = {
            let mut state = bridge.get().state();
            if let Wake::Descriptor(wakeup) = &state.wake {
                wakeup.signal();
                state.signalled = true;
                state.queue.push_back(completion);
                None
            } else {
                Some(completion)
            }
        };
        if let Some(completion) = bare {
            Python::try_attach(|py| Self::push(bridge.bind(py), completion));
        }
    }

    /// Has a callback called on the loop, in its context. On the loop's thread.
    ///
    /// One handle of the loop's serves all that come together: making one each costs more than
    /// most callbacks do. A closed loop calls nobody, as in asyncio.
    pub fn call_soon(slf: &Bound<'_, Self>, callback: Callback) {
        let schedule = {
            let mut state = slf.get().state();
            state.callbacks.push_back(callback);
            !std::mem::replace(&mut state.runner_scheduled, true)
        };
        if schedule {
            Self::schedule_runner(slf);
        }
    }

    fn schedule_runner(slf: &Bound<'_, Self>) {
        let py = slf.py();
        let scheduled = slf
            .getattr(intern!(py, "run_callbacks"))
            .and_then(|run| slf.get().call_soon.call1(py, (run,)));
        if scheduled.is_err() {
            let dropped = {
                let mut state = slf.get().state();
                state.runner_scheduled = false;
                std::mem::take(&mut state.callbacks)
            };
            drop(dropped);
        }
    }
}

#[pymethods]
impl Bridge {
    #[new]
    fn new(event_loop: Bound<'_, PyAny>) -> PyResult<Self> {
        Ok(Self {
            call_soon: event_loop
                .getattr(intern!(event_loop.py(), "call_soon"))?
                .unbind(),
            event_loop: event_loop.clone().unbind(),
            thread: std::thread::current().id(),
            ident: event_loop
                .py()
                .import("threading")?
                .call_method0("get_ident")?
                .extract()?,
            state: Mutex::new(State {
                queue: VecDeque::new(),
                pings: Vec::new(),
                callbacks: VecDeque::new(),
                runner_scheduled: false,
                signalled: false,
                wake: Wake::Threadsafe,
            }),
        })
    }

    /// Opens the descriptor to be given to `loop.add_reader`; the caller registers it.
    fn open(&self) -> PyResult<i32> {
        let wakeup = Wakeup::open()?;
        let number = wakeup.number();
        self.state().wake = Wake::Descriptor(wakeup);
        Ok(number)
    }

    /// The loop's thread, as `threading.get_ident` numbers it.
    #[getter]
    fn thread(&self) -> u64 {
        self.ident
    }

    /// The number given to `add_reader`; None where there is none.
    #[getter]
    fn descriptor(&self) -> Option<i32> {
        match &self.state().wake {
            Wake::Descriptor(wakeup) => Some(wakeup.number()),
            _ => None,
        }
    }

    /// Goes back to one `call_soon_threadsafe` per batch (the loop has no `add_reader`).
    fn use_threadsafe(&self) {
        self.state().wake = Wake::Threadsafe;
    }

    /// Closes the descriptor; what still arrives is settled without calling anybody back.
    fn close(&self, py: Python<'_>) {
        self.state().wake = Wake::Closed;
        self.drain(py);
    }

    /// Handles everything queued. Runs on the loop's thread, calls no continuation.
    fn drain(&self, py: Python<'_>) {
        {
            let mut state = self.state();
            if let Wake::Descriptor(wakeup) = &state.wake {
                wakeup.clear();
            }
            state.signalled = false;
            let waiting = state.queue.len();
            for ping in state.pings.drain(..) {
                let _ = ping.answer.set((Instant::now(), waiting));
            }
        }
        // One at a time, so that a nested drain finds the rest in order.
        loop {
            let Some(next) = self.state().queue.pop_front() else {
                return;
            };
            match next {
                Completion::Settle(run) => Run::settle(run.bind(py)),
                Completion::Wake(waiter) => Waiter::wake(waiter.bind(py)),
                Completion::Call(function, arguments) => {
                    if let Err(error) = function.call1(py, arguments.bind(py)) {
                        error.write_unraisable(py, Some(function.bind(py)));
                    }
                }
            }
        }
    }

    /// Calls the done-callbacks that are waiting. Scheduled by the bridge itself.
    fn run_callbacks(slf: &Bound<'_, Self>) -> PyResult<()> {
        let py = slf.py();
        let me = slf.get();
        me.state().runner_scheduled = false;
        loop {
            let (callback, more) = {
                let mut state = me.state();
                let Some(callback) = state.callbacks.pop_front() else {
                    return Ok(());
                };
                // A callback may enter the loop again and wait there for one of the others:
                // a second runner, scheduled before it is called, then finds them.
                let more = !state.callbacks.is_empty() && !state.runner_scheduled;
                state.runner_scheduled |= more;
                (callback, more)
            };
            if more {
                Self::schedule_runner(slf);
            }
            if let Err(error) = callback.call(py) {
                if error.is_instance_of::<PyKeyboardInterrupt>(py)
                    || error.is_instance_of::<PySystemExit>(py)
                {
                    return Err(error);
                }
                callback.report(py, &me.event_loop, error)?;
            }
        }
    }

    /// Has a function called on the loop's thread, from any thread.
    #[pyo3(signature = (function, *arguments))]
    fn post(slf: &Bound<'_, Self>, function: Py<PyAny>, arguments: Py<PyTuple>) {
        Self::push(slf, Completion::Call(function, arguments));
    }

    /// The event loop.
    #[getter(event_loop)]
    fn get_event_loop(&self, py: Python<'_>) -> Py<PyAny> {
        self.event_loop.clone_ref(py)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.event_loop)?;
        visit.call(&self.call_soon)
    }
}
