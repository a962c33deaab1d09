//! A contract in the form in which a running body meets it: names leading to paths.

use std::collections::HashMap;

use pyo3::prelude::*;
use pyo3::types::PyString;
use theus_core::NodeId;

/// Names of `Context` itself, which no path can be reached by.
const MEMBERS: [&str; 5] = ["run_id", "cancelled", "check_cancelled", "commit", "define"];

/// A declared path, or one above declared paths.
pub struct Place {
    pub path: Py<PyString>,
    /// Declared as output, at exactly this path.
    pub output: bool,
    /// There are declared paths beneath it, and it is none itself.
    pub branch: bool,
    children: Vec<(Py<PyString>, usize)>,
}

/// What a run commits if its body returns a plain value and has not used its context to write.
#[derive(Clone, Copy)]
pub enum Returned {
    /// Nothing: it declares no outputs.
    Nothing,
    /// The value, at its only output.
    Output(NodeId),
    /// That has to be looked at in Python: several outputs, notebook variables, a cell.
    Unknown,
}

/// The declared paths as a tree. The first place is the root, the context itself.
pub struct Layout {
    places: Vec<Place>,
    by_path: HashMap<String, usize>,
    pub returned: Returned,
}

impl Layout {
    pub fn new(py: Python<'_>, inputs: &[String], outputs: &[String], returned: Returned) -> Self {
        let mut layout = Self {
            places: Vec::new(),
            by_path: HashMap::new(),
            returned,
        };
        layout.place(py, "");
        for path in inputs {
            let at = layout.place(py, path);
            layout.places[at].branch = false;
        }
        for path in outputs {
            let at = layout.place(py, path);
            layout.places[at].branch = false;
            layout.places[at].output = true;
        }
        layout
    }

    fn place(&mut self, py: Python<'_>, path: &str) -> usize {
        if let Some(&at) = self.by_path.get(path) {
            return at;
        }
        let at = self.places.len();
        self.places.push(Place {
            path: PyString::intern(py, path).unbind(),
            output: false,
            branch: true,
            children: Vec::new(),
        });
        self.by_path.insert(path.to_owned(), at);
        if path.is_empty() {
            return at;
        }
        let (above, name) = path.rsplit_once('.').unwrap_or(("", path));
        let above = self.place(py, above);
        if above != 0 || !MEMBERS.contains(&name) {
            let name = PyString::intern(py, name).unbind();
            self.places[above].children.push((name, at));
        }
        at
    }

    pub fn get(&self, at: usize) -> &Place {
        &self.places[at]
    }

    pub fn find(&self, path: &str) -> Option<usize> {
        self.by_path.get(path).copied()
    }

    /// The place that a name leads to. Names in source code are interned, so comparing addresses
    /// finds what there is; what it misses, the long way finds.
    pub fn child(&self, at: usize, name: &Bound<'_, PyString>) -> Option<(usize, &Place)> {
        let mut children = self.places[at].children.iter();
        let (_, at) = children.find(|(known, _)| known.is(name))?;
        Some((*at, &self.places[*at]))
    }
}
