//! Putting staged files in their places: one sync of a directory serves everything that was renamed in it meanwhile.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::disk::Disk;
use super::draft::{Draft, Staged};
use super::{Failure, Step, Written};

/// Disk operations at the same time. Enough for the file system to merge the syncs of several files into one.
pub const AT_ONCE: usize = 8;

type Job<D> = Box<dyn FnOnce(&Publisher<D>) + Send>;

/// Hears what has become of the files that were published together.
type Tell = Box<dyn FnOnce(Vec<Written>, Vec<Failure>) + Send>;

/// Files that are published together; whoever brings the last answer tells.
struct Group(Mutex<Answers>);

struct Answers {
    missing: usize,
    written: Vec<Written>,
    failed: Vec<Failure>,
    tell: Option<Tell>,
}

impl Group {
    fn answer(&self, result: Result<Written, Failure>) {
        let told = {
            let mut state = lock(&self.0);
            match result {
                Ok(written) => state.written.push(written),
                Err(failure) => state.failed.push(failure),
            }
            state.missing = state.missing.saturating_sub(1);
            let tell = if state.missing == 0 {
                state.tell.take()
            } else {
                None
            };
            tell.map(|tell| {
                (
                    tell,
                    std::mem::take(&mut state.written),
                    std::mem::take(&mut state.failed),
                )
            })
        };
        if let Some((tell, written, failed)) = told {
            tell(written, failed);
        }
    }
}

/// Files of one directory that wait for the next batch; the entry exists while a thread serves it.
type Batch<D> = Vec<(Staged<D>, Arc<Group>)>;

struct Jobs<D: Disk> {
    queue: VecDeque<Job<D>>,
    workers: usize,
}

/// Writes files on a runtime's threads for blocking work, a few at a time.
///
/// A job stays on one thread from its temporary to the sync of its directory: under load, handing over costs more than
/// the disk does.
pub struct Publisher<D: Disk> {
    disk: Arc<D>,
    runtime: Handle,
    jobs: Mutex<Jobs<D>>,
    /// Held for a push or a swap, never while the disk works.
    waiting: Mutex<HashMap<PathBuf, Batch<D>>>,
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
            jobs: Mutex::new(Jobs {
                queue: VecDeque::new(),
                workers: 0,
            }),
            waiting: Mutex::default(),
        })
    }

    /// The runtime.
    #[must_use]
    pub fn runtime(&self) -> &Handle {
        &self.runtime
    }

    /// What is asked for files.
    #[must_use]
    pub fn disk(&self) -> &Arc<D> {
        &self.disk
    }

    /// Has something done that may block, on one of a few threads, in the order of these calls.
    pub fn submit(self: &Arc<Self>, job: impl FnOnce(&Self) + Send + 'static) {
        let spawn = {
            let mut jobs = lock(&self.jobs);
            jobs.queue.push_back(Box::new(job));
            let spawn = jobs.workers < AT_ONCE;
            jobs.workers += usize::from(spawn);
            spawn
        };
        if spawn {
            let me = Arc::clone(self);
            self.runtime.spawn_blocking(move || me.work());
        }
    }

    fn work(&self) {
        loop {
            let job = {
                let mut jobs = lock(&self.jobs);
                let Some(job) = jobs.queue.pop_front() else {
                    jobs.workers -= 1;
                    return;
                };
                job
            };
            job(self);
        }
    }

    /// Writes and syncs a temporary, in this thread.
    ///
    /// # Errors
    /// Something failed; the target is as it was.
    pub fn stage_here(&self, path: &Path, content: &[u8]) -> Result<Staged<D>, Failure> {
        let mut draft = Draft::open(&self.disk, path)?;
        draft.write(content)?;
        draft.seal()
    }

    /// Puts staged files in their places, in this thread or in one that is at work in their directories already.
    ///
    /// `tell` hears, when that is durable, of the files that are in their places and of those that failed.
    pub fn publish_here(
        &self,
        staged: Vec<Staged<D>>,
        tell: impl FnOnce(Vec<Written>, Vec<Failure>) + Send + 'static,
    ) {
        if staged.is_empty() {
            tell(Vec::new(), Vec::new());
            return;
        }
        let group = Arc::new(Group(Mutex::new(Answers {
            missing: staged.len(),
            written: Vec::new(),
            failed: Vec::new(),
            tell: Some(Box::new(tell)),
        })));
        let mut mine = Vec::new();
        for file in staged {
            let directory = file.directory().to_owned();
            let mut waiting = lock(&self.waiting);
            if let Some(batch) = waiting.get_mut(&directory) {
                batch.push((file, Arc::clone(&group)));
            } else {
                waiting.insert(directory.clone(), vec![(file, Arc::clone(&group))]);
                mine.push(directory);
            }
        }
        for directory in mine {
            serve(&*self.disk, &self.waiting, &directory);
        }
    }

    /// Writes and syncs a temporary.
    ///
    /// # Errors
    /// Something failed; the target is as it was.
    pub async fn stage(
        self: &Arc<Self>,
        path: PathBuf,
        content: Vec<u8>,
    ) -> Result<Staged<D>, Failure> {
        let (tell, told) = oneshot::channel();
        let ended = stopped(&path);
        self.submit(move |me| drop(tell.send(me.stage_here(&path, &content))));
        told.await.unwrap_or(Err(ended))
    }

    /// Puts staged files in their places; returns, when that is durable, those that are and those that failed.
    pub async fn publish(self: &Arc<Self>, staged: Vec<Staged<D>>) -> (Vec<Written>, Vec<Failure>) {
        let (tell, told) = oneshot::channel();
        let ended = staged
            .iter()
            .map(|file| stopped(&file.written().path))
            .collect();
        self.submit(move |me| {
            me.publish_here(staged, |written, failed| drop(tell.send((written, failed))));
        });
        told.await.unwrap_or((Vec::new(), ended))
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
                Err(failure) => tell.answer(Err(failure)),
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
            tell.answer(answer);
        }
    }
}
