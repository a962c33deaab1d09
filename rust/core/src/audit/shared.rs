//! What those who record and the one who writes have in common: a queue, the progress, the newest lines.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use tokio::sync::Notify;

use crate::sync::{AtomicBool, Condvar, Mutex, MutexGuard};

use super::clock::Clock;
use super::entry::{Entry, Value};
use super::log::{AuditFailed, Options};
use super::tail::Tail;

/// Hears once what it waits for, on whatever thread finds out: it must not block.
pub(super) type Hear = Box<dyn FnOnce(Result<(), AuditFailed>) + Send>;

/// Who waits for an entry to be synced, or (all for the same) for room in the queue.
#[derive(Default)]
pub(super) struct Waiting(Vec<(i64, Hear)>);

impl std::fmt::Debug for Waiting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} waiting", self.0.len())
    }
}

impl Waiting {
    pub(super) fn add(&mut self, seq: i64, hear: Hear) {
        self.0.push((seq, hear));
    }

    pub(super) fn take_all(&mut self) -> Self {
        std::mem::take(self)
    }

    /// Takes out those whose entry is not above `seq`.
    fn take_up_to(&mut self, seq: i64) -> Self {
        if self.0.iter().all(|(wanted, _)| *wanted > seq) {
            return Self::default();
        }
        let (reached, rest) = self.0.drain(..).partition(|(wanted, _)| *wanted <= seq);
        self.0 = rest;
        Self(reached)
    }

    /// Called without any lock: those who hear may look at the log.
    pub(super) fn tell(self, result: &Result<(), AuditFailed>) {
        for (_, hear) in self.0 {
            hear(result.clone());
        }
    }
}

/// Entries that the writer has not taken yet.
#[derive(Debug)]
pub(super) struct Queue {
    pub(super) entries: Vec<Entry>,
    pub(super) bytes: usize,
    /// Number of the next entry; 0 only before the first one.
    pub(super) next: u64,
    /// Refused since the last entry that says so.
    pub(super) refused: u64,
    /// Refused in all.
    pub(super) dropped: u64,
    /// The writer sleeps until it is called.
    pub(super) parked: bool,
    /// Nothing more is taken.
    pub(super) closed: bool,
    /// Somebody waits until this entry is synced.
    pub(super) wanted: i64,
    /// Told when there is room, or when nothing more is taken.
    pub(super) for_room: Waiting,
}

/// What has become of the entries.
#[derive(Debug)]
pub(super) struct Progress {
    /// The last entry that is among the lines.
    pub(super) encoded: i64,
    pub(super) written: i64,
    pub(super) synced: i64,
    pub(super) failed: Option<AuditFailed>,
    /// Why the log is in memory although it was to be on disk.
    pub(super) fallback: Option<String>,
    /// The writer has left.
    pub(super) ended: bool,
    /// Told when their entries are synced, or never will be.
    pub(super) for_sync: Waiting,
}

impl Progress {
    /// What became of an entry's durability; None while that is open.
    pub(super) fn verdict(&self, seq: i64) -> Option<Result<(), AuditFailed>> {
        match &self.failed {
            _ if seq <= self.synced => Some(Ok(())),
            Some(failed) => Some(Err(failed.clone())),
            None => self.ended.then_some(Ok(())),
        }
    }
}

/// What callers and the writer share.
#[derive(Debug)]
pub(super) struct Shared {
    queue: Mutex<Queue>,
    pub(super) wake: Notify,
    progress: Mutex<Progress>,
    pub(super) moved: Condvar,
    tail: Mutex<Tail>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) capacity: usize,
    capacity_bytes: usize,
    /// Something is to be said that nobody has been told yet.
    pub(super) news: AtomicBool,
    /// The file takes nothing any more.
    pub(super) failed: AtomicBool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub(super) fn new(clock: Arc<dyn Clock>, options: &Options) -> Self {
        Self {
            queue: Mutex::new(Queue {
                entries: Vec::new(),
                bytes: 0,
                next: 0,
                refused: 0,
                dropped: 0,
                parked: true,
                closed: false,
                wanted: -1,
                for_room: Waiting::default(),
            }),
            wake: Notify::new(),
            progress: Mutex::new(Progress {
                encoded: -1,
                written: -1,
                synced: -1,
                failed: None,
                fallback: None,
                ended: false,
                for_sync: Waiting::default(),
            }),
            moved: Condvar::new(),
            tail: Mutex::new(Tail::new(options.tail_bytes)),
            clock,
            capacity: options.capacity,
            capacity_bytes: options.capacity_bytes,
            news: AtomicBool::new(false),
            failed: AtomicBool::new(false),
        }
    }

    pub(super) fn queue(&self) -> MutexGuard<'_, Queue> {
        lock(&self.queue)
    }

    pub(super) fn progress(&self) -> MutexGuard<'_, Progress> {
        lock(&self.progress)
    }

    pub(super) fn tail(&self) -> MutexGuard<'_, Tail> {
        lock(&self.tail)
    }

    /// Changes the progress and wakes whoever waits for it.
    pub(super) fn advance(&self, change: impl FnOnce(&mut Progress)) {
        let (synced, lost) = {
            let mut progress = self.progress();
            change(&mut progress);
            let synced = progress.synced;
            let synced = progress.for_sync.take_up_to(synced);
            let lost = progress
                .verdict(i64::MAX)
                .map(|verdict| (progress.for_sync.take_all(), verdict));
            (synced, lost)
        };
        self.moved.notify_all();
        synced.tell(&Ok(()));
        if let Some((lost, verdict)) = lost {
            lost.tell(&verdict);
        }
    }

    /// The same for what the user has to be told.
    pub(super) fn announce(&self, change: impl FnOnce(&mut Progress)) {
        self.advance(|progress| {
            change(progress);
            self.news.store(true, Ordering::Release);
        });
    }

    /// Whether the log is closed and the writer has taken everything: nothing will come any more.
    pub(super) fn is_drained(&self) -> bool {
        let queue = self.queue();
        queue.closed && queue.entries.is_empty() && queue.refused == 0
    }

    /// Exchanges the queue for an empty one; true if there was anything.
    ///
    /// Entries that were refused are accounted for here, where there is room again.
    pub(super) fn take(&self, empty: &mut Vec<Entry>) -> bool {
        let mut queue = self.queue();
        if queue.refused > 0 {
            let count = i64::try_from(std::mem::take(&mut queue.refused)).unwrap_or(i64::MAX);
            let detail = vec![
                ("count".to_owned(), Value::Int(count)),
                ("why".to_owned(), Value::from("the log could not keep up")),
            ];
            queue.next = queue.next.max(1) + 1;
            let entry = Entry::plain(self.clock.mono(), "dropped", detail);
            queue.entries.push(entry);
        }
        if queue.entries.is_empty() {
            return false;
        }
        queue.bytes = 0;
        std::mem::swap(&mut queue.entries, empty);
        let for_room = queue.for_room.take_all();
        drop(queue);
        for_room.tell(&Ok(()));
        true
    }

    /// Says that the writer is about to sleep; false if there is something to do instead.
    pub(super) fn park(&self, synced: i64) -> bool {
        let mut queue = self.queue();
        let idle = queue.entries.is_empty() && !queue.closed && queue.wanted <= synced;
        queue.parked = idle;
        idle
    }

    /// Whether an entry of a weight finds room.
    pub(super) fn room(&self, queue: &Queue, weight: usize) -> bool {
        queue.entries.len() < self.capacity && queue.bytes + weight <= self.capacity_bytes
    }
}
