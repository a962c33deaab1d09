//! Complete files, for Python: every operation returns a ticket at once and is done elsewhere.
//!
//! Content is copied on the way in, so that no Python object is held on the disk's threads; callers hand in large data
//! in pieces.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use pyo3::prelude::*;
use theus_core::files::{Draft, Publisher, RealDisk, Staged, Written};

use crate::ticket::{Outcome, Ticket, row};
use crate::{fork, runtime};

type Shared = Arc<Publisher<RealDisk>>;

/// Writes files for one session.
#[pyclass(frozen, module = "theus_nb._core")]
pub struct FileWriter {
    publisher: Shared,
    made_in: u32,
}

/// Does something on the disk's threads and leaves its outcome with a ticket.
fn on_disk(
    publisher: &Shared,
    work: impl FnOnce(&Publisher<RealDisk>) -> Outcome + Send + 'static,
) -> Ticket {
    let (ticket, slot) = Ticket::new();
    publisher.submit(move |publisher| slot.finish(work(publisher)));
    ticket
}

#[pymethods]
impl FileWriter {
    #[new]
    fn new(py: Python<'_>) -> PyResult<Self> {
        Ok(Self {
            publisher: Publisher::new(RealDisk, runtime::shared(py)?),
            made_in: fork::generation(),
        })
    }

    /// Writes a file: `([(path, bytes, sha256)], [errors])`.
    fn write(&self, py: Python<'_>, path: PathBuf, content: &[u8]) -> PyResult<Ticket> {
        fork::check(py, self.made_in)?;
        let (ticket, slot) = Ticket::new();
        let content = content.to_vec();
        self.publisher.submit(
            move |publisher| match publisher.stage_here(&path, &content) {
                Ok(staged) => publisher.publish_here(vec![staged], move |written, failed| {
                    slot.finish(Outcome::Published(written, failed));
                }),
                Err(failure) => slot.finish(Outcome::Failed(failure)),
            },
        );
        Ok(ticket)
    }

    /// Begins a temporary for a file: a `DraftFile`.
    fn open(&self, py: Python<'_>, path: PathBuf) -> PyResult<Ticket> {
        fork::check(py, self.made_in)?;
        let (shared, made_in) = (Arc::clone(&self.publisher), self.made_in);
        Ok(on_disk(
            &self.publisher,
            move |publisher| match Draft::open(publisher.disk(), &path) {
                Ok(draft) => Outcome::Draft(DraftFile {
                    draft: Arc::new(Mutex::new(Some(draft))),
                    publisher: shared,
                    made_in,
                }),
                Err(failure) => Outcome::Failed(failure),
            },
        ))
    }

    /// Puts staged files in their places: `([(path, bytes, sha256)], [errors])`.
    fn publish(&self, py: Python<'_>, files: Vec<Py<StagedFile>>) -> PyResult<Ticket> {
        fork::check(py, self.made_in)?;
        let staged: Vec<_> = files.iter().filter_map(|file| file.get().take()).collect();
        let (ticket, slot) = Ticket::new();
        self.publisher.submit(move |publisher| {
            publisher.publish_here(staged, move |written, failed| {
                slot.finish(Outcome::Published(written, failed));
            });
        });
        Ok(ticket)
    }
}

/// A temporary that is being written. Goes when nobody holds it.
#[pyclass(frozen, module = "theus_nb._core")]
pub struct DraftFile {
    /// Locked on the disk's threads while they write.
    draft: Arc<Mutex<Option<Draft<RealDisk>>>>,
    publisher: Shared,
    made_in: u32,
}

#[pymethods]
impl DraftFile {
    /// Appends bytes. One after another: each waits for the ticket of the one before.
    fn write(&self, py: Python<'_>, content: &[u8]) -> PyResult<Ticket> {
        fork::check(py, self.made_in)?;
        let (draft, content) = (Arc::clone(&self.draft), content.to_vec());
        Ok(on_disk(&self.publisher, move |_| {
            let mut held = draft.lock().unwrap_or_else(PoisonError::into_inner);
            match held.as_mut().map(|draft| draft.write(&content)) {
                Some(Ok(())) => Outcome::Nothing,
                Some(Err(failure)) => {
                    *held = None;
                    Outcome::Failed(failure)
                }
                None => Outcome::Lost,
            }
        }))
    }

    /// Syncs it: a `StagedFile`.
    fn seal(&self, py: Python<'_>) -> PyResult<Ticket> {
        fork::check(py, self.made_in)?;
        let (draft, publisher) = (Arc::clone(&self.draft), Arc::clone(&self.publisher));
        let made_in = self.made_in;
        Ok(on_disk(&self.publisher, move |_| {
            let taken = draft.lock().unwrap_or_else(PoisonError::into_inner).take();
            match taken.map(Draft::seal) {
                Some(Ok(staged)) => Outcome::Staged(StagedFile {
                    written: staged.written().clone(),
                    staged: Mutex::new(Some(staged)),
                    publisher,
                    made_in,
                }),
                Some(Err(failure)) => Outcome::Failed(failure),
                None => Outcome::Lost,
            }
        }))
    }

    /// Removes it; returns at once.
    fn discard(&self) {
        if self.made_in != fork::generation() {
            return; // the parent's temporary
        }
        let draft = Arc::clone(&self.draft);
        self.publisher.runtime().spawn_blocking(move || {
            let taken = draft.lock().unwrap_or_else(PoisonError::into_inner).take();
            drop(taken);
        });
    }
}

impl Drop for DraftFile {
    fn drop(&mut self) {
        if self.made_in == fork::generation() {
            self.discard();
        } else {
            std::mem::forget(Arc::clone(&self.draft));
        }
    }
}

/// A synced temporary that is not visible yet. Goes when nobody holds it.
#[pyclass(frozen, module = "theus_nb._core")]
pub struct StagedFile {
    staged: Mutex<Option<Staged<RealDisk>>>,
    written: Written,
    publisher: Shared,
    made_in: u32,
}

impl StagedFile {
    fn take(&self) -> Option<Staged<RealDisk>> {
        let mut staged = self.staged.lock().unwrap_or_else(PoisonError::into_inner);
        staged.take()
    }
}

#[pymethods]
impl StagedFile {
    /// `(path, bytes, sha256)`.
    #[getter]
    fn row(&self) -> (OsString, u64, String) {
        row(&self.written)
    }

    /// Removes it; returns at once.
    fn discard(&self) {
        let Some(staged) = self.take() else {
            return;
        };
        if self.made_in == fork::generation() {
            self.publisher
                .runtime()
                .spawn_blocking(move || drop(staged));
        } else {
            std::mem::forget(staged); // the parent's temporary
        }
    }
}

impl Drop for StagedFile {
    fn drop(&mut self) {
        self.discard();
    }
}
