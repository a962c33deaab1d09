//! What the audit log says of a value: its type, its shape, its size. Never the value, and nothing that would have to
//! be computed: only types known exactly are asked anything.

use std::borrow::Cow;

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{
    PyBool, PyByteArray, PyBytes, PyDict, PyFloat, PyFrozenSet, PyInt, PyList, PyNone, PySet,
    PyString, PyTuple, PyType,
};
use theus_core::audit::Fingerprint;

use crate::detail;

/// The fingerprint of a value that is being written to a path.
pub fn of(path: &str, value: &Bound<'_, PyAny>) -> Fingerprint {
    let (kind, shape, bytes) = describe(value);
    Fingerprint {
        path: path.into(),
        kind,
        shape,
        bytes,
    }
}

/// What stands for a path that was removed.
pub fn removed(path: &str) -> Fingerprint {
    Fingerprint {
        path: path.into(),
        kind: Cow::Borrowed("removed"),
        shape: None,
        bytes: None,
    }
}

type Look = (Cow<'static, str>, Option<Vec<u64>>, Option<u64>);

fn describe(value: &Bound<'_, PyAny>) -> Look {
    let named = |name: &'static str| (Cow::Borrowed(name), None, None);
    let sized =
        |name: &'static str, length: usize| (Cow::Borrowed(name), Some(vec![length as u64]), None);
    if value.is_exact_instance_of::<PyInt>() {
        named("int")
    } else if value.is_exact_instance_of::<PyFloat>() {
        named("float")
    } else if let Ok(text) = value.cast_exact::<PyString>() {
        sized("str", text.len().unwrap_or(0))
    } else if value.is_exact_instance_of::<PyBool>() {
        named("bool")
    } else if value.is_exact_instance_of::<PyNone>() {
        named("NoneType")
    } else if let Ok(list) = value.cast_exact::<PyList>() {
        sized("list", list.len())
    } else if let Ok(tuple) = value.cast_exact::<PyTuple>() {
        sized("tuple", tuple.len())
    } else if let Ok(dict) = value.cast_exact::<PyDict>() {
        sized("dict", dict.len())
    } else if let Ok(bytes) = value.cast_exact::<PyBytes>() {
        let length = bytes.as_bytes().len() as u64;
        (Cow::Borrowed("bytes"), Some(vec![length]), Some(length))
    } else if let Ok(bytes) = value.cast_exact::<PyByteArray>() {
        let length = bytes.len() as u64;
        (Cow::Borrowed("bytearray"), Some(vec![length]), Some(length))
    } else if let Ok(set) = value.cast_exact::<PySet>() {
        sized("set", set.len())
    } else if let Ok(set) = value.cast_exact::<PyFrozenSet>() {
        sized("frozenset", set.len())
    } else {
        foreign(value)
    }
}

/// Arrays and frames, if they are exactly that; of everything else the name of its type.
fn foreign(value: &Bound<'_, PyAny>) -> Look {
    let py = value.py();
    let class = value.get_type();
    // Read from the type itself: a metaclass of the user's is not asked.
    let name = class.name().map(|name| name.to_string_lossy().into_owned());
    let name = name.map_or_else(|_| "object".to_owned(), detail::clip);
    match name.as_str() {
        "ndarray" if is_from(&class, &NDARRAY, "numpy", "ndarray") => {
            let dtype = value
                .getattr(intern!(py, "dtype"))
                .and_then(|dtype| dtype.getattr(intern!(py, "str")))
                .and_then(|text| text.extract::<String>());
            let kind = dtype.map_or_else(
                |_| Cow::Borrowed("numpy.ndarray"),
                |dtype| Cow::Owned(format!("numpy.ndarray[{dtype}]")),
            );
            let bytes = value.getattr(intern!(py, "nbytes"));
            let bytes = bytes.and_then(|bytes| bytes.extract()).ok();
            (kind, shape(value), bytes)
        }
        "DataFrame" if is_from(&class, &FRAME, "pandas", "DataFrame") => {
            (Cow::Borrowed("pandas.DataFrame"), shape(value), None)
        }
        "Series" if is_from(&class, &SERIES, "pandas", "Series") => {
            (Cow::Borrowed("pandas.Series"), shape(value), None)
        }
        _ => (Cow::Owned(name), None, None),
    }
}

fn shape(value: &Bound<'_, PyAny>) -> Option<Vec<u64>> {
    let shape = value.getattr(intern!(value.py(), "shape")).ok()?;
    shape.extract().ok()
}

static NDARRAY: PyOnceLock<Py<PyType>> = PyOnceLock::new();
static FRAME: PyOnceLock<Py<PyType>> = PyOnceLock::new();
static SERIES: PyOnceLock<Py<PyType>> = PyOnceLock::new();

/// Whether a class is the one that a loaded module has under a name. Nothing is imported for the question.
fn is_from(
    class: &Bound<'_, PyType>,
    known: &PyOnceLock<Py<PyType>>,
    module: &str,
    name: &str,
) -> bool {
    let py = class.py();
    if let Some(known) = known.get(py) {
        return class.is(known);
    }
    let find = || -> PyResult<Bound<'_, PyType>> {
        let modules = py.import(intern!(py, "sys"))?.getattr("modules")?;
        let found = modules.get_item(module)?.getattr(name)?;
        Ok(found.cast_into::<PyType>()?)
    };
    match find() {
        Ok(found) => {
            let same = class.is(&found);
            let _ = known.set(py, found.unbind());
            same
        }
        Err(_) => false,
    }
}
