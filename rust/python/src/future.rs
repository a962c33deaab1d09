//! The asyncio future protocol of a run: what `await`, `gather` and `wait` use.

use std::sync::atomic::Ordering;

use pyo3::intern;
use pyo3::prelude::*;

use crate::bridge::{Bridge, Callback};
use crate::callbacks::remove_equal;
use crate::finish::cancel_run;
use crate::here::{copy_context, wait_edge};
use crate::outcome::{Outcome, cancelled};
use crate::run::{CancelledBy, Run};
use crate::waiter::Waiter;

#[pymethods]
impl Run {
    fn __await__(slf: &Bound<'_, Self>) -> PyResult<Waiter> {
        let py = slf.py();
        let me = slf.get();
        let bridge = me.engine.bind(py).get().bridge_here(py, &me.bridge)?;
        let only_waits = only_waits(slf)?;
        let edge = wait_edge(slf)?;
        Ok(Waiter::new(slf.clone().unbind(), bridge, edge, only_waits))
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
        let asyncios = is_asyncio(&callback);
        let edge = if asyncios {
            // Its cancellation cannot be kept from the run; the cell knows at least what it awaits.
            only_waits(slf)?;
            wait_edge(slf)?
        } else {
            None
        };
        let context = match context {
            // Its functions only pass on what has happened, in whichever context that is.
            None if asyncios => None,
            None => Some(copy_context(py)?),
            given => given,
        };
        {
            let mut state = me.state();
            if !state.settled {
                state.callbacks.add(callback.unbind(), context, edge);
                return Ok(());
            }
        }
        let (function, future) = (callback.unbind(), slf.as_any().clone().unbind());
        let callback = Callback {
            function,
            future,
            context,
        };
        Bridge::call_soon(me.bridge.bind(py), callback);
        Ok(())
    }

    fn remove_done_callback(&self, callback: &Bound<'_, PyAny>) -> PyResult<usize> {
        let functions = self.state().callbacks.functions(callback.py());
        let remove = |function: &Py<PyAny>| self.state().callbacks.remove(function);
        let removed = remove_equal(functions, callback, remove)?;
        for waiter in removed.iter().filter_map(|entry| entry.edge) {
            self.engine.get().forget_wait(waiter, self.number());
        }
        Ok(removed.len())
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
        match self.look(py, true) {
            None => Err(self.pending(py)),
            Some(Outcome::Value(_)) => Ok(py.None()),
            Some(Outcome::Error(error, trace)) => {
                // A raise elsewhere has lengthened it.
                error.setattr(py, intern!(py, "__traceback__"), trace)?;
                Ok(error)
            }
            Some(Outcome::Cancelled(message)) => Err(cancelled(py, message.as_ref())),
        }
    }
}

/// Whether awaiting a run here is only to wait for it. Asked in the context of whoever awaits;
/// nobody needs to ask of most runs.
fn only_waits(run: &Bound<'_, Run>) -> PyResult<bool> {
    let (py, me) = (run.py(), run.get());
    if !me.is_left.load(Ordering::Relaxed) {
        return Ok(false);
    }
    let hooks = me.engine.get().hooks.bind(py);
    hooks
        .call_method1(intern!(py, "only_waits"), (run,))?
        .is_truthy()
}

/// Whether a callback is one of asyncio's own, by which `gather`, `wait` and `wait_for` suspend.
fn is_asyncio(callback: &Bound<'_, PyAny>) -> bool {
    let py = callback.py();
    let module = |function: &Bound<'_, PyAny>| {
        let name = function
            .getattr_opt(intern!(py, "__module__"))
            .ok()
            .flatten();
        name.is_some_and(|name| name.eq(intern!(py, "asyncio.tasks")).unwrap_or(false))
    };
    // wait_for passes a partial of its function.
    let inner = || callback.getattr_opt(intern!(py, "func")).ok().flatten();
    module(callback) || inner().is_some_and(|function| module(&function))
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
