//! Stopping a body that runs in a worker thread: an exception is raised in it from outside.
//!
//! Python can do that, and it is dangerous: the exception appears at whatever the thread executes
//! next. In the machinery around the body it loses a run or ends a lane; in an import or below a
//! lock of `logging` it leaves half-done work for everybody. So the thread is looked at first,
//! and left alone unless it is inside the body and inside nothing of that kind.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use pyo3::ffi;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use crate::lane::Lane;
use crate::run::Run;

/// Modules whose code must not be interrupted, with everything beneath them.
const SHIELDED: [&str; 5] = [
    "theus_nb",
    "importlib",
    "_frozen_importlib",
    "logging",
    "ipykernel.iostream",
];

/// Our own code between the engine and the statements of a cell: nothing can be lost there.
const PASSED: [&str; 3] = [
    "theus_nb.notebook.cell",
    "theus_nb.notebook.figures",
    "theus_nb.notebook.namespace",
];

/// The function of the engine that calls bodies.
const CALLER: &str = "execute";

#[pymethods]
impl Lane {
    /// Notes that this thread executes a run inside the body of another one.
    fn enter(&self, run: Py<Run>) {
        self.running().push(run);
    }

    /// Notes its end.
    fn leave(&self, run: &Bound<'_, Run>) {
        let ended = {
            let mut running = self.running();
            let place = running.iter().rposition(|other| other.is(run));
            place.map(|place| running.remove(place))
        };
        drop(ended);
    }

    /// Whether this thread executes a run, however deep inside others.
    fn holds(&self, run: &Bound<'_, Run>) -> bool {
        self.running().iter().any(|other| other.is(run))
    }

    /// The run whose body this thread is in; None between runs.
    #[getter]
    fn innermost(&self, py: Python<'_>) -> Option<Py<Run>> {
        self.running().last().map(|run| run.clone_ref(py))
    }

    /// Raises an exception in the body of a run, if this thread is in it and may be disturbed.
    ///
    /// Returns false where it may not be just now: ask again in a few milliseconds. Delivered at
    /// the body's next bytecode; a call into C that does not return is not disturbed by it.
    fn interrupt(
        &self,
        py: Python<'_>,
        run: &Bound<'_, Run>,
        error: &Bound<'_, PyAny>,
    ) -> PyResult<bool> {
        // Making frame objects may start the collector before Python 3.12, and a finalizer could
        // hand the interpreter to the very thread that is being looked at.
        let collector = py.import(intern!(py, "gc"))?;
        let enabled: bool = collector
            .call_method0(intern!(py, "isenabled"))?
            .extract()?;
        collector.call_method0(intern!(py, "disable"))?;
        let raised = self.interrupt_now(py, run, error);
        if enabled {
            collector.call_method0(intern!(py, "enable"))?;
        }
        raised
    }
}

impl Lane {
    fn interrupt_now(
        &self,
        py: Python<'_>,
        run: &Bound<'_, Run>,
        error: &Bound<'_, PyAny>,
    ) -> PyResult<bool> {
        let thread = self.thread.load(Ordering::Relaxed);
        let inside = self.running().last().is_some_and(|last| last.is(run));
        if !inside || run.get().state().outcome.is_some() {
            return Ok(false);
        }
        // Asked before the frames are looked at: a body that is told in our code cannot have left
        // it before it is known here.
        if run.get().state().told == thread {
            return Ok(true);
        }
        if !in_body(py, thread)? {
            return Ok(false);
        }
        self.disturbed.store(true, Ordering::Relaxed);
        let Ok(thread) = std::ffi::c_long::try_from(thread) else {
            return Ok(false);
        };
        // SAFETY: the interpreter is held (`py`), which is all that the call asks for; the object
        // is alive for its duration, and the interpreter takes a reference of its own. A thread
        // that does not exist any more is not found, and nothing happens.
        #[allow(unsafe_code)]
        let found = unsafe { ffi::PyThreadState_SetAsyncExc(thread, error.as_ptr()) };
        Ok(found > 0)
    }

    pub fn running(&self) -> std::sync::MutexGuard<'_, Vec<Py<Run>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes back an exception that came too late, and forgets the runs that have ended. In the
    /// lane's own thread, between two runs.
    ///
    /// Returns the run that this thread took from the queue.
    pub fn clear(&self, _py: Python<'_>) -> Option<Py<Run>> {
        if self.disturbed.swap(false, Ordering::Relaxed) {
            let thread = self.thread.load(Ordering::Relaxed);
            if let Ok(thread) = std::ffi::c_long::try_from(thread) {
                // SAFETY: as above; null clears what is pending.
                #[allow(unsafe_code)]
                let _found =
                    unsafe { ffi::PyThreadState_SetAsyncExc(thread, std::ptr::null_mut()) };
            }
        }
        let mut first = None;
        loop {
            // Dropped outside of the lock: dropping may run anybody's code.
            let last = self.running().pop();
            match last {
                Some(run) => first = Some(run),
                None => return first,
            }
        }
    }

    /// Notes the thread that serves this lane; called there.
    pub fn settle_in(&self, py: Python<'_>) -> PyResult<()> {
        if self.thread.load(Ordering::Relaxed) == 0 {
            self.thread.store(this_thread(py)?, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// The interpreter's number for the present thread; never 0.
pub fn this_thread(py: Python<'_>) -> PyResult<u64> {
    py.import(intern!(py, "threading"))?
        .call_method0(intern!(py, "get_ident"))?
        .extract()
}

/// Whether a thread is in the body of a run, and in nothing that must be left alone.
///
/// Only attributes in C are read here: no bytecode runs, so the thread stands still meanwhile.
fn in_body(py: Python<'_>, thread: u64) -> PyResult<bool> {
    let frames = py
        .import(intern!(py, "sys"))?
        .call_method0(intern!(py, "_current_frames"))?
        .cast_into::<PyDict>()?;
    let mut next = frames.get_item(thread)?;
    let mut is_inside = false;
    while let Some(frame) = next.filter(|frame| !frame.is_none()) {
        let module = frame
            .getattr(intern!(py, "f_globals"))?
            .cast_into::<PyDict>()?
            .get_item(intern!(py, "__name__"))?;
        let module = module.and_then(|name| name.cast_into::<PyString>().ok());
        let module = module
            .as_ref()
            .map_or(Ok(""), |name| name.to_str())?
            .to_owned();
        if belongs(&module, &["theus_nb"]) {
            let code = frame.getattr(intern!(py, "f_code"))?;
            let name: String = code.getattr(intern!(py, "co_name"))?.extract()?;
            if name == CALLER {
                return Ok(is_inside);
            }
        }
        if belongs(&module, &SHIELDED) && !PASSED.contains(&module.as_str()) {
            return Ok(false);
        }
        is_inside = true;
        next = Some(frame.getattr(intern!(py, "f_back"))?);
    }
    Ok(false)
}

fn belongs(module: &str, packages: &[&str]) -> bool {
    packages.iter().any(|package| {
        module
            .strip_prefix(package)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    })
}
