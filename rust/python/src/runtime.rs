//! The one tokio runtime of this process, started when it is first needed.

use std::sync::{Mutex, PoisonError};

use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;
use theus_core::runtime::Runtime;
use tokio::runtime::Handle;

use crate::fork;

/// The handle, and the generation of forks it was made in. Locked with the interpreter held only, so that a forked
/// child never finds it locked.
static SHARED: Mutex<Option<(u32, Handle)>> = Mutex::new(None);

/// The runtime of this process. A forked child gets one of its own: it has not the parent's thread.
pub fn shared(_py: Python<'_>) -> PyResult<Handle> {
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((made_in, handle)) = &*shared
        && *made_in == fork::generation()
    {
        return Ok(handle.clone());
    }
    let runtime = Runtime::start("theus")
        .map_err(|error| PyOSError::new_err(format!("theus_nb cannot start a thread: {error}")))?;
    let handle = runtime.handle().clone();
    // It lives as long as the process. What it holds from before a fork must not be dropped either.
    std::mem::forget(runtime);
    if let Some((_, parents)) = shared.replace((fork::generation(), handle.clone())) {
        std::mem::forget(parents);
    }
    Ok(handle)
}
