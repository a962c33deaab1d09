//! What callers hold of a log: they record, look and wait; its writer does the rest.

use std::fmt;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;

use super::clock::Clock;
use super::entry::{Entry, Value};
use super::shared::{Progress, Shared};
use super::storage::Place;
use super::writer::Writer;

/// How a log is written.
#[derive(Clone, Debug)]
pub struct Options {
    /// Key of the chain, if it has one.
    pub key: Option<Vec<u8>>,
    /// Detail of the first entry; the heads of the neighbours are added.
    pub opening: Vec<(String, Value)>,
    /// Waiting entries above which notes are refused and new runs find no room.
    pub capacity: usize,
    /// The same in bytes.
    pub capacity_bytes: usize,
    /// Bytes after which a batch is full.
    pub batch_bytes: usize,
    /// Bytes that may be written and not synced, if nobody waits for them.
    pub sync_bytes: usize,
    /// For how long written entries may go unsynced.
    pub sync_every: Duration,
    /// For how long the writer collects entries while they keep coming.
    pub linger: Duration,
    /// Bytes of lines kept in memory.
    pub tail_bytes: usize,
    /// Whether to go on in memory where the log cannot be created.
    pub fallback: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            key: None,
            opening: Vec::new(),
            capacity: 32_768,
            capacity_bytes: 32 << 20,
            batch_bytes: 1 << 20,
            sync_bytes: 4 << 20,
            sync_every: Duration::from_millis(50),
            linger: Duration::from_millis(2),
            tail_bytes: 8 << 20,
            fallback: false,
        }
    }
}

/// How far a log has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// Number of the next entry; 0 before the first one.
    pub next: u64,
    /// Number of the last entry that the operating system has; -1 for none.
    pub written: i64,
    /// Number of the last entry that the disk has confirmed; -1 for none.
    pub synced: i64,
    /// Entries that never became part of the file: refused, or recorded after it failed.
    pub dropped: u64,
}

/// The log could not be written. Nothing is written to it any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditFailed(pub String);

impl fmt::Display for AuditFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for AuditFailed {}

/// One session's audit log. Clones are the same log.
#[derive(Clone, Debug)]
pub struct Log {
    shared: Arc<Shared>,
}

impl Log {
    /// Makes a log. Nothing is created on disk before the first entry.
    #[must_use]
    pub fn start(
        runtime: &Handle,
        place: Box<dyn Place>,
        clock: Arc<dyn Clock>,
        options: Options,
    ) -> Self {
        let shared = Arc::new(Shared::new(clock, &options));
        let writer = Writer::new(Arc::clone(&shared), place, options);
        runtime.spawn(writer.run());
        Self { shared }
    }

    /// Records an entry that must not be refused: the queue grows for it.
    ///
    /// Whoever calls this has asked [`has_room`](Self::has_room) for the run concerned, so there are never more of
    /// these beyond the capacity than unfinished runs account for. None if the log is closed.
    #[allow(clippy::must_use_candidate)] // few want the number
    pub fn record(&self, entry: Entry) -> Option<u64> {
        self.push(entry, false)
    }

    /// Records an entry if there is room; otherwise it is counted as lost, and the log will say so.
    #[allow(clippy::must_use_candidate)] // few want the number
    pub fn offer(&self, entry: Entry) -> Option<u64> {
        self.push(entry, true)
    }

    fn push(&self, entry: Entry, refusable: bool) -> Option<u64> {
        let weight = entry.weight();
        let shared = &*self.shared;
        let mut queue = shared.queue();
        if queue.closed {
            return None;
        }
        if refusable && !shared.room(&queue, weight) {
            queue.refused += 1;
            queue.dropped += 1;
            return None;
        }
        // Number 0 is the session's own first entry, which the writer makes.
        let number = queue.next.max(1);
        queue.next = number + 1;
        queue.bytes += weight;
        queue.entries.push(entry);
        let full = queue.entries.len() == shared.capacity / 4;
        let call = std::mem::take(&mut queue.parked) || full;
        drop(queue);
        if call {
            shared.wake.notify_one();
        }
        Some(number)
    }

    /// Whether entries find room at present.
    #[must_use]
    pub fn has_room(&self) -> bool {
        let queue = self.shared.queue();
        self.shared.room(&queue, 0)
    }

    /// Whether nothing is recorded any more.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.shared.queue().closed
    }

    /// Nanoseconds since the session began.
    #[must_use]
    pub fn now(&self) -> u64 {
        self.shared.clock.mono()
    }

    /// The newest lines above a number, at most `limit`.
    #[must_use]
    pub fn lines(&self, after: i64, limit: usize) -> Vec<String> {
        self.shared.tail().lines(after, limit)
    }

    /// Number of the oldest line in memory.
    #[must_use]
    pub fn first_line(&self) -> Option<u64> {
        self.shared.tail().first()
    }

    /// How far the log has come.
    #[must_use]
    pub fn position(&self) -> Position {
        let (next, refused) = {
            let queue = self.shared.queue();
            (queue.next, queue.dropped)
        };
        let progress = self.shared.progress();
        let unwritten = match &progress.failed {
            Some(_) => next.saturating_sub(u64::try_from(progress.written + 1).unwrap_or(0)),
            None => 0,
        };
        Position {
            next,
            written: progress.written,
            synced: progress.synced,
            dropped: refused + unwritten,
        }
    }

    /// Why nothing is written any more, if so.
    #[must_use]
    pub fn failure(&self) -> Option<AuditFailed> {
        self.shared.progress().failed.clone()
    }

    /// Whether the file takes nothing any more. Cheap.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.shared.failed.load(Ordering::Relaxed)
    }

    /// Why the log is in memory although it was to be on disk, if so.
    #[must_use]
    pub fn fallback(&self) -> Option<String> {
        self.shared.progress().fallback.clone()
    }

    /// Whether something happened that the user has to be told; true only once.
    #[must_use]
    pub fn take_news(&self) -> bool {
        self.shared.news.load(Ordering::Relaxed) && self.shared.news.swap(false, Ordering::AcqRel)
    }

    /// Asks for everything recorded so far to be synced; returns the last of it, -1 for nothing.
    #[must_use]
    pub fn request_sync(&self) -> i64 {
        let mut queue = self.shared.queue();
        let last = i64::try_from(queue.next).unwrap_or(i64::MAX) - 1;
        queue.wanted = queue.wanted.max(last);
        queue.parked = false;
        drop(queue);
        self.shared.wake.notify_one();
        last
    }

    /// Has a function called when everything recorded so far is synced, or never will be; at once if that is so.
    ///
    /// It is called on whatever thread finds out and must not block.
    pub fn when_synced(&self, hear: impl FnOnce(Result<(), AuditFailed>) + Send + 'static) {
        let seq = self.request_sync();
        let verdict = {
            let mut progress = self.shared.progress();
            match progress.verdict(seq) {
                Some(verdict) => verdict,
                None => return progress.for_sync.add(seq, Box::new(hear)),
            }
        };
        hear(verdict);
    }

    /// Has a function called when entries find room again, or the log is closed; at once if that is so.
    ///
    /// It is called on whatever thread finds out and must not block. Others may take the room first.
    pub fn when_room(&self, hear: impl FnOnce() + Send + 'static) {
        {
            let mut queue = self.shared.queue();
            if !queue.closed && !self.shared.room(&queue, 0) {
                return queue.for_room.add(0, Box::new(move |_| hear()));
            }
        }
        hear();
    }

    /// Blocks until an entry is synced; false if it is not after `patience`.
    ///
    /// # Errors
    /// It never will be: the log failed before.
    pub fn wait(&self, seq: i64, patience: Duration) -> Result<bool, AuditFailed> {
        self.wait_for(patience, |progress| progress.synced >= seq)
    }

    /// Blocks until everything recorded so far is among the lines; false if it is not after `patience`.
    #[must_use]
    pub fn settle(&self, patience: Duration) -> bool {
        let next = self.position().next;
        let last = i64::try_from(next).unwrap_or(i64::MAX) - 1;
        self.shared.queue().parked = false;
        self.shared.wake.notify_one();
        // A failed log goes on in memory: that is waited for as well.
        let reached = |progress: &Progress| progress.encoded >= last || progress.ended;
        self.wait_until(patience, reached)
    }

    /// Ends the log: a last entry, then nothing more. Does not wait; see [`wait_end`](Self::wait_end).
    ///
    /// A log without any entry ends without a trace.
    pub fn close(&self, detail: Vec<(String, Value)>) {
        let entry = Entry::plain(self.now(), "session_ended", detail);
        let mut queue = self.shared.queue();
        if queue.closed {
            return;
        }
        if queue.next > 0 {
            queue.next += 1;
            queue.entries.push(entry);
        }
        queue.closed = true;
        queue.parked = false;
        let for_room = queue.for_room.take_all();
        drop(queue);
        self.shared.wake.notify_one();
        for_room.tell(&Ok(()));
    }

    /// Blocks until a closed log is written and synced; false if it is not after `patience`.
    ///
    /// # Errors
    /// It never will be: the log failed before.
    pub fn wait_end(&self, patience: Duration) -> Result<bool, AuditFailed> {
        // The writer leaves a log that has failed as well.
        self.wait_for(patience, |progress| {
            progress.ended && progress.failed.is_none()
        })
    }

    fn wait_for(
        &self,
        patience: Duration,
        reached: impl Fn(&Progress) -> bool,
    ) -> Result<bool, AuditFailed> {
        let over =
            |progress: &Progress| reached(progress) || progress.ended || progress.failed.is_some();
        self.wait_until(patience, over);
        let progress = self.shared.progress();
        match &progress.failed {
            _ if reached(&progress) => Ok(true),
            Some(failed) => Err(failed.clone()),
            None => Ok(false),
        }
    }

    fn wait_until(&self, patience: Duration, over: impl Fn(&Progress) -> bool) -> bool {
        let progress = self.shared.progress();
        let (progress, _) = self
            .shared
            .moved
            .wait_timeout_while(progress, patience, |progress| !over(progress))
            .unwrap_or_else(PoisonError::into_inner);
        over(&progress)
    }
}
