//! Raising the exceptions of `theus_nb.errors`.
//!
//! The classes live in Python, where they are documented and drawn as a tree; they are looked up
//! only when something goes wrong, so importing `_core` costs nothing for them.

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

/// Builds one of the exceptions of `theus_nb.errors`.
pub fn theus_error(py: Python<'_>, class: &str, message: &str) -> PyErr {
    let made = py
        .import("theus_nb.errors")
        .and_then(|module| module.getattr(class))
        .and_then(|class| class.call1((message,)));
    match made {
        Ok(value) => PyErr::from_value(value),
        // Only an incomplete installation gets here; the message must not be lost with it.
        Err(_) => PyRuntimeError::new_err(message.to_owned()),
    }
}
