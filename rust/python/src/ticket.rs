//! What an operation of the disk is known by until it is done: its result, and who is to be told.
//!
//! The operation runs on threads that know no Python: they leave the result here, and wake a loop through its bridge or
//! a blocked thread through a descriptor. A thread blocks in Python, on that descriptor: below a Rust frame it would be
//! unwound from outside if the interpreter exits meanwhile.

use std::ffi::OsString;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pyo3::prelude::*;
use pyo3::types::{PyList, PyTuple};
use theus_core::audit::AuditFailed;
use theus_core::files::{Failure, Written};

use crate::audit::write_error;
use crate::bridge::{Bridge, Completion};
use crate::errors::theus_error;
use crate::files::{DraftFile, StagedFile};
use crate::wakeup::Wakeup;

/// What an operation leaves.
pub enum Outcome {
    Nothing,
    Draft(DraftFile),
    Staged(StagedFile),
    Published(Vec<Written>, Vec<Failure>),
    Failed(Failure),
    /// The audit log cannot be written.
    NotWritten(AuditFailed),
    /// The runtime ended before it was done.
    Lost,
}

enum Tell {
    Loop(Py<Bridge>, Py<PyAny>, Py<PyTuple>),
    Thread(Wakeup),
}

#[derive(Default)]
struct State {
    done: bool,
    /// Nobody will take the result.
    forgotten: bool,
    outcome: Option<Outcome>,
    tell: Option<Tell>,
}

/// Shared by the ticket and the operation.
#[derive(Default)]
pub struct Slot(Mutex<State>);

impl Slot {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Leaves the result and tells whoever waits. On any thread.
    pub fn finish(&self, outcome: Outcome) {
        // Dropped without the lock: a temporary goes with it.
        let mut unwanted = None;
        let told = {
            let mut state = self.state();
            state.done = true;
            if state.forgotten {
                unwanted = Some(outcome);
            } else {
                state.outcome = Some(outcome);
            }
            match state.tell.take() {
                Some(Tell::Thread(wakeup)) => {
                    wakeup.signal();
                    // Open for as long as the thread may look at its number.
                    state.tell = Some(Tell::Thread(wakeup));
                    None
                }
                other => other,
            }
        };
        drop(unwanted);
        if let Some(Tell::Loop(bridge, function, arguments)) = told {
            Bridge::push_from_outside(bridge, Completion::Call(function, arguments));
        }
    }
}

/// One operation of `FileWriter`, `DraftFile` or `AuditLog`.
#[pyclass(frozen, module = "theus_nb._core")]
pub struct Ticket(Arc<Slot>);

impl Ticket {
    /// A ticket, and the slot that the operation finishes.
    pub fn new() -> (Self, Arc<Slot>) {
        let slot = Arc::new(Slot::default());
        (Self(Arc::clone(&slot)), slot)
    }
}

/// `(path, bytes, sha256)`. Python takes a path that is not UTF-8 as `os.fsdecode` does, and so finds the file again.
pub fn row(written: &Written) -> (OsString, u64, String) {
    use std::fmt::Write;
    let digest = written.sha256.iter().fold(String::new(), |mut hex, byte| {
        // Writing to a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    let path = written.path.clone().into_os_string();
    (path, written.bytes, digest)
}

/// `theus_nb.file_paths.failure(...)` finds the words; it is asked only when something went wrong.
fn raised(py: Python<'_>, failure: &Failure) -> PyErr {
    let arguments = (
        failure.path.clone(),
        failure.step.as_str(),
        format!("{:?}", failure.error.kind()),
        failure.error.raw_os_error(),
        failure.error.to_string(),
    );
    py.import("theus_nb.file_paths")
        .and_then(|module| module.getattr("failure"))
        .and_then(|function| function.call1(arguments))
        .map_or_else(|error| error, PyErr::from_value)
}

#[pymethods]
impl Ticket {
    /// Has a function called on a loop when it is done; false if it is.
    #[pyo3(signature = (bridge, function, *arguments))]
    fn tell(&self, bridge: Py<Bridge>, function: Py<PyAny>, arguments: Py<PyTuple>) -> bool {
        let mut state = self.0.state();
        if !state.done {
            state.tell = Some(Tell::Loop(bridge, function, arguments));
            return true;
        }
        false
    }

    /// The number of a descriptor that becomes readable when it is done; None if it is.
    fn descriptor(&self) -> PyResult<Option<i32>> {
        let wakeup = Wakeup::open()?;
        let number = wakeup.number();
        let mut state = self.0.state();
        if state.done {
            return Ok(None);
        }
        state.tell = Some(Tell::Thread(wakeup));
        Ok(Some(number))
    }

    /// Drops the result, now or when it comes: a temporary is removed.
    fn forget(&self) {
        let _dropped = {
            let mut state = self.0.state();
            state.forgotten = true;
            state.outcome.take()
        };
    }

    /// Whether it is done.
    #[getter]
    fn done(&self) -> bool {
        self.0.state().done
    }

    /// Takes the result, or raises what went wrong.
    fn take(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let outcome = self.0.state().outcome.take();
        match outcome {
            Some(Outcome::Nothing) => Ok(py.None()),
            Some(Outcome::Draft(draft)) => Ok(Py::new(py, draft)?.into_any()),
            Some(Outcome::Staged(staged)) => Ok(Py::new(py, staged)?.into_any()),
            Some(Outcome::Published(written, failed)) => {
                let written = PyList::new(py, written.iter().map(row))?;
                let errors = failed
                    .iter()
                    .map(|failure| raised(py, failure).into_value(py));
                let errors = PyList::new(py, errors)?;
                Ok((written, errors).into_pyobject(py)?.into_any().unbind())
            }
            Some(Outcome::Failed(failure)) => Err(raised(py, &failure)),
            Some(Outcome::NotWritten(failed)) => Err(write_error(py, &failed)),
            Some(Outcome::Lost) | None => Err(theus_error(
                py,
                "FileWriteError",
                "the file was not written: the session's disk thread has ended",
            )),
        }
    }
}
