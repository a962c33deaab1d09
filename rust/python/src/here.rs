//! Where the calling code is: on which loop, in which context, inside which process.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use theus_core::Ticket;

use crate::access::Access;
use crate::bridge::Bridge;
use crate::engine::Engine;
use crate::run::Run;

/// The event loop running in this thread; raises asyncio's own error where there is none.
fn running_loop(py: Python<'_>) -> PyResult<Py<PyAny>> {
    static FUNCTION: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let get = FUNCTION.get_or_try_init(py, || {
        PyResult::Ok(py.import("asyncio")?.getattr("get_running_loop")?.unbind())
    })?;
    get.call0(py)
}

/// `contextvars.copy_context()`.
pub fn copy_context(py: Python<'_>) -> PyResult<Py<PyAny>> {
    static FUNCTION: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let copy = FUNCTION.get_or_try_init(py, || {
        PyResult::Ok(py.import("contextvars")?.getattr("copy_context")?.unbind())
    })?;
    copy.call0(py)
}

/// If we are inside a process, records that it waits for a run. Refuses to close a circle.
pub fn wait_edge(run: &Bound<'_, Run>) -> PyResult<Option<u64>> {
    let py = run.py();
    let engine = run.get().engine.get();
    let access = engine.current.call0(py)?;
    if access.is_none(py) {
        return Ok(None);
    }
    let waiter = access.bind(py).cast::<Access>()?.get().run().get().number();
    let target = run.get().number();
    let circle = engine
        .core()
        .scheduler
        .await_begin(Ticket(waiter), Ticket(target));
    match circle {
        Ok(()) => Ok(Some(waiter)),
        Err(circle) => {
            let circle: Vec<u64> = circle.iter().map(|t| t.0).collect();
            let error = engine
                .hooks
                .call_method1(py, intern!(py, "deadlock"), (run, circle))?;
            Err(PyErr::from_value(error.into_bound(py)))
        }
    }
}

impl Engine {
    /// The bridge of the loop that runs in this thread.
    pub fn bridge_here(&self, py: Python<'_>, usual: &Py<Bridge>) -> PyResult<Py<Bridge>> {
        if usual.get().is_here() {
            return Ok(usual.clone_ref(py));
        }
        let running = running_loop(py)?;
        let bridge = self
            .hooks
            .call_method1(py, intern!(py, "bridge_for"), (running,))?;
        Ok(bridge.bind(py).cast::<Bridge>()?.clone().unbind())
    }

    /// A waiter went away before its run ended.
    pub fn forget_wait(&self, waiter: u64, target: u64) {
        self.core()
            .scheduler
            .await_end(Ticket(waiter), Ticket(target));
    }
}
