//! The interpreter's switch interval: short while worker lanes are busy.
//!
//! A thread that computes keeps the interpreter for one interval each time the loop wants it, 5 ms
//! by default, and with several such threads the loop waits for each. The interval is the whole
//! process's, so it is counted here who wants it short, and it is put back only if it is still
//! what we set.
//!
//! Everything happens while holding the interpreter; the functions of `sys` that are called do
//! not let go of it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use pyo3::intern;
use pyo3::prelude::*;

/// Seconds. As long as a lane may keep the interpreter by itself, see `queue::HOLD`: a shorter
/// one would take it away in the middle of a row of short runs.
const SHORT: f64 = 0.0005;

/// Seconds. Below this the threads lose more by being switched than the loop gains.
const SHORTEST: f64 = 0.0001;

struct Held {
    /// Queues whose threads are busy.
    by: usize,
    /// The interval found, if ours took its place.
    found: Option<f64>,
    /// What ours is at present.
    ours: f64,
}

static HELD: Mutex<Held> = Mutex::new(Held {
    by: 0,
    found: None,
    ours: SHORT,
});

fn held() -> MutexGuard<'static, Held> {
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
}

fn get(py: Python<'_>) -> PyResult<f64> {
    py.import(intern!(py, "sys"))?
        .call_method0(intern!(py, "getswitchinterval"))?
        .extract()
}

fn set(py: Python<'_>, seconds: f64) -> PyResult<()> {
    py.import(intern!(py, "sys"))?
        .call_method1(intern!(py, "setswitchinterval"), (seconds,))
        .map(drop)
}

/// Makes the interval short for one more queue. One that is shorter already is left alone.
pub fn hold(py: Python<'_>) -> PyResult<()> {
    held().by += 1;
    let present = get(py)?;
    if present > SHORT {
        set(py, SHORT)?;
        let mut held = held();
        held.found = Some(present);
        held.ours = SHORT;
    }
    Ok(())
}

/// One queue less. After the last the interval found is put back, unless somebody else has set
/// another one meanwhile.
pub fn release(py: Python<'_>) -> PyResult<()> {
    let (found, ours) = {
        let mut held = held();
        held.by = held.by.saturating_sub(1);
        if held.by > 0 {
            return Ok(());
        }
        (held.found.take(), held.ours)
    };
    match found {
        Some(found) if same(get(py)?, ours) => set(py, found),
        _ => Ok(()),
    }
}

/// Divides the short interval among threads that compute at the same time: the loop stands in line
/// behind each of them. One that somebody else has set meanwhile is left alone.
pub fn share(py: Python<'_>, threads: usize) -> PyResult<()> {
    let share = SHORT / f64::from(u32::try_from(threads.max(1)).unwrap_or(u32::MAX));
    let share = share.max(SHORTEST);
    let ours = {
        let held = held();
        if held.found.is_none() {
            return Ok(());
        }
        held.ours
    };
    if same(get(py)?, ours) {
        set(py, share)?;
        held().ours = share;
    }
    Ok(())
}

/// Whether two intervals are the same; the interpreter keeps whole microseconds.
fn same(one: f64, other: f64) -> bool {
    (one - other).abs() < 1.5e-6
}

/// A forked child has none of the threads for which the interval was made short.
pub fn forget(py: Python<'_>) -> PyResult<()> {
    if held().by == 0 {
        return Ok(());
    }
    held().by = 1;
    release(py)
}
