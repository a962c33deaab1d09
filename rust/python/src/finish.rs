//! The end of a run: commit, failure, cancellation, and publishing on the way.
//!
//! Several parties may want to end one run at once: its worker, a canceller, the scheduler.
//! Whoever removes it from the engine's table of unfinished runs ends it; everybody else finds
//! it gone and changes nothing.

use std::sync::Arc;

use pyo3::exceptions::PyStopIteration;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use theus_core::span::{Span, Status};
use theus_core::{End, Input, Ticket};

use crate::admit::{Aftermath, refused};
use crate::bridge::{Bridge, Completion};
use crate::engine::{Engine, Entry, Held};
use crate::outcome::Outcome;
use crate::queue::WorkQueue;
use crate::run::{CancelledBy, Lane, Run};
use crate::versions::{collect_writes, to_versions, versions_read};

/// Marks a run as started and returns the values it is bound to.
pub fn begin(engine: &Bound<'_, Engine>, run: &Bound<'_, Run>) -> PyResult<Option<Py<PyDict>>> {
    let py = engine.py();
    let me = engine.get();
    if matches!(run.get().lane, Lane::Loop) {
        let now = me.now();
        run.get().started_here(now);
    }
    let number = run.get().number();
    let started = {
        let mut core = me.core();
        match core
            .runs
            .get(&number)
            .map(|entry| Arc::clone(&entry.definition))
        {
            None => return Ok(None),
            Some(known) => core.scheduler.start(Ticket(number)).map(|values| {
                let reads = versions_read(&known, &values);
                if let Some(entry) = core.runs.get_mut(&number) {
                    entry.reads = reads;
                }
                (known, values)
            }),
        }
    };
    let (known, values) = started.map_err(|error| refused(py, &error, &run.get().name(py)))?;
    if values.is_empty() {
        return Ok(None);
    }
    let reads = PyDict::new(py);
    for ((_, path, optional), input) in known.inputs.iter().zip(values) {
        match input {
            Input::Leaf { value, .. } => reads.set_item(path, &value.object)?,
            Input::Branch(entries) => {
                for entry in entries {
                    reads.set_item(entry.path.as_ref(), &entry.value.object)?;
                }
            }
            Input::Missing if *optional => {}
            Input::Missing => {
                let missing = intern!(py, "missing");
                let error = me.hooks.bind(py).call_method1(missing, (run, path))?;
                return Err(PyErr::from_value(error));
            }
        }
    }
    Ok(Some(reads.unbind()))
}

/// Commits and ends a run.
pub fn commit(
    engine: &Bound<'_, Engine>,
    run: &Bound<'_, Run>,
    value: Py<PyAny>,
    writes: Option<&Bound<'_, PyDict>>,
) -> PyResult<bool> {
    let py = engine.py();
    let me = engine.get();
    let number = run.get().number();
    let ended = {
        let list = collect_writes(run.get(), writes)?;
        let mut core = me.core();
        let Some(list) = to_versions(me, &mut core, number, list) else {
            return Ok(false);
        };
        match core.scheduler.finish(Ticket(number), End::Committed(list)) {
            Ok(effects) => {
                let entry = core.runs.remove(&number);
                Ok((entry, Aftermath::collect(py, &mut core, effects)))
            }
            Err(refusal) => Err(refusal),
        }
    };
    let (entry, aftermath) = ended.map_err(|r| refused(py, &r.error, &run.get().name(py)))?;
    if let Some(entry) = entry {
        run.get().state().outputs = writes.map(|w| w.clone().unbind());
        end(
            engine,
            &entry,
            Outcome::Value(value),
            Status::Finished,
            true,
        );
    }
    aftermath.act(engine)?;
    Ok(true)
}

/// Ends a run with an exception.
pub fn fail(
    engine: &Bound<'_, Engine>,
    run: &Bound<'_, Run>,
    error: &Bound<'_, PyAny>,
    reported: bool,
) -> PyResult<bool> {
    let py = engine.py();
    let mut error = error.clone();
    if error.is_instance_of::<PyStopIteration>() {
        // Raised from an awaitable it would look like the awaitable's own end.
        let message = format!("process '{}' raised StopIteration", run.get().name(py));
        let wrapped = pyo3::exceptions::PyRuntimeError::new_err(message);
        wrapped.set_cause(py, Some(PyErr::from_value(error)));
        error = wrapped.into_value(py).into_bound(py).into_any();
    }
    fail_with(
        engine,
        run,
        &error,
        Outcome::error(&error),
        Status::Failed,
        reported,
    )
}

/// Ends a run because of a cancellation, as the request says.
pub fn cancelled(engine: &Bound<'_, Engine>, run: &Bound<'_, Run>) -> PyResult<bool> {
    end_cancelled(engine, run, Status::Cancelled)
}

fn end_cancelled(
    engine: &Bound<'_, Engine>,
    run: &Bound<'_, Run>,
    status: Status,
) -> PyResult<bool> {
    let py = engine.py();
    let (by_asyncio, word) = match &run.get().state().cancel {
        Some(CancelledBy::Owner(reason)) => (false, reason.as_ref().map(|r| r.clone_ref(py))),
        Some(CancelledBy::Asyncio(message)) => (true, message.as_ref().map(|m| m.clone_ref(py))),
        // A waiter's own task tells it; nobody asked where the body itself raised CancelledError.
        Some(CancelledBy::Waiter) | None => (false, None),
    };
    let arguments = (run, word.as_ref().map(|w| w.clone_ref(py)), status.as_str());
    let hooks = engine.get().hooks.bind(py);
    let error = hooks.call_method1(intern!(py, "cancelled"), arguments)?;
    let outcome = if by_asyncio {
        Outcome::Cancelled(word)
    } else {
        Outcome::error(&error)
    };
    // The canceller knows; only a failure that nobody asked for is worth a report.
    fail_with(engine, run, &error, outcome, status, true)
}

fn fail_with(
    engine: &Bound<'_, Engine>,
    run: &Bound<'_, Run>,
    cause: &Bound<'_, PyAny>,
    outcome: Outcome,
    status: Status,
    reported: bool,
) -> PyResult<bool> {
    let py = engine.py();
    let me = engine.get();
    let number = run.get().number();
    let cause = Arc::new(Held {
        object: cause.clone().unbind(),
        origin: None,
    });
    let ended = {
        let mut core = me.core();
        let Some(entry) = core.runs.remove(&number) else {
            return Ok(false);
        };
        let finished = core.scheduler.finish(Ticket(number), End::Failed(cause));
        finished.map(|effects| (entry, Aftermath::collect(py, &mut core, effects)))
    };
    let (entry, aftermath) = ended.map_err(|r| refused(py, &r.error, &run.get().name(py)))?;
    end(engine, &entry, outcome, status, reported);
    aftermath.act(engine)?;
    Ok(true)
}

/// Ends a run as if it had never been submitted.
pub fn withdraw(
    engine: &Bound<'_, Engine>,
    run: &Bound<'_, Run>,
    error: &Bound<'_, PyAny>,
) -> PyResult<bool> {
    let py = engine.py();
    let number = run.get().number();
    let (entry, aftermath) = {
        let mut core = engine.get().core();
        let Some(entry) = core.runs.remove(&number) else {
            return Ok(false);
        };
        let effects = core.scheduler.withdraw(Ticket(number));
        (entry, Aftermath::collect(py, &mut core, effects))
    };
    end(engine, &entry, Outcome::error(error), Status::Failed, true);
    aftermath.act(engine)?;
    Ok(true)
}

/// Publishes values in the middle of a run.
pub fn publish(
    engine: &Bound<'_, Engine>,
    run: &Bound<'_, Run>,
    writes: &Bound<'_, PyDict>,
) -> PyResult<u64> {
    let py = engine.py();
    let list = collect_writes(run.get(), Some(writes))?;
    let number = run.get().number();
    let published = {
        let mut core = engine.get().core();
        // Ended meanwhile: its thread goes on, but nothing it says counts any more.
        let Some(list) = to_versions(engine.get(), &mut core, number, list) else {
            return Ok(0);
        };
        let published = core.scheduler.publish(Ticket(number), list);
        published.map(|effects| {
            let version = effects.version;
            (version, Aftermath::collect(py, &mut core, effects))
        })
    };
    let (version, aftermath) = published.map_err(|r| refused(py, &r.error, &run.get().name(py)))?;
    aftermath.act(engine)?;
    Ok(version)
}

/// Writes the end of a run into its handle and into the records.
///
/// The caller has removed the entry from the table, so this happens once per run.
pub fn end(
    engine: &Bound<'_, Engine>,
    entry: &Entry,
    outcome: Outcome,
    status: Status,
    reported: bool,
) {
    let py = engine.py();
    let me = engine.get();
    let run = entry.run.bind(py);
    let now = me.now();
    let (span, watched, dropped) = {
        let mut state = run.get().state();
        state.unretrieved = !reported && matches!(outcome, Outcome::Error(..));
        state.outcome = Some(outcome);
        state.status = status;
        state.ended = now;
        let watched = state.is_awaited();
        state.settled = !watched;
        let span = Span {
            run: run.get().number(),
            parent: entry.parent,
            process: Arc::clone(&entry.definition.name),
            lane: match &run.get().lane {
                Lane::Loop => state.lane_label.clone().unwrap_or_else(|| me.loop_label()),
                Lane::Worker { .. } => state.lane_label.clone().unwrap_or_else(|| "".into()),
            },
            status,
            submitted: state.submitted,
            started: state.started,
            ended: now,
        };
        (span, watched, (state.call.take(), state.task.take()))
    };
    drop(dropped);
    me.core().spans.push(span);
    if watched {
        run.get().tell_watchers(py);
        let bridge = run.get().bridge.bind(py);
        Bridge::push(bridge, Completion::Settle(run.clone().unbind()));
    }
}

/// Asks for the end of a run. False if it has ended already.
///
/// A waiting or queued run ends here and now; a coroutine is cancelled through its task; a
/// thread goes on and is given up: its writes are dropped.
pub fn cancel_run(run: &Bound<'_, Run>, by: CancelledBy) -> PyResult<bool> {
    let py = run.py();
    let me = run.get();
    let (task, status) = {
        let mut state = me.state();
        // Its files are being put in their places: too late.
        if state.outcome.is_some() || state.committing {
            return Ok(false);
        }
        let task = state.task.as_ref().map(|task| task.clone_ref(py));
        if state.cancel.is_none() {
            state.cancel = Some(by);
        }
        (task, state.status)
    };
    let engine = me.engine(py);
    let engine = engine.bind(py);
    if let Some(task) = task {
        let arguments = (run, task);
        engine
            .get()
            .hooks
            .call_method1(py, intern!(py, "cancel_task"), arguments)?;
        return Ok(true);
    }
    if status != Status::Running {
        return end_cancelled(engine, run, Status::Cancelled);
    }
    let ended = end_cancelled(engine, run, Status::Abandoned)?;
    if let (true, Lane::Worker { queue, .. }) = (ended, &me.lane) {
        // The thread goes on; another may take its place until it comes back.
        WorkQueue::block(queue.bind(py))?;
    }
    Ok(ended)
}
