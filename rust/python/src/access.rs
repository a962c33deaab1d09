//! One run's access to the state, the half that every run passes.
//!
//! Whatever is neither there nor declared is left to the functions of `theus_nb.access`: what
//! has children, what violates the contract, and the words for it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{
    PyBool, PyBytes, PyComplex, PyDict, PyFloat, PyFrozenSet, PyInt, PyList, PyModule, PySet,
    PyString, PyTuple,
};

use crate::context::Context;
use crate::finish;
use crate::layout::{Layout, Returned};
use crate::run::Run;

/// What one run was given and wrote. Dicts are made when they are first needed.
#[derive(Default)]
struct Layers {
    writes: Option<Py<PyDict>>,
    children_writes: Option<Py<PyDict>>,
    reads: Option<Py<PyDict>>,
    definitions: Option<Py<PyDict>>,
    published: Option<Py<PyDict>>,
    violation: Option<Py<PyAny>>,
    hand_over: Option<Py<PyAny>>,
    staged: Option<Py<PyAny>>,
    interrupts: Option<Py<PyAny>>,
    ended: bool,
}

/// Reads and writes of one run, checked against its contract.
#[pyclass(frozen, module = "theus_nb._core")]
pub struct Access {
    run: Py<Run>,
    parent: Option<Py<Access>>,
    /// Held for looking and for moving references, never while a value is dropped or made.
    layers: Mutex<Layers>,
}

/// Whether values of this type are neither guarded nor awaited; `PLAIN` in `theus_nb.guard`.
pub fn is_plain(value: &Bound<'_, PyAny>) -> bool {
    value.is_none()
        || value.is_exact_instance_of::<PyInt>()
        || value.is_exact_instance_of::<PyFloat>()
        || value.is_exact_instance_of::<PyString>()
        || value.is_exact_instance_of::<PyDict>()
        || value.is_exact_instance_of::<PyList>()
        || value.is_exact_instance_of::<PyTuple>()
        || value.is_exact_instance_of::<PyBool>()
        || value.is_exact_instance_of::<PyBytes>()
        || value.is_exact_instance_of::<PySet>()
        || value.is_exact_instance_of::<PyFrozenSet>()
        || value.is_exact_instance_of::<PyComplex>()
}

/// The module with the other half.
pub fn long_way(py: Python<'_>) -> PyResult<&Bound<'_, PyModule>> {
    static MODULE: PyOnceLock<Py<PyModule>> = PyOnceLock::new();
    let module =
        MODULE.get_or_try_init(py, || PyResult::Ok(py.import("theus_nb.access")?.unbind()))?;
    Ok(module.bind(py))
}

impl Access {
    pub fn new(run: Py<Run>, parent: Option<Py<Self>>, reads: Option<Py<PyDict>>) -> Self {
        let layers = Mutex::new(Layers {
            reads,
            ..Layers::default()
        });
        Self {
            run,
            parent,
            layers,
        }
    }

    pub fn run(&self) -> &Py<Run> {
        &self.run
    }

    fn layers(&self) -> MutexGuard<'_, Layers> {
        self.layers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The contract as a tree; None before the run was admitted.
    pub fn layout(&self) -> Option<&Layout> {
        Some(&self.run.get().definition()?.layout)
    }

    /// The value at a path, if it is there and the run goes on.
    pub fn look<'py>(&self, path: &Bound<'py, PyString>) -> Option<Bound<'py, PyAny>> {
        if self.run.get().has_ended() {
            return None;
        }
        let layers = self.layers();
        if layers.ended {
            return None;
        }
        // Strings are compared without running anybody's code.
        [&layers.writes, &layers.children_writes, &layers.reads]
            .into_iter()
            .flatten()
            .find_map(|layer| layer.bind(path.py()).get_item(path).ok().flatten())
    }

    /// Remembers a value for a declared output; false if the run has ended.
    pub fn put(&self, path: &Bound<'_, PyString>, value: &Bound<'_, PyAny>) -> PyResult<bool> {
        if self.run.get().has_ended() || self.layers().ended {
            return Ok(false);
        }
        self.writes(path.py()).set_item(path, value)?;
        Ok(true)
    }

    /// One of the dicts, made now if it is not there yet: outside of the lock, for making an
    /// object may start the collector.
    fn layer<'py>(
        &self,
        py: Python<'py>,
        choose: impl Fn(&mut Layers) -> &mut Option<Py<PyDict>>,
    ) -> Bound<'py, PyDict> {
        let known = choose(&mut self.layers()).as_ref().map(|d| d.clone_ref(py));
        let layer = known.unwrap_or_else(|| {
            let new = PyDict::new(py).unbind();
            choose(&mut self.layers()).get_or_insert(new).clone_ref(py)
        });
        layer.into_bound(py)
    }
}

#[pymethods]
impl Access {
    #[getter(run)]
    fn get_run(&self, py: Python<'_>) -> Py<Run> {
        self.run.clone_ref(py)
    }

    #[getter]
    fn process(&self, py: Python<'_>) -> Py<PyAny> {
        self.run.get().process.clone_ref(py)
    }

    #[getter]
    fn parent(&self, py: Python<'_>) -> Option<Py<Self>> {
        self.parent.as_ref().map(|parent| parent.clone_ref(py))
    }

    /// What the body is given.
    #[getter]
    fn context(slf: &Bound<'_, Self>) -> Context {
        Context::new(slf.clone().unbind())
    }

    /// Values of the inputs, and what was published.
    #[getter]
    fn reads<'py>(&self, py: Python<'py>) -> Bound<'py, PyDict> {
        self.layer(py, |layers| &mut layers.reads)
    }

    /// What the body wrote and has not published.
    #[getter]
    fn writes<'py>(&self, py: Python<'py>) -> Bound<'py, PyDict> {
        self.layer(py, |layers| &mut layers.writes)
    }

    /// What runs started in the body committed.
    #[getter]
    fn children_writes<'py>(&self, py: Python<'py>) -> Bound<'py, PyDict> {
        self.layer(py, |layers| &mut layers.children_writes)
    }

    /// Names to be bound in the notebook at the commit.
    #[getter]
    pub fn definitions<'py>(&self, py: Python<'py>) -> Bound<'py, PyDict> {
        self.layer(py, |layers| &mut layers.definitions)
    }

    /// What was published; the keys matter.
    #[getter]
    fn published<'py>(&self, py: Python<'py>) -> Bound<'py, PyDict> {
        self.layer(py, |layers| &mut layers.published)
    }

    /// The first breach of the contract.
    #[getter]
    fn violation(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.layers().violation.as_ref().map(|v| v.clone_ref(py))
    }

    #[setter]
    fn set_violation(&self, violation: Py<PyAny>) {
        let _old = self.layers().violation.replace(violation);
    }

    /// Called before anything is published: a cell writes what its names are bound to then.
    #[getter]
    fn hand_over(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.layers().hand_over.as_ref().map(|f| f.clone_ref(py))
    }

    #[setter]
    fn set_hand_over(&self, function: Option<Py<PyAny>>) {
        let _old = std::mem::replace(&mut self.layers().hand_over, function);
    }

    /// The files that become visible when the run commits.
    #[getter]
    fn staged(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.layers().staged.as_ref().map(|s| s.clone_ref(py))
    }

    #[setter]
    fn set_staged(&self, staged: Option<Py<PyAny>>) {
        let _old = std::mem::replace(&mut self.layers().staged, staged);
    }

    /// What is to be called when the run ends.
    #[getter]
    fn interrupts(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.layers().interrupts.as_ref().map(|i| i.clone_ref(py))
    }

    #[setter]
    fn set_interrupts(&self, interrupts: Option<Py<PyAny>>) {
        let _old = std::mem::replace(&mut self.layers().interrupts, interrupts);
    }

    /// Whether the body is over; it may have ended before its run has.
    #[getter]
    fn ended(&self) -> bool {
        self.layers().ended
    }

    #[setter]
    fn set_ended(&self, ended: bool) {
        self.layers().ended = ended;
    }

    /// Commits what the body returned and ends the run, in the common case: a plain value, and
    /// nothing else to lay over the outputs. False if it takes a closer look; nothing has
    /// happened then.
    fn finish(&self, value: &Bound<'_, PyAny>) -> PyResult<bool> {
        let py = value.py();
        let run = self.run.bind(py);
        let Some(known) = run.get().definition().filter(|_| is_plain(value)) else {
            return Ok(false);
        };
        {
            let layers = self.layers();
            let written =
                |layer: &Option<Py<PyDict>>| layer.as_ref().is_some_and(|l| !l.bind(py).is_empty());
            let direct = match known.layout.returned {
                Returned::Nothing => true,
                Returned::Output(_) => {
                    !(value.is_none()
                        || self.parent.is_some()
                        || written(&layers.writes)
                        || written(&layers.definitions))
                }
                Returned::Unknown => false,
            };
            if !direct || layers.violation.is_some() || layers.staged.is_some() {
                return Ok(false);
            }
        }
        let engine = run.get().engine.bind(py);
        finish::commit_returned(engine, run, value, known.layout.returned)?;
        self.layers().ended = true;
        Ok(true)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.run)?;
        visit.call(&self.parent)?;
        // See Waiter: a lock held by this very thread only postpones the collection.
        let Ok(layers) = self.layers.try_lock() else {
            return Ok(());
        };
        visit.call(&layers.writes)?;
        visit.call(&layers.children_writes)?;
        visit.call(&layers.reads)?;
        visit.call(&layers.definitions)?;
        visit.call(&layers.published)?;
        visit.call(&layers.hand_over)?;
        visit.call(&layers.staged)?;
        visit.call(&layers.interrupts)?;
        visit.call(&layers.violation)
    }

    fn __clear__(&self) {
        // Taken out under the lock, dropped after it: dropping may run anybody's code.
        let _dropped = std::mem::take(&mut *self.layers());
    }
}
