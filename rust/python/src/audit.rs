//! The audit log's face to Python, and what the engine tells it.
//!
//! Recording copies what is needed into the log's queue and returns; text is made, hashed and written elsewhere, by a
//! task that never touches Python.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use pyo3::prelude::*;
use pyo3::types::PyDict;
use theus_core::audit::clock::SystemClock;
use theus_core::audit::segment::Folder;
use theus_core::audit::storage::{Memory, Place};
use theus_core::audit::{AuditFailed, Entry, Log, Options, Value, What};

use crate::errors::theus_error;
use crate::run::Run;
use crate::ticket::{Outcome, Ticket};
use crate::{detail, fork, runtime};

/// One session's audit log.
#[pyclass(frozen, weakref, module = "theus_nb._core")]
#[allow(clippy::struct_excessive_bools)] // options that do not depend on each other
pub struct AuditLog {
    pub log: Log,
    pub began: Instant,
    pub made_in: u32,
    /// Called with what the user has to be told.
    pub notify: Py<PyAny>,
    /// Hashes the texts of errors, where there is a key.
    pub hasher: Option<theus_core::audit::chain::Chain>,
    pub messages: bool,
    /// Whether runs are refused once the log cannot be written.
    pub stop: bool,
    /// Whether bodies wait while the queue is full; otherwise what finds no room is counted as lost.
    pub wait: bool,
    /// Whether a run settles only when the disk has confirmed its entries.
    pub durable: bool,
    pub cell: AtomicU32,
    pub warned: AtomicBool,
}

#[pymethods]
impl AuditLog {
    #[new]
    #[pyo3(signature = (directory, name, opening, notify, *, key = None, default_place = false, messages = false,
        stop = false, wait = false, durable = false, segment_bytes = 64 << 20))]
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
        wait: bool,
        durable: bool,
        segment_bytes: u64,
    ) -> PyResult<Self> {
        let began = Instant::now();
        let place: Box<dyn Place> = match directory {
            None => Box::new(Memory),
            Some(base) => {
                let descriptor = Arc::new(AtomicI32::new(-1));
                fork::close_in_children(&descriptor);
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
            // Whoever counts on the log gets an error instead.
            fallback: default_place && !durable && !stop,
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
            wait,
            durable,
            cell: AtomicU32::new(0),
            warned: AtomicBool::new(false),
        })
    }

    /// Records an entry; None if there was no room (it is counted) or the log is closed.
    ///
    /// With `kept` the queue grows for it: whoever says so has waited for room, or cannot do it often.
    #[pyo3(signature = (kind, detail = None, *, process = None, run = None, kept = false))]
    fn record(
        &self,
        py: Python<'_>,
        kind: &str,
        detail: Option<&Bound<'_, PyDict>>,
        process: Option<&str>,
        run: Option<&Bound<'_, Run>>,
        kept: bool,
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
        if let Some(run) = run {
            entry = run.get().entry(entry.mono, entry.what);
        }
        Ok(self.put(entry, kept))
    }

    /// Records a remark, and tells the user what happened to the log, as `tell` does.
    #[pyo3(signature = (text, *, kept = false))]
    fn note(&self, py: Python<'_>, text: &Bound<'_, PyAny>, kept: bool) -> PyResult<Option<u64>> {
        fork::check(py, self.made_in)?;
        let (text, lossless) = detail::text(text)?;
        let mut entry = Entry::plain(self.log.now(), "note", Vec::new());
        entry.cell = self.cell.load(Ordering::Relaxed);
        entry.what = What::Note {
            text,
            replaced: !lossless,
        };
        let number = self.put(entry, kept);
        self.tell_news(py);
        if number.is_none() && self.log.is_closed() {
            let message = "the audit log ended with its session: make a new Session()";
            return Err(theus_error(py, "SessionClosedError", message));
        }
        Ok(number)
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

    /// Why the log is in memory although it was to be on disk; None if it is not.
    #[getter]
    fn fallback(&self, py: Python<'_>) -> PyResult<Option<String>> {
        fork::check(py, self.made_in)?;
        Ok(self.log.fallback())
    }

    /// Tells the user what happened to the log, if something did and nobody has been told.
    fn tell(&self, py: Python<'_>) {
        if self.made_in == fork::generation() {
            self.tell_news(py);
        }
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

    /// A ticket that is done when everything recorded so far is synced, or never will be.
    fn synced(&self, py: Python<'_>) -> PyResult<Ticket> {
        fork::check(py, self.made_in)?;
        let (ticket, slot) = Ticket::new();
        self.log.when_synced(move |result| {
            slot.finish(match result {
                Ok(()) => Outcome::Nothing,
                Err(failed) => Outcome::NotWritten(failed),
            });
        });
        Ok(ticket)
    }

    /// A ticket that is done when there is room again; None if there is, or if nobody is to wait for it.
    fn room(&self, py: Python<'_>) -> PyResult<Option<Ticket>> {
        if !self.wait {
            return Ok(None);
        }
        fork::check(py, self.made_in)?;
        if self.log.has_room() {
            return Ok(None);
        }
        let (ticket, slot) = Ticket::new();
        self.log.when_room(move || slot.finish(Outcome::Nothing));
        Ok(Some(ticket))
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
        if self.made_in != fork::generation() {
            return Ok(true); // a child's end is not that of its parent's session
        }
        let fields = detail.map_or_else(|| Ok(Vec::new()), detail::fields)?;
        self.log.close(fields);
        let ended = py.detach(|| self.log.wait_end(seconds(timeout)));
        ended.map_err(|failed| write_error(py, &failed))
    }
}

impl AuditLog {
    /// Puts an entry into the queue: for sure, or if there is room.
    pub fn put(&self, entry: Entry, kept: bool) -> Option<u64> {
        if kept {
            self.log.record(entry)
        } else {
            self.log.offer(entry)
        }
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
];

fn seconds(timeout: f64) -> Duration {
    Duration::try_from_secs_f64(timeout).unwrap_or(Duration::ZERO)
}

pub fn write_error(py: Python<'_>, failed: &AuditFailed) -> PyErr {
    let message = format!(
        "{failed}; nothing more is written to this log: see to the disk, then make a new session \
         (in a notebook: %unload_ext theus_nb and %load_ext theus_nb)"
    );
    theus_error(py, "AuditWriteError", &message)
}
