//! The end of a run: commit, failure, cancellation, and publishing on the way.
//!
//! Several parties may want to end one run at once: its worker, a canceller, the scheduler.
//! Whoever removes it from the engine's table of unfinished runs ends it; everybody else finds
//! it gone and changes nothing.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use pyo3::exceptions::PyStopIteration;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use theus_core::audit::Fingerprint;
use theus_core::span::{Span, Status};
use theus_core::{End, Ticket};

use crate::admit::{Aftermath, open_gate, refused};
use crate::bridge::{Bridge, Completion};
use crate::definition::Definition;
use crate::engine::{Engine, Entry, Held};
use crate::layout::Returned;
use crate::outcome::Outcome;
use crate::run::{CancelledBy, Lane, Run, State};
use crate::versions::{Writes, collect_writes, to_versions};

/// Commits and ends a run.
pub fn commit(
    engine: &Bound<'_, Engine>,
    run: &Bound<'_, Run>,
    value: Py<PyAny>,
    writes: Option<&Bound<'_, PyDict>>,
    tell: Option<&Bound<'_, PyAny>>,
) -> PyResult<bool> {
    let list = collect_writes(run.get(), writes)?;
    let prints = engine.get().fingerprints(writes);
    commit_list(engine, run, value, list, (writes, tell), prints)
}

/// Commits what a body returned, as its only output if it has one, and ends the run.
pub fn commit_returned(
    engine: &Bound<'_, Engine>,
    run: &Bound<'_, Run>,
    value: &Bound<'_, PyAny>,
    returned: Returned,
) -> PyResult<bool> {
    let list = match returned {
        Returned::Output(node) => {
            run.get().state().returned = true;
            vec![(Ok(node), value.clone().unbind())]
        }
        Returned::Nothing | Returned::Unknown => Vec::new(),
    };
    let prints = match (run.get().definition(), list.is_empty()) {
        (Some(known), false) => engine.get().fingerprint_returned(known, value),
        _ => Vec::new(),
    };
    commit_list(
        engine,
        run,
        value.clone().unbind(),
        list,
        (None, None),
        prints,
    )
}

fn commit_list(
    engine: &Bound<'_, Engine>,
    run: &Bound<'_, Run>,
    value: Py<PyAny>,
    list: Writes,
    (writes, tell): (Option<&Bound<'_, PyDict>>, Option<&Bound<'_, PyAny>>),
    prints: Vec<Fingerprint>,
) -> PyResult<bool> {
    let py = engine.py();
    let me = engine.get();
    let number = run.get().number();
    let ended = {
        let mut core = me.core();
        let Some(list) = to_versions(me, &mut core, number, list) else {
            return Ok(false);
        };
        match core.scheduler.finish(Ticket(number), End::Committed(list)) {
            Ok(effects) => {
                // Under the lock: nobody can read these versions before they are in the log.
                run.get().record_commit(number, prints);
                let entry = core.runs.remove(&number);
                Ok((entry, Aftermath::collect(py, &mut core, effects)))
            }
            Err(refusal) => Err(refusal),
        }
    };
    let (entry, aftermath) = ended.map_err(|r| refused(py, &r.error, &run.get().name(py)))?;
    if let Some(entry) = entry {
        if let Some(writes) = writes {
            run.get().state().outputs = Some(writes.clone().unbind());
        }
        // Before anybody hears of the end: whoever awaits this run must see what it committed.
        if let Some(tell) = tell
            && let Err(error) = tell.call0()
        {
            error.write_unraisable(py, Some(run.as_any()));
        }
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

pub fn end_cancelled(
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

pub fn fail_with(
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
    // Its coroutine may wait for a turn that will never come.
    open_gate(run);
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
    let prints = engine.get().fingerprints(Some(writes));
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
            run.get().record_publication(version, prints);
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
    let failure = match (&me.audit, &outcome, status) {
        (Some(audit), Outcome::Error(error, trace), Status::Failed) => {
            audit.get().describe(py, error, trace.as_ref())
        }
        _ => None,
    };
    let durable = me.is_durable();
    me.watching.unfinished.fetch_sub(1, Ordering::Relaxed);
    let (span, watched, dropped) = {
        let mut state = run.get().state();
        state.unretrieved = !reported && matches!(outcome, Outcome::Error(..));
        state.outcome = Some(outcome);
        state.status = status;
        state.ended = now;
        state.stop_cpu();
        if state.started != 0 {
            entry
                .definition
                .clock
                .learn(now.saturating_sub(state.started));
        }
        let watched = state.is_awaited();
        state.settled = !watched && !durable;
        let span = span_of(
            me,
            run,
            &state,
            &entry.definition,
            entry.parent,
            status,
            now,
        );
        (span, watched, (state.call.take(), state.task.take()))
    };
    drop(dropped);
    let recorded = match &me.audit {
        Some(audit) => audit.get().run_ended(&span, run.get(), failure),
        None => None,
    };
    me.feed.span(&span);
    me.core().spans.push(span);
    if entry.definition.gated {
        // Whoever waits for a slot of this process may go on.
        let left = me.hooks.call_method1(py, intern!(py, "leave"), (run,));
        if let Err(error) = left {
            error.write_unraisable(py, Some(run.as_any()));
        }
    }
    if watched {
        run.get().tell_watchers(py);
    }
    let later = match &me.audit {
        Some(audit) => audit.get().settle_when_synced(run, recorded),
        None => false,
    };
    if !later && (watched || durable) {
        let bridge = run.get().bridge.bind(py);
        Bridge::push(bridge, Completion::Settle(run.clone().unbind()));
    }
}

/// What the records say about a run, or about one attempt of it.
pub fn span_of(
    engine: &Engine,
    run: &Bound<'_, Run>,
    state: &State,
    definition: &Definition,
    parent: Option<u64>,
    status: Status,
    ended: u64,
) -> Span {
    Span {
        run: run.get().number(),
        parent,
        process: Arc::clone(&definition.name),
        lane: match &run.get().lane {
            Lane::Loop => state
                .lane_label
                .clone()
                .unwrap_or_else(|| engine.loop_label()),
            Lane::Worker { .. } => state.lane_label.clone().unwrap_or_else(|| "".into()),
        },
        status,
        submitted: state.submitted,
        started: state.started,
        ended,
        cpu: state.cpu,
        waited: state.waited,
    }
}

/// Asks for the end of a run. False if it has ended already.
///
/// A waiting or queued run ends here and now; a coroutine is cancelled through its task; a body
/// in a worker thread is stopped by the Python side, or given up after a grace.
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
    let engine = me.engine.bind(py);
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
    let hooks = engine.get().hooks.bind(py);
    hooks.call_method1(intern!(py, "stop_thread"), (run,))?;
    Ok(true)
}
