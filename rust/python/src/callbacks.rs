//! Done-callbacks of a future: functions with the context they want to be called in.

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;

use crate::bridge::{Bridge, Callback};

/// Callbacks in the order in which they were added.
#[derive(Default)]
pub struct Callbacks(Vec<(Py<PyAny>, Option<Py<PyAny>>)>);

impl Callbacks {
    /// Adds one.
    pub fn add(&mut self, callback: Py<PyAny>, context: Option<Py<PyAny>>) {
        self.0.push((callback, context));
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes all of them out, so that they can be used (and dropped) outside of a lock.
    pub fn take(&mut self) -> Self {
        Self(std::mem::take(&mut self.0))
    }

    /// Hands each to the loop; their errors go to the loop's exception handler.
    pub fn schedule(self, bridge: &Bound<'_, Bridge>, future: &Bound<'_, PyAny>) {
        for (function, context) in self.0 {
            let future = future.clone().unbind();
            Bridge::call_soon(
                bridge,
                Callback {
                    function,
                    future,
                    context,
                },
            );
        }
    }

    /// The callbacks that are not equal to one, and how many were.
    pub fn without(self, callback: &Bound<'_, PyAny>) -> PyResult<(Self, usize)> {
        let before = self.0.len();
        let mut kept = Vec::with_capacity(before);
        for entry in self.0 {
            if !entry.0.bind(callback.py()).eq(callback)? {
                kept.push(entry);
            }
        }
        let removed = before - kept.len();
        Ok((Self(kept), removed))
    }

    /// Shows the collector what is held.
    pub fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        for (callback, context) in &self.0 {
            visit.call(callback)?;
            visit.call(context)?;
        }
        Ok(())
    }
}
