//! Noticing that this process is a forked child.
//!
//! Worker threads and the parent's locks do not exist in a child, so everything made before the
//! fork refuses to work there. A counter bumped by `os.register_at_fork` costs one atomic load
//! per call; asking for the pid would cost a system call.

use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use pyo3::prelude::*;

use crate::errors::theus_error;
use crate::interval;

static FORKS: AtomicU32 = AtomicU32::new(0);

/// Open files of logs, for a forked child to close.
static DESCRIPTORS: Mutex<Vec<Weak<AtomicI32>>> = Mutex::new(Vec::new());

/// How many forks lie between the first process and this one.
pub fn generation() -> u32 {
    FORKS.load(Ordering::Relaxed)
}

/// Registers the counter with the interpreter; called once, when the module is made.
pub fn watch(py: Python<'_>, module: &Bound<'_, PyModule>) -> PyResult<()> {
    let options = pyo3::types::PyDict::new(py);
    options.set_item("after_in_child", wrap_pyfunction!(after_fork, module)?)?;
    py.import("os")?
        .getattr("register_at_fork")
        .and_then(|register| register.call((), Some(&options)))
        // Windows cannot fork and has no such function.
        .map_or_else(|_| Ok(()), |_| Ok(()))
}

/// Refuses to go on in a child of the process that made the object.
pub fn check(py: Python<'_>, made_in: u32) -> PyResult<()> {
    if made_in == generation() {
        return Ok(());
    }
    Err(theus_error(
        py,
        "ForkedProcessError",
        "this session belongs to the parent process: its worker threads do not exist in a forked \
         child; make a new Session() in the child, or start children with the 'spawn' method",
    ))
}

#[pyfunction]
fn after_fork(py: Python<'_>) -> PyResult<()> {
    FORKS.fetch_add(1, Ordering::Relaxed);
    close_inherited();
    interval::forget(py)
}

/// Has a log's file closed in forked children. With the interpreter held, so that no child finds the list locked.
pub fn close_in_children(descriptor: &Arc<AtomicI32>) {
    let mut known = DESCRIPTORS.lock().unwrap_or_else(PoisonError::into_inner);
    known.retain(|one| one.strong_count() > 0);
    known.push(Arc::downgrade(descriptor));
}

/// Closes the files of the parent's logs in a forked child.
#[cfg(unix)]
fn close_inherited() {
    let mut known = DESCRIPTORS.lock().unwrap_or_else(PoisonError::into_inner);
    for descriptor in known.drain(..).filter_map(|one| one.upgrade()) {
        let number = descriptor.swap(-1, Ordering::SeqCst);
        if number >= 0 {
            // SAFETY: the number is set right after a file was opened and taken back before it is closed, so it names
            // that file. Its owner is the writer's task, whose threads do not exist in this child; it is never
            // dropped here, because the runtime that holds it is never dropped. So nobody else closes it.
            #[allow(unsafe_code)]
            unsafe {
                rustix::io::close(number);
            }
        }
        // Likewise never dropped: the writer's copy is gone with its thread, its count is not.
        std::mem::forget(descriptor);
    }
}

#[cfg(not(unix))]
fn close_inherited() {}
