//! Done-callbacks of a future: functions with the context they want to be called in.

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;

use crate::bridge::{Bridge, Callback};

/// One callback.
pub struct Entry {
    function: Py<PyAny>,
    context: Option<Py<PyAny>>,
    /// The run that waits by means of it, if it is one of asyncio's own inside a process.
    pub edge: Option<u64>,
}

/// Callbacks in the order in which they were added.
#[derive(Default)]
pub struct Callbacks(Vec<Entry>);

impl Callbacks {
    /// Adds one.
    pub fn add(&mut self, function: Py<PyAny>, context: Option<Py<PyAny>>, edge: Option<u64>) {
        self.0.push(Entry {
            function,
            context,
            edge,
        });
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes all of them out, so that they can be used (and dropped) outside of a lock.
    pub fn take(&mut self) -> Self {
        Self(std::mem::take(&mut self.0))
    }

    /// The functions, to be compared outside of a lock.
    pub fn functions(&self, py: Python<'_>) -> Vec<Py<PyAny>> {
        self.0
            .iter()
            .map(|entry| entry.function.clone_ref(py))
            .collect()
    }

    /// Takes out the first entry of exactly this function.
    pub fn remove(&mut self, function: &Py<PyAny>) -> Option<Entry> {
        let at = self
            .0
            .iter()
            .position(|entry| entry.function.is(function))?;
        Some(self.0.remove(at))
    }

    /// Hands each to the loop; their errors go to the loop's exception handler.
    pub fn schedule(self, bridge: &Bound<'_, Bridge>, future: &Bound<'_, PyAny>) {
        for Entry {
            function, context, ..
        } in self.0
        {
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

    /// Shows the collector what is held.
    pub fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        for entry in &self.0 {
            visit.call(&entry.function)?;
            visit.call(&entry.context)?;
        }
        Ok(())
    }
}

/// Takes out the entries whose function equals one, however the two compare.
///
/// A comparison is somebody's code, so it is made outside of the lock that `remove` takes.
pub fn remove_equal(
    functions: Vec<Py<PyAny>>,
    callback: &Bound<'_, PyAny>,
    remove: impl Fn(&Py<PyAny>) -> Option<Entry>,
) -> PyResult<Vec<Entry>> {
    let mut removed = Vec::new();
    for function in functions {
        if function.bind(callback.py()).eq(callback)? {
            removed.extend(remove(&function));
        }
    }
    Ok(removed)
}
