//! Putting staged files in their places: one sync of a directory serves everything that was renamed in it meanwhile.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::runtime::Handle;
use tokio::sync::{Semaphore, oneshot};

use super::disk::Disk;
use super::draft::{Draft, Staged};
use super::{Failure, Step, Written};

/// Disk operations at the same time. Enough for the file system to merge the syncs of several files into one.
pub const AT_ONCE: usize = 8;

type Answer = oneshot::Sender<Result<Written, Failure>>;

/// Files of one directory that wait for the next batch; the entry exists while a task serves it.
type Batch<D> = Vec<(Staged<D>, Answer)>;

/// Writes files on a runtime, a few at a time.
#[derive(Debug)]
pub struct Publisher<D: Disk> {
    disk: Arc<D>,
    runtime: Handle,
    permits: Arc<Semaphore>,
    /// Held for a push or a swap, never while the disk works.
    waiting: Arc<Mutex<HashMap<PathBuf, Batch<D>>>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn stopped(path: &Path) -> Failure {
    let error = io::Error::other("the runtime has ended");
    Failure::new(path, Step::Write, error)
}

impl<D: Disk> Publisher<D> {
    /// A publisher whose work is done on a runtime's threads for blocking work.
    #[must_use]
    pub fn new(disk: D, runtime: Handle) -> Arc<Self> {
        Arc::new(Self {
            disk: Arc::new(disk),
            runtime,
            permits: Arc::new(Semaphore::new(AT_ONCE)),
            waiting: Arc::default(),
        })
    }

    /// The runtime.
    #[must_use]
    pub fn runtime(&self) -> &Handle {
        &self.runtime
    }

    /// Does something that may block; None if the runtime has ended.
    pub async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Arc<D>) -> T + Send + 'static,
    ) -> Option<T> {
        let permit = Arc::clone(&self.permits).acquire_owned().await.ok()?;
        let disk = Arc::clone(&self.disk);
        let done = self.runtime.spawn_blocking(move || {
            let result = work(&disk);
            drop(permit);
            result
        });
        done.await.ok()
    }

    /// Writes and syncs a temporary.
    ///
    /// # Errors
    /// Something failed; the target is as it was.
    pub async fn stage(&self, path: PathBuf, content: Vec<u8>) -> Result<Staged<D>, Failure> {
        let ended = stopped(&path);
        let staged = self.blocking(move |disk| {
            let mut draft = Draft::open(disk, &path)?;
            draft.write(&content)?;
            draft.seal()
        });
        staged.await.unwrap_or(Err(ended))
    }

    /// Puts staged files in their places; returns when that is durable.
    ///
    /// # Errors
    /// One for each file that failed; the others are in their places.
    pub async fn publish(&self, staged: Vec<Staged<D>>) -> (Vec<Written>, Vec<Failure>) {
        let answers: Vec<_> = staged.into_iter().map(|file| self.enqueue(file)).collect();
        let (mut written, mut failed) = (Vec::new(), Vec::new());
        for (path, answer) in answers {
            match answer.await {
                Ok(Ok(done)) => written.push(done),
                Ok(Err(failure)) => failed.push(failure),
                Err(_) => failed.push(stopped(&path)),
            }
        }
        (written, failed)
    }

    fn enqueue(&self, file: Staged<D>) -> (PathBuf, oneshot::Receiver<Result<Written, Failure>>) {
        let (tell, told) = oneshot::channel();
        let path = file.written().path.clone();
        let directory = file.directory().to_owned();
        let mut waiting = lock(&self.waiting);
        if let Some(batch) = waiting.get_mut(&directory) {
            batch.push((file, tell));
        } else {
            waiting.insert(directory.clone(), vec![(file, tell)]);
            drop(waiting);
            let (disk, waiting) = (Arc::clone(&self.disk), Arc::clone(&self.waiting));
            self.runtime
                .spawn_blocking(move || serve(&*disk, &waiting, &directory));
        }
        (path, told)
    }
}

/// Serves one directory until nothing waits for it: what comes while a batch is being synced is the next batch.
fn serve<D: Disk>(disk: &D, waiting: &Mutex<HashMap<PathBuf, Batch<D>>>, directory: &Path) {
    loop {
        let batch = {
            let mut waiting = lock(waiting);
            match waiting.get_mut(directory) {
                Some(batch) if !batch.is_empty() => std::mem::take(batch),
                _ => {
                    waiting.remove(directory);
                    return;
                }
            }
        };
        let mut renamed = Vec::with_capacity(batch.len());
        for (file, tell) in batch {
            match file.rename() {
                Ok(written) => renamed.push((written, tell)),
                // Whoever does not listen any more has left; nothing to tell.
                Err(failure) => drop(tell.send(Err(failure))),
            }
        }
        if renamed.is_empty() {
            continue;
        }
        let synced = disk.sync_directory(directory);
        for (written, tell) in renamed {
            let answer = match &synced {
                Ok(()) => Ok(written),
                Err(error) => {
                    let error = error
                        .raw_os_error()
                        .map_or_else(|| error.kind().into(), io::Error::from_raw_os_error);
                    Err(Failure::new(&written.path, Step::SyncDirectory, error))
                }
            };
            drop(tell.send(answer));
        }
    }
}
