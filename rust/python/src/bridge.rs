//! Completions on their way to an event loop: one bridge per loop, one wake-up per batch.
//!
//! A worker that finishes a run pushes it here and goes on; the first push of a batch makes the
//! loop's selector return, later ones find it already woken. The loop then drains the queue. The
//! drain runs no continuation itself: it hands callbacks to `loop.call_soon`, because a
//! continuation may re-enter the loop and drain again.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

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

struct State {
    queue: VecDeque<Completion>,
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

    /// Schedules a callback on the loop, in its context. A closed loop drops it, as asyncio does.
    pub fn call_soon(
        &self,
        py: Python<'_>,
        callback: &Bound<'_, PyAny>,
        argument: &Bound<'_, PyAny>,
        context: Option<&Py<PyAny>>,
    ) {
        let options = pyo3::types::PyDict::new(py);
        if let Some(context) = context {
            let _ = options.set_item(intern!(py, "context"), context);
        }
        let _ = self.call_soon.call(py, (callback, argument), Some(&options));
    }
}

#[pymethods]
impl Bridge {
    #[new]
    fn new(event_loop: Bound<'_, PyAny>) -> PyResult<Self> {
        Ok(Self {
            call_soon: event_loop.getattr(intern!(event_loop.py(), "call_soon"))?.unbind(),
            event_loop: event_loop.unbind(),
            state: Mutex::new(State {
                queue: VecDeque::new(),
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
