//! What became of a run, and how it is handed to whoever asks.

use pyo3::exceptions::asyncio::CancelledError;
use pyo3::prelude::*;
use pyo3::types::PyTraceback;

/// The end of a run.
pub enum Outcome {
    /// The value its function returned.
    Value(Py<PyAny>),
    /// The exception it ended with, and its traceback at that moment.
    Error(Py<PyAny>, Option<Py<PyTraceback>>),
    /// Cancelled through asyncio (a task or a gather), with the message given there.
    Cancelled(Option<Py<PyAny>>),
}

impl Outcome {
    /// Wraps an exception instance.
    pub fn error(error: &Bound<'_, PyAny>) -> Self {
        let trace = PyErr::from_value(error.clone()).traceback(error.py());
        Self::Error(error.clone().unbind(), trace.map(Bound::unbind))
    }

    /// Returns the value or raises.
    ///
    /// Each raise would lengthen the exception's traceback; it is put back to what it was, so
    /// that the tenth reader of a failed run sees what the first one saw.
    pub fn get(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        match self {
            Self::Value(value) => Ok(value.clone_ref(py)),
            Self::Error(error, trace) => {
                let raised = PyErr::from_value(error.bind(py).clone());
                raised.set_traceback(py, trace.as_ref().map(|t| t.bind(py).clone()));
                Err(raised)
            }
            Self::Cancelled(message) => Err(cancelled(py, message.as_ref())),
        }
    }

    /// A second handle on the same outcome.
    pub fn clone_ref(&self, py: Python<'_>) -> Self {
        match self {
            Self::Value(value) => Self::Value(value.clone_ref(py)),
            Self::Error(error, trace) => {
                Self::Error(error.clone_ref(py), trace.as_ref().map(|t| t.clone_ref(py)))
            }
            Self::Cancelled(message) => Self::Cancelled(message.as_ref().map(|m| m.clone_ref(py))),
        }
    }
}

/// A `CancelledError` with the message given to `cancel()`.
pub fn cancelled(py: Python<'_>, message: Option<&Py<PyAny>>) -> PyErr {
    match message {
        Some(message) => CancelledError::new_err((message.clone_ref(py),)),
        None => CancelledError::new_err(()),
    }
}
