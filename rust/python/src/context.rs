//! What the body of a process sees: the paths of its contract, and nothing else.
//!
//! Reads and writes of declared paths end here; everything else goes to `theus_nb.access`.

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyList, PyString};

use crate::access::{Access, long_way};

/// The context itself is the root of the tree of paths.
const ROOT: usize = 0;

/// Python's usual look at an object: its methods and properties.
fn own<'py>(slf: &Bound<'py, PyAny>, name: &Bound<'py, PyString>) -> PyResult<Bound<'py, PyAny>> {
    static FUNCTION: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let py = slf.py();
    let get = FUNCTION.get_or_try_init(py, || {
        let object = py.import("builtins")?.getattr("object")?;
        PyResult::Ok(object.getattr("__getattribute__")?.unbind())
    })?;
    get.bind(py).call1((slf, name))
}

fn exact<'a, 'py>(path: &'a Bound<'py, PyAny>) -> Option<&'a Bound<'py, PyString>> {
    path.cast_exact::<PyString>().ok()
}

/// The first argument of a process: what one run may read and write.
///
/// ``ctx.domain.raw`` and ``ctx["domain.raw"]`` are the same; ``ctx.global_`` stands for the
/// zone ``global``, whose name is a keyword. ``ctx.table`` is short for the notebook variable
/// ``nb.table`` if the contract names it. Undeclared reads and writes raise, and fail the run
/// even when the body swallows the exception. Used after its run has ended, it raises
/// `RunEndedError`.
///
/// Attributes:
///     `run_id`: Identifier of this run (``"r7"``).
///     cancelled: Whether somebody asked for the end of this run.
#[pyclass(frozen, module = "theus_nb.context")]
pub struct Context {
    access: Py<Access>,
}

impl Context {
    pub fn new(access: Py<Access>) -> Self {
        Self { access }
    }
}

#[pymethods]
impl Context {
    /// Identifier of this run.
    #[getter]
    fn run_id(&self) -> String {
        format!("r{}", self.access.get().run().get().number())
    }

    /// Whether somebody asked for the end of this run. Long loops in threads look here.
    ///
    /// A body in a thread that has been told leaves by itself: nothing is raised in it any more.
    /// If it has not left after the grace, it is given up.
    #[getter]
    fn cancelled(&self, py: Python<'_>) -> PyResult<bool> {
        let run = self.access.get().run().get();
        let must_stop = run.must_stop();
        if must_stop {
            run.tell(py)?;
        }
        Ok(must_stop)
    }

    /// Raise `RunCancelledError` if somebody asked for the end of this run.
    fn check_cancelled(&self, py: Python<'_>) -> PyResult<()> {
        if self.cancelled(py)? {
            long_way(py)?.call_method1(intern!(py, "check_cancelled"), (&self.access,))?;
        }
        Ok(())
    }

    /// Publish what has been written so far; the run goes on.
    ///
    /// Readers that wait for these paths go on at once and get these values; later commits
    /// reach later readers. What is published stays, however the run ends.
    ///
    /// Returns:
    ///     An object that may be awaited (and need not be): the values are published when this
    ///     returns. Awaiting it lets other tasks run.
    ///
    /// Raises:
    ///     `ContractViolationError`: The run has broken its contract before.
    ///     `RunEndedError`: The run has ended.
    ///
    /// Cancellation: nothing is undone.
    fn commit<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        long_way(py)?.call_method1(intern!(py, "publish"), (&self.access,))
    }

    /// Have names bound in the notebook when the run commits (functions, classes, imports).
    ///
    /// For cells; the names are not paths and carry no versions.
    fn define(&self, names: &Bound<'_, PyAny>) -> PyResult<()> {
        let definitions = self.access.get().definitions(names.py());
        definitions.call_method1("update", (names,)).map(drop)
    }

    fn __getattribute__<'py>(
        slf: &Bound<'py, Self>,
        name: &Bound<'py, PyString>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let access = &slf.get().access;
        let declared = access.get().layout().and_then(|l| l.child(ROOT, name));
        if let Some((at, place)) = declared
            && place.branch
        {
            let branch = Branch {
                access: access.clone_ref(py),
                at: Some(at),
                path: place.path.clone_ref(py),
            };
            return Ok(Bound::new(py, branch)?.into_any());
        }
        // Display probes begin with an underscore: never a contract violation.
        match name.to_str()? {
            "run_id" | "cancelled" | "check_cancelled" | "commit" | "define" => own(slf, name),
            hidden if hidden.starts_with('_') => own(slf, name),
            _ => long_way(py)?.call_method1(intern!(py, "zone"), (access, name)),
        }
    }

    fn __setattr__(&self, name: &Bound<'_, PyString>, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = name.py();
        let set = intern!(py, "set_zone");
        long_way(py)?.call_method1(set, (&self.access, name, value))?;
        Ok(())
    }

    fn __getitem__<'py>(&self, path: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        if let Some(value) = exact(path).and_then(|path| self.access.get().look(path)) {
            return Ok(value);
        }
        let py = path.py();
        long_way(py)?.call_method1(intern!(py, "read_item"), (&self.access, path))
    }

    fn __setitem__(&self, path: &Bound<'_, PyAny>, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = path.py();
        let access = self.access.get();
        if let Some(text) = exact(path)
            && let Some(layout) = access.layout()
            && let Some(at) = layout.find(text.to_str()?)
            && layout.get(at).output
            && access.put(layout.get(at).path.bind(py), value)?
        {
            return Ok(());
        }
        let write = intern!(py, "write_item");
        long_way(py)?.call_method1(write, (&self.access, path, value))?;
        Ok(())
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let run = self.access.get().run().get();
        let name = run.process.bind(py).getattr(intern!(py, "name"))?.repr()?;
        Ok(format!("<Context of run r{} of {name}>", run.number()))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.access)
    }
}

/// A path with children, inside a context: ``ctx.domain`` in ``ctx.domain.raw``.
#[pyclass(frozen, module = "theus_nb.context")]
pub struct Branch {
    access: Py<Access>,
    /// Where it is in the contract's tree; None for what nobody declared.
    at: Option<usize>,
    path: Py<PyString>,
}

impl Branch {
    fn names<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let names =
            long_way(py)?.call_method1(intern!(py, "children"), (&self.access, &self.path))?;
        Ok(names.cast_into::<PyList>()?)
    }
}

#[pymethods]
impl Branch {
    #[new]
    fn new(access: Py<Access>, path: Bound<'_, PyString>) -> PyResult<Self> {
        let layout = access.get().layout();
        let text = path.to_str()?;
        let at = layout.and_then(|layout| layout.find(text));
        Ok(Self {
            at,
            path: path.unbind(),
            access,
        })
    }

    fn __getattribute__<'py>(
        slf: &Bound<'py, Self>,
        name: &Bound<'py, PyString>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let me = slf.get();
        let layout = me.access.get().layout();
        if let (Some(layout), Some(at)) = (layout, me.at)
            && let Some((_, place)) = layout.child(at, name)
            && let Some(value) = me.access.get().look(place.path.bind(py))
        {
            return Ok(value);
        }
        // Display probes begin with an underscore: never a contract violation.
        if name.to_str()?.starts_with('_') {
            return own(slf, name);
        }
        let get = intern!(py, "read_child");
        long_way(py)?.call_method1(get, (&me.access, &me.path, name))
    }

    fn __setattr__(&self, name: &Bound<'_, PyString>, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = name.py();
        let layout = self.access.get().layout();
        if let (Some(layout), Some(at)) = (layout, self.at)
            && let Some((_, place)) = layout.child(at, name)
            && place.output
            && self.access.get().put(place.path.bind(py), value)?
        {
            return Ok(());
        }
        let set = intern!(py, "write_child");
        long_way(py)?.call_method1(set, (&self.access, &self.path, name, value))?;
        Ok(())
    }

    fn __getitem__<'py>(&self, name: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let py = name.py();
        let path = format!("{}.{name}", self.path.bind(py));
        long_way(py)?.call_method1(intern!(py, "read_item"), (&self.access, path))
    }

    fn __setitem__(&self, name: &Bound<'_, PyAny>, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = name.py();
        let path = format!("{}.{name}", self.path.bind(py));
        let write = intern!(py, "write_item");
        long_way(py)?.call_method1(write, (&self.access, path, value))?;
        Ok(())
    }

    fn __contains__(&self, name: &Bound<'_, PyAny>) -> PyResult<bool> {
        self.names(name.py())?.contains(name)
    }

    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        Ok(self.names(py)?.try_iter()?.into_any())
    }

    fn __dir__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        self.names(py)
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let names: Vec<String> = self.names(py)?.extract()?;
        let path = self.path.bind(py);
        Ok(if names.is_empty() {
            format!("<{path}: empty>")
        } else {
            format!("<{path}: {}>", names.join(", "))
        })
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.access)
    }
}
