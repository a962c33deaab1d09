//! Raising the exceptions of `theus_nb.errors`.
//!
//! The classes live in Python, where they are documented and drawn as a tree; they are looked up
//! only when something goes wrong, so importing `_core` costs nothing for them.

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// Builds one of the exceptions of `theus_nb.errors`.
pub fn theus_error(py: Python<'_>, class: &str, message: &str) -> PyErr {
    build(py, class, message, &PyDict::new(py))
}

/// Builds one that names a process, and a run if there is one.
pub fn run_error(
    py: Python<'_>,
    class: &str,
    message: &str,
    process: &str,
    run: Option<u64>,
) -> PyErr {
    let fields = PyDict::new(py);
    let filled = fields
        .set_item("process", process)
        .and_then(|()| match run {
            Some(number) => fields.set_item("run_id", format!("r{number}")),
            None => Ok(()),
        });
    filled.map_or_else(|error| error, |()| build(py, class, message, &fields))
}

/// Builds one with these further fields.
pub fn build(py: Python<'_>, class: &str, message: &str, fields: &Bound<'_, PyDict>) -> PyErr {
    let made = py
        .import("theus_nb.errors")
        .and_then(|module| module.getattr(class))
        .and_then(|class| class.call((message,), Some(fields)));
    match made {
        Ok(value) => PyErr::from_value(value),
        // Only an incomplete installation gets here; the message must not be lost with it.
        Err(_) => PyRuntimeError::new_err(message.to_owned()),
    }
}
