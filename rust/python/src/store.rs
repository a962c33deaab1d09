//! The present state, as seen from outside of any run.

use std::sync::Arc;

use pyo3::prelude::*;
use theus_core::span::{Span, Status};
use theus_core::{Cause, Present};

use crate::admit::{Aftermath, refused};
use crate::engine::{Engine, Held, Value};

/// Writes or removes a path outside of any run.
pub fn put(
    engine: &Bound<'_, Engine>,
    path: &str,
    value: Option<Py<PyAny>>,
    remove: bool,
) -> PyResult<u64> {
    let py = engine.py();
    let me = engine.get();
    me.check(py)?;
    let print = me.fingerprint(py, path, value.as_ref(), remove);
    // A path set to None holds None; only `remove` makes it unwritten again.
    let value = (!remove).then(|| {
        Arc::new(Held {
            object: value.unwrap_or_else(|| py.None()),
            origin: None,
        })
    });
    let now = me.now();
    let written = {
        let mut core = me.core();
        let written = core.scheduler.put(path, value);
        written.map(|effects| {
            let version = effects.version;
            me.record_put(now, version, print);
            // Recorded like a run, which is what it is to everybody else.
            let span = Span {
                run: version,
                parent: None,
                process: Arc::clone(&me.state_label),
                lane: "".into(),
                status: Status::Finished,
                submitted: now,
                started: now,
                ended: now,
                cpu: None,
                waited: None,
            };
            me.feed.span(&span);
            core.spans.push(span);
            (version, Aftermath::collect(py, &mut core, effects))
        })
    };
    let (version, aftermath) = written.map_err(|r| refused(py, &r.error, "theus.state"))?;
    aftermath.act(engine)?;
    Ok(version)
}

/// What a path holds now.
pub fn present(
    engine: &Engine,
    py: Python<'_>,
    path: &str,
) -> PyResult<(&'static str, Py<PyAny>, u64)> {
    let found = engine.core().scheduler.present(path);
    Ok(match found {
        Present::Leaf { value, version } => ("leaf", value.object.clone_ref(py), version),
        Present::Branch => ("branch", py.None(), 0),
        Present::Missing => ("missing", py.None(), 0),
        Present::Failed {
            path,
            cause,
            version,
        } => {
            let value = (path.as_ref(), cause_object(py, &cause)).into_pyobject(py)?;
            ("failed", value.into_any().unbind(), version)
        }
    })
}

/// Version, run, process, source hash, inputs with their versions, time of the commit.
pub type Provenance = (
    u64,
    Option<u64>,
    Option<String>,
    Option<String>,
    Vec<(String, u64)>,
    u64,
);

/// Where a path's present value comes from.
pub fn provenance(engine: &Engine, path: &str) -> Option<Provenance> {
    let Present::Leaf { value, version } = engine.core().scheduler.present(path) else {
        return None;
    };
    let Some(origin) = &value.origin else {
        return Some((version, None, None, None, Vec::new(), 0));
    };
    let reads = origin
        .reads
        .iter()
        .map(|(path, version)| (path.to_string(), *version))
        .collect();
    Some((
        version,
        Some(origin.run),
        Some(origin.definition.name.to_string()),
        Some(origin.definition.source_hash.to_string()),
        reads,
        origin.at,
    ))
}

/// Lifts failed marks.
pub fn accept(engine: &Engine, path: &str) -> (Vec<String>, Option<String>) {
    let accepted = engine.core().scheduler.accept(path);
    let lifted = accepted.paths.iter().map(ToString::to_string).collect();
    (lifted, accepted.above.map(|above| above.to_string()))
}

/// Paths that are failed, with what made them so.
pub fn failed_paths(engine: &Engine, py: Python<'_>) -> Vec<(String, Py<PyAny>)> {
    let found = engine.core().scheduler.failed_paths();
    found
        .iter()
        .map(|(path, cause)| (path.to_string(), cause_object(py, cause)))
        .collect()
}

/// The exception behind a failed path; None where a circle was broken.
fn cause_object(py: Python<'_>, cause: &Cause<Value>) -> Py<PyAny> {
    match cause {
        Cause::Failed(error) => error.object.clone_ref(py),
        Cause::Deadlock(_) => py.None(),
    }
}
