//! Admission of a run, and what follows when others become ready or can never start.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use theus_core::span::Status;
use theus_core::{Admission, Cause, Effects, Error, Ticket};

use crate::bridge::{Bridge, Completion};
use crate::definition::Definition;
use crate::engine::{Core, Engine, Entry, Value};
use crate::errors::run_error;
use crate::finish::{end, withdraw};
use crate::outcome::Outcome;
use crate::queue::WorkQueue;
use crate::run::{Lane, Run};

/// What is left to do after the lock has been released.
#[derive(Default)]
pub struct Aftermath {
    ready: Vec<Py<Run>>,
    doomed: Vec<(Entry, String, Cause<Value>)>,
    /// Dropped with this struct, outside of the lock.
    _garbage: Vec<Value>,
}

impl Aftermath {
    /// Takes from the core what the scheduler's effects name. Called under the lock.
    pub fn collect(py: Python<'_>, core: &mut Core, effects: Effects<Value>) -> Self {
        let Effects {
            ready,
            doomed,
            garbage,
            ..
        } = effects;
        let ready = ready
            .iter()
            .filter_map(|t| Some(core.runs.get(&t.0)?.run.clone_ref(py)));
        let ready = ready.collect();
        let doomed = doomed
            .into_iter()
            .filter_map(|d| Some((core.runs.remove(&d.ticket.0)?, d.path.to_string(), d.cause)))
            .collect();
        Self {
            ready,
            doomed,
            _garbage: garbage,
        }
    }

    /// Queues what became ready, ends what was doomed. Called without the lock.
    pub fn act(self, engine: &Bound<'_, Engine>) -> PyResult<()> {
        let py = engine.py();
        for run in self.ready {
            make_ready(run.bind(py))?;
        }
        for (entry, path, cause) in self.doomed {
            let run = entry.run.bind(py);
            let error = upstream_error(engine, run, &path, &cause)?;
            end(engine, &entry, Outcome::error(&error), Status::Failed, true);
            open_gate(run);
        }
        Ok(())
    }
}

/// Asks the Python side for the exception of a run that can never start.
fn upstream_error<'py>(
    engine: &Bound<'py, Engine>,
    run: &Bound<'py, Run>,
    path: &str,
    cause: &Cause<Value>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = engine.py();
    let hooks = engine.get().hooks.bind(py);
    match cause {
        Cause::Failed(error) => hooks.call_method1(
            intern!(py, "upstream"),
            (run, path, error.object.clone_ref(py)),
        ),
        Cause::Deadlock(circle) => {
            let numbers: Vec<u64> = circle.iter().map(|t| t.0).collect();
            hooks.call_method1(intern!(py, "deadlock"), (run, numbers))
        }
    }
}

/// Admits a run; it is queued at once if nothing stands in its way.
pub fn admit(
    engine: &Bound<'_, Engine>,
    known: &Arc<Definition>,
    run: &Bound<'_, Run>,
    parent: Option<u64>,
    awaited: bool,
) -> PyResult<()> {
    admit_at(engine, known, run, parent, awaited, None)
}

/// Does the same; the run takes the place of another one, if that has not ended.
pub fn admit_at(
    engine: &Bound<'_, Engine>,
    known: &Arc<Definition>,
    run: &Bound<'_, Run>,
    parent: Option<u64>,
    awaited: bool,
    replaces: Option<u64>,
) -> PyResult<()> {
    let py = engine.py();
    let me = engine.get();
    me.check(py)?;
    me.watching.touch(py);
    let handle = run.clone().unbind();
    let (admission, aftermath, circle) = {
        let mut core = me.core();
        // A context outlives its run in background tasks; what they start is on its own.
        let parent = parent.filter(|number| core.runs.contains_key(number));
        // Asked under the lock: a run that ended meanwhile has no place to give away.
        let old = replaces.filter(|number| core.runs.contains_key(number));
        let tried = match old {
            Some(old) => core.scheduler.replace(Ticket(old), known.contract),
            None => core.scheduler.admit(known.contract, parent.map(Ticket)),
        };
        let admitted = match tried {
            Ok(admitted) => admitted,
            Err(error) => {
                drop(core);
                return Err(refused(py, &error, &known.name));
            }
        };
        let number = admitted.ticket.0;
        run.get().admitted(number, parent, Arc::clone(known));
        let entry = Entry {
            run: handle,
            definition: Arc::clone(known),
            parent,
            reads: Vec::new(),
        };
        core.runs.insert(number, entry);
        me.watching.unfinished.fetch_add(1, Ordering::Relaxed);
        let aftermath = Aftermath::collect(py, &mut core, admitted.effects);
        let admission = match admitted.admission {
            Admission::Doomed(doom) => Some(Err((
                core.runs.remove(&number),
                doom.path.to_string(),
                doom.cause,
            ))),
            Admission::Ready => Some(Ok(())),
            Admission::Waiting => None,
        };
        let circle = match parent {
            Some(parent) if awaited => core
                .scheduler
                .await_begin(Ticket(parent), Ticket(number))
                .err(),
            _ => None,
        };
        (admission, aftermath, circle)
    };
    run.get().feed(parent);
    aftermath.act(engine)?;
    match admission {
        Some(Ok(())) => make_ready(run)?,
        Some(Err((Some(entry), path, cause))) => {
            let error = upstream_error(engine, run, &path, &cause)?;
            end(engine, &entry, Outcome::error(&error), Status::Failed, true);
        }
        _ => {}
    }
    if let Some(circle) = circle {
        let cause = Cause::Deadlock(circle.into());
        let error = upstream_error(engine, run, "", &cause)?;
        withdraw(engine, run, &error)?;
        return Err(PyErr::from_value(error));
    }
    Ok(())
}

/// All inputs are there: the run goes on, or takes its turn if its process has limits.
fn make_ready(run: &Bound<'_, Run>) -> PyResult<()> {
    let py = run.py();
    if run.get().definition().is_some_and(|known| known.gated) {
        let engine = run.get().engine.bind(py);
        let hooks = engine.get().hooks.bind(py);
        return hooks.call_method1(intern!(py, "arrive"), (run,)).map(drop);
    }
    proceed(run)
}

/// The run goes to its queue, or its coroutine is told.
pub fn proceed(run: &Bound<'_, Run>) -> PyResult<()> {
    let me = run.get();
    {
        let mut state = me.state();
        if state.outcome.is_some() {
            return Ok(());
        }
        state.ready = true;
        if matches!(me.lane, Lane::Worker { .. }) {
            state.status = Status::Queued;
        }
    }
    me.feed(None);
    me.tell_watchers(run.py());
    match &me.lane {
        Lane::Worker { queue, .. } => WorkQueue::push(queue.bind(run.py()), run.clone().unbind()),
        Lane::Loop => {
            open_gate(run);
            Ok(())
        }
    }
}

/// Wakes the coroutine that waits for a run's inputs, on its loop.
pub fn open_gate(run: &Bound<'_, Run>) {
    let py = run.py();
    let me = run.get();
    let Some(gate) = me.state().gate.take() else {
        return;
    };
    let open = || -> PyResult<()> {
        let function = me
            .engine
            .get()
            .hooks
            .getattr(py, intern!(py, "open_gate"))?;
        let arguments = PyTuple::new(py, [gate])?.unbind();
        Bridge::push(me.bridge.bind(py), Completion::Call(function, arguments));
        Ok(())
    };
    if let Err(error) = open() {
        error.write_unraisable(py, Some(run.as_any()));
    }
}

/// The exception for a call the scheduler refused.
pub fn refused(py: Python<'_>, error: &Error, process: &str) -> PyErr {
    let (class, advice) = match error {
        Error::Shape { .. } => (
            "PathShapeError",
            "; write the children one by one, or the value under another name",
        ),
        Error::Undeclared { .. } => ("UndeclaredWriteError", "; declare it among the outputs"),
        _ => ("SessionError", ""),
    };
    run_error(
        py,
        class,
        &format!("process '{process}': {error}{advice}"),
        process,
        None,
    )
}
