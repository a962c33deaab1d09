//! The audit log's face to Python, and what the engine tells it.
//!
//! Recording copies what is needed into the log's queue and returns; text is made, hashed and written elsewhere, by a
//! task that never touches Python.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTraceback};
use theus_core::audit::clock::SystemClock;
use theus_core::audit::segment::Folder;
use theus_core::audit::storage::{Memory, Place};
use theus_core::audit::{AuditFailed, End, Entry, Failure, Fingerprint, Log, Options, Value, What};
use theus_core::span::{Span, Status};

use crate::detail::{self, Replaced};
use crate::engine::Engine;
use crate::errors::theus_error;
use crate::run::{Lane, Run};
use crate::{fingerprint, fork, runtime};

/// Open files of logs, for a forked child to close.
static DESCRIPTORS: Mutex<Vec<Weak<AtomicI32>>> = Mutex::new(Vec::new());

/// Innermost frames kept of a failure.
const FRAMES: usize = 16;

/// One session's audit log.
#[pyclass(frozen, weakref, module = "theus_nb._core")]
pub struct AuditLog {
    log: Log,
    pub began: Instant,
    made_in: u32,
    /// Called with what the user has to be told.
    notify: Py<PyAny>,
    /// Hashes the texts of errors, where there is a key.
    hasher: Option<theus_core::audit::chain::Chain>,
    messages: bool,
    /// Whether runs are refused once the log cannot be written.
    stop: bool,
    cell: AtomicU32,
    warned: AtomicBool,
}

#[pymethods]
impl AuditLog {
    #[new]
    #[pyo3(signature = (directory, name, opening, notify, *, key = None, default_place = false, messages = false,
        stop = false, segment_bytes = 64 << 20))]
    #[allow(clippy::too_many_arguments)] // made in one place
    #[allow(clippy::fn_params_excessive_bools)]
    fn new(
        py: Python<'_>,
        directory: Option<PathBuf>,
        name: String,
        opening: &Bound<'_, PyDict>,
        notify: Py<PyAny>,
        key: Option<Vec<u8>>,
        default_place: bool,
        messages: bool,
        stop: bool,
        segment_bytes: u64,
    ) -> PyResult<Self> {
        let began = Instant::now();
        let place: Box<dyn Place> = match directory {
            None => Box::new(Memory),
            Some(base) => {
                let descriptor = Arc::new(AtomicI32::new(-1));
                remember(&descriptor);
                Box::new(Folder {
                    base,
                    name,
                    segment_bytes,
                    ignored: default_place,
                    descriptor,
                })
            }
        };
        let hasher = key
            .as_deref()
            .map(|key| theus_core::audit::chain::Chain::new(Some(key)));
        let mut opening = detail::fields(opening)?;
        let version = Value::from(env!("CARGO_PKG_VERSION"));
        opening.push(("theus_nb".to_owned(), version));
        let options = Options {
            key,
            opening,
            fallback: default_place,
            ..Options::default()
        };
        let clock = Arc::new(SystemClock { began });
        Ok(Self {
            log: Log::start(&runtime::shared(py)?, place, clock, options),
            began,
            made_in: fork::generation(),
            notify,
            hasher,
            messages,
            stop,
            cell: AtomicU32::new(0),
            warned: AtomicBool::new(false),
        })
    }

    /// Records an entry; None if there was no room (it is counted) or the log is closed.
    #[pyo3(signature = (kind, detail = None, *, process = None, run = None))]
    fn record(
        &self,
        py: Python<'_>,
        kind: &str,
        detail: Option<&Bound<'_, PyDict>>,
        process: Option<&str>,
        run: Option<&Bound<'_, Run>>,
    ) -> PyResult<Option<u64>> {
        fork::check(py, self.made_in)?;
        let Some(kind) = KINDS.iter().find(|known| **known == kind) else {
            let message = format!("the audit log has no entries of kind {kind:?}");
            return Err(theus_error(py, "AuditError", &message));
        };
        let fields = detail.map_or_else(|| Ok(Vec::new()), detail::fields)?;
        let mut entry = Entry::plain(self.log.now(), kind, fields);
        entry.cell = self.cell.load(Ordering::Relaxed);
        entry.process = process.map(Into::into);
        let mut kept = false;
        if let Some(run) = run {
            let run = run.get();
            entry = run.entry(entry.mono, entry.what);
            kept = run.logged;
        }
        Ok(if kept {
            self.log.record(entry)
        } else {
            self.log.offer(entry)
        })
    }

    /// Lines with numbers above `after` that are still in memory, oldest first, at most `limit`.
    fn lines(&self, py: Python<'_>, after: i64, limit: usize) -> PyResult<Vec<String>> {
        fork::check(py, self.made_in)?;
        Ok(py.detach(|| self.log.lines(after, limit)))
    }

    /// `(next number, last synced number, entries lost)`.
    fn position(&self, py: Python<'_>) -> PyResult<(u64, i64, u64)> {
        fork::check(py, self.made_in)?;
        let position = self.log.position();
        Ok((position.next, position.synced, position.dropped))
    }

    /// Number of the last entry the operating system has; -1 for none.
    #[getter]
    fn written(&self, py: Python<'_>) -> PyResult<i64> {
        fork::check(py, self.made_in)?;
        Ok(self.log.position().written)
    }

    /// Number of the oldest line in memory.
    #[getter]
    fn first_line(&self, py: Python<'_>) -> PyResult<Option<u64>> {
        fork::check(py, self.made_in)?;
        Ok(self.log.first_line())
    }

    /// Why nothing is written any more, or why the log is in memory only; None if all is well.
    #[getter]
    fn trouble(&self, py: Python<'_>) -> PyResult<Option<String>> {
        fork::check(py, self.made_in)?;
        Ok(self
            .log
            .failure()
            .map(|failed| failed.0)
            .or_else(|| self.log.fallback()))
    }

    /// Whether entries find room at present.
    #[getter]
    fn has_room(&self, py: Python<'_>) -> PyResult<bool> {
        fork::check(py, self.made_in)?;
        Ok(self.log.has_room())
    }

    /// Execution count of the cell that is being executed; 0 for none.
    #[getter]
    fn cell(&self) -> u32 {
        self.cell.load(Ordering::Relaxed)
    }

    #[setter]
    fn set_cell(&self, cell: u32) {
        self.cell.store(cell, Ordering::Relaxed);
    }

    /// Asks for everything so far to be synced; returns the number of the last entry.
    fn request_sync(&self, py: Python<'_>) -> PyResult<i64> {
        fork::check(py, self.made_in)?;
        Ok(self.log.request_sync())
    }

    /// Blocks until an entry is synced, at most `timeout` seconds; the interpreter is free meanwhile.
    fn wait(&self, py: Python<'_>, seq: i64, timeout: f64) -> PyResult<bool> {
        fork::check(py, self.made_in)?;
        let waited = py.detach(|| self.log.wait(seq, seconds(timeout)));
        waited.map_err(|failed| write_error(py, &failed))
    }

    /// Blocks until an entry is in memory to be looked at, at most `timeout` seconds.
    fn settle(&self, py: Python<'_>, timeout: f64) -> PyResult<bool> {
        fork::check(py, self.made_in)?;
        Ok(py.detach(|| self.log.settle(seconds(timeout))))
    }

    /// Writes the last entry and waits for it to be synced, at most `timeout` seconds.
    #[pyo3(signature = (detail = None, timeout = 1.0))]
    fn close(
        &self,
        py: Python<'_>,
        detail: Option<&Bound<'_, PyDict>>,
        timeout: f64,
    ) -> PyResult<bool> {
        fork::check(py, self.made_in)?;
        let fields = detail.map_or_else(|| Ok(Vec::new()), detail::fields)?;
        self.log.close(fields);
        let ended = py.detach(|| self.log.wait_end(seconds(timeout)));
        ended.map_err(|failed| write_error(py, &failed))
    }
}

impl Drop for AuditLog {
    fn drop(&mut self) {
        // A forked child has a copy of a queue that may be locked for ever.
        if self.made_in == fork::generation() {
            self.log.close(Vec::new());
        }
    }
}

/// Kinds that Python records.
const KINDS: &[&str] = &[
    "process_defined",
    "run_retried",
    "contract_denied",
    "signal_published",
    "file_written",
    "commit_intent",
    "loop_blocked",
    "note",
];

fn seconds(timeout: f64) -> Duration {
    Duration::try_from_secs_f64(timeout).unwrap_or(Duration::ZERO)
}

fn write_error(py: Python<'_>, failed: &AuditFailed) -> PyErr {
    let message = format!(
        "{failed}; nothing more is written to this log: see to the disk, then make a new session \
         (in a notebook: %unload_ext theus_nb and %load_ext theus_nb)"
    );
    theus_error(py, "AuditWriteError", &message)
}

// -- what the engine tells ----------------------------------------------------------------------

impl AuditLog {
    fn is_ours(&self) -> bool {
        self.made_in == fork::generation()
    }

    /// Whether there is room for a new run's entries, and the cell it comes from.
    pub fn admit(&self) -> (bool, u32) {
        let kept = self.is_ours() && self.log.has_room();
        (kept, self.cell.load(Ordering::Relaxed))
    }

    /// Tells the user once what happened to the log, and refuses new runs if that is the policy.
    pub fn check_policy(&self, py: Python<'_>) -> PyResult<()> {
        if self.log.take_news() && !self.warned.swap(true, Ordering::Relaxed) {
            let failure = self.log.failure().map(|failed| failed.0);
            if let Some(what) = failure.or_else(|| self.log.fallback())
                && let Err(error) = self.notify.call1(py, (what,))
            {
                error.write_unraisable(py, None);
            }
        }
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
        let mut replaced = Replaced::default();
        let name = error.get_type().name();
        let mut failure = Failure {
            error: name.map_or_else(|_| String::new(), |name| replaced.text("error", &name)),
            ..Failure::default()
        };
        let mut next = trace.map(|trace| trace.bind(py).clone().into_any());
        while let Some(step) = next {
            match frame(&step, &mut replaced) {
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
            let text = replaced.text("message", &text);
            let hash = self
                .hasher
                .as_ref()
                .map(|chain| chain.hash(text.as_bytes()));
            failure.text_hmac = hash.map(|hash| String::from_utf8_lossy(&hash).into_owned());
            failure.message = self.messages.then_some(text);
        }
        failure.replaced = replaced.0;
        Some(Box::new(failure))
    }

    /// Records the end of a run.
    pub fn run_ended(&self, span: &Span, run: &Run, failure: Option<Box<Failure>>) {
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
            cell: run.cell,
            process: Some(Arc::clone(&span.process)),
            lane: Some(Arc::clone(&span.lane)),
            what,
        };
        self.keep(run, entry);
    }

    /// Records an entry of a run, for which room was kept unless there was none.
    fn keep(&self, run: &Run, entry: Entry) {
        if !self.is_ours() {
            return;
        }
        if run.logged {
            self.log.record(entry);
        } else {
            self.log.offer(entry);
        }
    }
}

impl Engine {
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

    /// The same for one path; without a value it is being removed.
    pub fn fingerprint(
        &self,
        py: Python<'_>,
        path: &str,
        value: Option<Option<&Py<PyAny>>>,
    ) -> Option<Fingerprint> {
        self.audit.as_ref()?;
        Some(match value {
            None => fingerprint::removed(path),
            Some(None) => fingerprint::of(path, py.None().bind(py)),
            Some(Some(value)) => fingerprint::of(path, value.bind(py)),
        })
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
    fn deny(&self, run: &Bound<'_, Run>, path: &str, verb: &str) {
        if let Some(audit) = &self.audit
            && audit.get().is_ours()
        {
            let run = run.get();
            let detail = vec![
                ("path".to_owned(), Value::from(path)),
                ("verb".to_owned(), Value::from(verb)),
            ];
            let kind = "contract_denied";
            let entry = run.entry(run.now(), What::Other { kind, detail });
            audit.get().log.offer(entry);
        }
    }
}

impl Run {
    /// An entry about this run.
    fn entry(&self, mono: u64, what: What) -> Entry {
        let lane = self.state().lane_label.clone();
        let lane = lane.or_else(|| match self.lane {
            Lane::Loop => Some(self.engine.get().loop_label()),
            Lane::Worker { .. } => None,
        });
        Entry {
            mono,
            run: self.number(),
            cell: self.cell,
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
            let state = self.state();
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
    replaced: &mut Replaced,
) -> PyResult<(Place3, Option<Bound<'py, PyAny>>)> {
    let code = step.getattr("tb_frame")?.getattr("f_code")?;
    let file = replaced.text("frames", code.getattr("co_filename")?.cast()?);
    let function = replaced.text("frames", code.getattr("co_qualname")?.cast()?);
    let line = step.getattr("tb_lineno")?.extract().unwrap_or(0);
    let next = step.getattr("tb_next")?;
    Ok(((file, line, function), (!next.is_none()).then_some(next)))
}

// -- forked children ------------------------------------------------------------------------------

/// Remembers a log's descriptor. With the interpreter held, so that no child finds the list locked.
fn remember(descriptor: &Arc<AtomicI32>) {
    let mut known = DESCRIPTORS.lock().unwrap_or_else(PoisonError::into_inner);
    known.retain(|one| one.strong_count() > 0);
    known.push(Arc::downgrade(descriptor));
}

/// Closes the files of the parent's logs in a forked child.
#[cfg(unix)]
pub fn close_inherited() {
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
pub fn close_inherited() {}
