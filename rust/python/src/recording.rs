//! What the engine tells the audit log, and what the log keeps of it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTraceback};
use theus_core::audit::{AuditFailed, End, Entry, Failure, Fingerprint, Value, What};
use theus_core::span::{Span, Status};

use crate::audit::{AuditLog, write_error};
use crate::bridge::{Bridge, Completion};
use crate::definition::Definition;
use crate::detail::Changes;
use crate::engine::Engine;
use crate::outcome::Outcome;
use crate::run::{Lane, Run};
use crate::{fingerprint, fork};

/// Innermost frames kept of a failure.
const FRAMES: usize = 16;

impl AuditLog {
    /// Whether this is the process that made the log.
    fn is_ours(&self) -> bool {
        self.made_in == fork::generation()
    }

    /// Whether there is room for a new run's entries, and the cell it comes from.
    pub fn admit(&self) -> (bool, u32) {
        // Where bodies wait for room, their runs may count on it.
        let kept = self.is_ours() && (self.wait || self.log.has_room());
        (kept, self.cell.load(Ordering::Relaxed))
    }

    /// Tells the user once what happened to the log.
    pub fn tell_news(&self, py: Python<'_>) {
        if self.log.take_news() && !self.warned.swap(true, Ordering::Relaxed) {
            let failure = self.log.failure().map(|failed| failed.0);
            if let Some(what) = failure.or_else(|| self.log.fallback())
                && let Err(error) = self.notify.call1(py, (what,))
            {
                error.write_unraisable(py, None);
            }
        }
    }

    /// Does that, and refuses new runs if that is the policy.
    pub fn check_policy(&self, py: Python<'_>) -> PyResult<()> {
        self.tell_news(py);
        if self.stop
            && self.log.has_failed()
            && let Some(failed) = self.log.failure()
        {
            return Err(write_error(py, &failed));
        }
        Ok(())
    }

    /// What is kept of an exception: nothing of this runs any of the user's code, unless its text is wanted.
    pub fn describe(
        &self,
        py: Python<'_>,
        error: &Py<PyAny>,
        trace: Option<&Py<PyTraceback>>,
    ) -> Option<Box<Failure>> {
        if !self.is_ours() {
            return None;
        }
        let error = error.bind(py);
        let mut changes = Changes::default();
        let name = error.get_type().name();
        let mut failure = Failure {
            error: name.map_or_else(|_| String::new(), |name| changes.name("error", &name)),
            ..Failure::default()
        };
        let mut next = trace.map(|trace| trace.bind(py).clone().into_any());
        while let Some(step) = next {
            match frame(&step, &mut changes) {
                Ok((place, rest)) => {
                    failure.frames.push(place);
                    next = rest;
                }
                Err(_) => break,
            }
        }
        let outer = failure.frames.len().saturating_sub(FRAMES);
        failure.frames.drain(..outer);
        if (self.messages || self.hasher.is_some())
            && let Ok(text) = error.str()
        {
            let text = changes.text("message", &text);
            let hash = self
                .hasher
                .as_ref()
                .map(|chain| chain.hash(text.as_bytes()));
            failure.text_hmac = hash.map(|hash| String::from_utf8_lossy(&hash).into_owned());
            failure.message = self.messages.then(|| changes.cut("message", text));
        }
        failure.replaced = changes.replaced;
        failure.cut = changes.cut;
        Some(Box::new(failure))
    }

    /// Records the end of a run.
    pub fn run_ended(&self, span: &Span, run: &Run, failure: Option<Box<Failure>>) -> Option<u64> {
        let how = match span.status {
            Status::Failed => End::Failed,
            Status::Cancelled => End::Cancelled,
            Status::Abandoned => End::Abandoned,
            _ => End::Finished,
        };
        let what = What::RunEnded {
            how,
            submitted: span.submitted,
            started: span.started,
            failure,
        };
        let entry = Entry {
            mono: span.ended,
            run: span.run,
            cell: run.from_cell,
            process: Some(Arc::clone(&span.process)),
            lane: Some(Arc::clone(&span.lane)),
            what,
        };
        self.keep(run, entry)
    }

    /// Records an entry of a run, for which room was kept unless there was none.
    fn keep(&self, run: &Run, entry: Entry) -> Option<u64> {
        self.is_ours().then(|| self.put(entry, run.logged))?
    }

    /// Has a run settle when the disk has confirmed its end; false if nobody is to wait for that.
    pub fn settle_when_synced(&self, run: &Bound<'_, Run>, end: Option<u64>) -> bool {
        if !self.durable || end.is_none() {
            return false; // the log is closed: there is nothing to wait for
        }
        let bridge = run.get().bridge.clone_ref(run.py());
        let run = run.clone().unbind();
        self.log.when_synced(move |result| {
            if let Err(failed) = result {
                run.get().state().unsynced = Some(failed);
            }
            Bridge::push_from_outside(bridge, Completion::Settle(run));
        });
        true
    }
}

impl Engine {
    /// Tells what happened to the log, and refuses new runs if that is the policy.
    pub fn check_audit(&self, py: Python<'_>) -> PyResult<()> {
        match &self.audit {
            Some(audit) => audit.get().check_policy(py),
            None => Ok(()),
        }
    }

    /// Whether there is room in the log for a new run's entries, and the cell it comes from.
    pub fn room(&self) -> (bool, u32) {
        match &self.audit {
            Some(audit) => audit.get().admit(),
            None => (false, 0),
        }
    }

    /// Whether runs settle only when the disk has confirmed their ends.
    pub fn is_durable(&self) -> bool {
        self.audit.as_ref().is_some_and(|audit| audit.get().durable)
    }

    /// Whether a body is to wait until the log can take its entries.
    pub fn must_wait(&self) -> bool {
        self.audit.as_ref().is_some_and(|audit| {
            let audit = audit.get();
            audit.wait && audit.is_ours() && !audit.log.has_room()
        })
    }

    /// What will be said of values that are about to be written; nothing without a log.
    pub fn fingerprints(&self, writes: Option<&Bound<'_, PyDict>>) -> Vec<Fingerprint> {
        match (&self.audit, writes) {
            (Some(_), Some(writes)) => writes
                .iter()
                .filter_map(|(path, value)| Some(fingerprint::of(path.extract().ok()?, &value)))
                .collect(),
            _ => Vec::new(),
        }
    }

    /// The same for what a body returned for its only output.
    pub fn fingerprint_returned(
        &self,
        known: &Definition,
        value: &Bound<'_, PyAny>,
    ) -> Vec<Fingerprint> {
        let (Some(_), Some((path, _))) = (&self.audit, known.outputs.first()) else {
            return Vec::new();
        };
        let path = path.extract(value.py());
        path.map_or_else(|_| Vec::new(), |path| vec![fingerprint::of(path, value)])
    }

    /// The same for one path; no value stands for None.
    pub fn fingerprint(
        &self,
        py: Python<'_>,
        path: &str,
        value: Option<&Py<PyAny>>,
        remove: bool,
    ) -> Option<Fingerprint> {
        self.audit.as_ref()?;
        Some(match value {
            _ if remove => fingerprint::removed(path),
            Some(value) => fingerprint::of(path, value.bind(py)),
            None => fingerprint::of(path, py.None().bind(py)),
        })
    }

    /// Records an attempt that is followed by another one.
    pub fn record_retry(&self, run: &Run, span: &Span, attempt: i64, error: &Bound<'_, PyAny>) {
        let Some(audit) = &self.audit else {
            return;
        };
        let audit = audit.get();
        let failure = audit.describe(error.py(), error.as_unbound(), None);
        let Some(failure) = failure else {
            return;
        };
        let mut detail = vec![
            ("attempt".to_owned(), Value::Int(attempt)),
            ("error".to_owned(), Value::Text(failure.error)),
        ];
        let changes = Changes {
            replaced: failure.replaced,
            cut: failure.cut,
        };
        changes.add_to(&mut detail);
        let kind = "run_retried";
        let mut entry = run.entry(span.ended, What::Other { kind, detail });
        entry.lane = Some(Arc::clone(&span.lane));
        // As many as the policy says, each after a pause: they count as the run's own.
        audit.keep(run, entry);
    }

    /// Records an assignment outside of runs.
    pub fn record_put(&self, now: u64, version: u64, print: Option<Fingerprint>) {
        let (Some(audit), Some(print)) = (&self.audit, print) else {
            return;
        };
        let audit = audit.get();
        if audit.is_ours() {
            audit.log.offer(Entry {
                mono: now,
                run: version,
                cell: audit.cell.load(Ordering::Relaxed),
                process: Some(Arc::clone(&self.state_label)),
                lane: None,
                what: What::StateCommitted {
                    version,
                    paths: vec![print],
                },
            });
        }
    }
}

#[pymethods]
impl Engine {
    /// Records that a run reached for what its contract does not grant.
    fn deny(&self, run: &Bound<'_, Run>, path: &Bound<'_, PyString>, verb: &str) {
        if let Some(audit) = &self.audit
            && audit.get().is_ours()
        {
            let run = run.get();
            let mut changes = Changes::default();
            let path = changes.name("path", path);
            let mut detail = vec![
                ("path".to_owned(), Value::Text(path)),
                ("verb".to_owned(), Value::from(verb)),
            ];
            changes.add_to(&mut detail);
            let kind = "contract_denied";
            let entry = run.entry(run.now(), What::Other { kind, detail });
            audit.get().log.offer(entry);
        }
    }
}

impl Run {
    /// A run that succeeded and whose entries are not durable fails whoever asked for durability.
    pub fn tell_unsynced(&self, py: Python<'_>) {
        let Some(failed) = self.state().unsynced.take() else {
            return;
        };
        let what = format!(
            "run r{} of '{}' has committed, but its audit entries are not durable: {failed}",
            self.number(),
            self.name(py)
        );
        let error = write_error(py, &AuditFailed(what))
            .into_value(py)
            .into_bound(py);
        let _old = {
            let mut state = self.state();
            let succeeded = matches!(state.outcome, Some(Outcome::Value(_)));
            succeeded.then(|| state.outcome.replace(Outcome::error(error.as_any())))
        };
    }

    /// An entry about this run.
    pub fn entry(&self, mono: u64, what: What) -> Entry {
        let lane = self.state().lane_label.clone();
        let lane = lane.or_else(|| match self.lane {
            Lane::Loop => Some(self.engine.get().loop_label()),
            Lane::Worker { .. } => None,
        });
        Entry {
            mono,
            run: self.number(),
            cell: self.from_cell,
            process: self.definition().map(|known| Arc::clone(&known.name)),
            lane,
            what,
        }
    }

    /// Records that the body begins, with the versions it was given.
    pub fn record_start(&self, reads: Vec<(Arc<str>, u64)>) {
        let Some(audit) = &self.engine.get().audit else {
            return;
        };
        let (submitted, started) = {
            let mut state = self.state();
            // Asked for its inputs once more: they could not be handed over as they were.
            if std::mem::replace(&mut state.recorded, true) {
                return;
            }
            (state.submitted, state.started)
        };
        let what = What::RunStarted {
            parent: self.parent.load(Ordering::Relaxed),
            submitted,
            reads,
        };
        let entry = self.entry(started, what);
        audit.get().keep(self, entry);
    }

    /// Records what its end makes part of the state. Called under the engine's lock.
    pub fn record_commit(&self, version: u64, paths: Vec<Fingerprint>) {
        if let (Some(audit), false) = (&self.engine.get().audit, paths.is_empty()) {
            let entry = self.entry(self.now(), What::StateCommitted { version, paths });
            audit.get().keep(self, entry);
        }
    }

    /// Records what it publishes on the way: as often as it likes, so that this may be refused.
    pub fn record_publication(&self, version: u64, paths: Vec<Fingerprint>) {
        if let Some(audit) = &self.engine.get().audit
            && audit.get().is_ours()
        {
            let entry = self.entry(self.now(), What::StateCommitted { version, paths });
            audit.get().log.offer(entry);
        }
    }
}

type Place3 = (String, u32, String);

/// File, line and function of one step of a traceback, and the step further in.
fn frame<'py>(
    step: &Bound<'py, PyAny>,
    changes: &mut Changes,
) -> PyResult<(Place3, Option<Bound<'py, PyAny>>)> {
    let code = step.getattr("tb_frame")?.getattr("f_code")?;
    let file = changes.name("frames", code.getattr("co_filename")?.cast()?);
    let function = changes.name("frames", code.getattr("co_qualname")?.cast()?);
    let line = step.getattr("tb_lineno")?.extract().unwrap_or(0);
    let next = step.getattr("tb_next")?;
    Ok(((file, line, function), (!next.is_none()).then_some(next)))
}
