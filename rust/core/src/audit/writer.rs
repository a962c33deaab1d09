//! The one task that writes a log: queue, batch, one write, sync, acknowledge.
//!
//! While the disk is busy with one batch, the next is being encoded. Disk calls are made on tokio's blocking threads:
//! a disk that stalls holds up nothing but this log.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::timeout;

use super::chain::Chain;
use super::encode::Encoder;
use super::entry::{Entry, Value};
use super::log::{AuditFailed, Options};
use super::segment::Head;
use super::shared::Shared;
use super::storage::{Memory, Place, Storage};

/// How often the writer looks for more entries before it sleeps until it is called. Calling it costs the recording
/// thread a system call; looking costs that thread nothing.
const LOOKS: u32 = 10;

/// What a disk call brings back. The storage travels with it: there is one call at a time.
struct Done {
    storage: Box<dyn Storage>,
    result: io::Result<()>,
    /// The last entry appended.
    written: i64,
    synced: bool,
}

pub(super) struct Writer {
    shared: Arc<Shared>,
    place: Option<Box<dyn Place>>,
    options: Options,
    encoder: Encoder,
    /// Taken from the queue, not encoded yet; the next one is at `at`.
    backlog: Vec<Entry>,
    at: usize,
    /// None while a disk call is under way, and after a failure.
    storage: Option<Box<dyn Storage>>,
    call: Option<JoinHandle<Done>>,
    /// The last entry appended, and since when there has been one that is not synced.
    written: i64,
    synced: i64,
    unsynced_since: Option<Instant>,
    unsynced_bytes: usize,
}

/// Encoded lines that are to be written.
struct Batch {
    bytes: Arc<Vec<u8>>,
    last: i64,
}

impl Writer {
    pub(super) fn new(shared: Arc<Shared>, place: Box<dyn Place>, options: Options) -> Self {
        let chain = Chain::new(options.key.as_deref());
        Self {
            shared,
            place: Some(place),
            options,
            encoder: Encoder::new(chain),
            backlog: Vec::new(),
            at: 0,
            storage: None,
            call: None,
            written: -1,
            synced: -1,
            unsynced_since: None,
            unsynced_bytes: 0,
        }
    }

    pub(super) async fn run(mut self) {
        let mut looks = 0;
        loop {
            let batch = self.next_batch().await;
            self.await_call().await;
            let due = self.sync_is_due(batch.as_ref());
            if batch.is_some() {
                looks = 0;
            }
            if batch.is_some() || due {
                self.begin_call(batch, due);
            } else if self.is_done() {
                break;
            } else {
                looks += 1;
                self.rest(looks).await;
            }
        }
        // Closes the file.
        self.storage = None;
        self.shared.advance(|progress| progress.ended = true);
    }

    /// Encodes what is there, up to a full batch.
    async fn next_batch(&mut self) -> Option<Batch> {
        if self.at == self.backlog.len() {
            self.backlog.clear();
            self.at = 0;
            if !self.shared.take(&mut self.backlog) {
                return None;
            }
        }
        let opening = match self.place.take() {
            Some(place) => Some(self.open(place).await),
            None => None,
        };
        let mut bytes = Vec::with_capacity(self.likely_bytes());
        let mut ends = Vec::new();
        let first = self.encoder.next_seq();
        // Entries are stamped with what the wall clock says now, less their age: two clocks read once per batch, and
        // a wall clock that is set meanwhile does not turn the order within it.
        let (now, wall) = (self.shared.clock.mono(), self.shared.clock.wall());
        let mut synced = Some(self.synced);
        if let Some(heads) = opening {
            let mut detail = std::mem::take(&mut self.options.opening);
            detail.push(("heads".to_owned(), describe(&heads)));
            let entry = Entry::plain(0, "session_started", detail);
            let began = wall.saturating_sub(now);
            self.encoder.line(&entry, began, synced.take(), &mut bytes);
            ends.push(bytes.len());
        }
        while self.at < self.backlog.len() && bytes.len() < self.options.batch_bytes {
            let entry = &self.backlog[self.at];
            let age = now.saturating_sub(entry.mono);
            let time = wall.saturating_sub(age);
            self.encoder.line(entry, time, synced.take(), &mut bytes);
            ends.push(bytes.len());
            self.at += 1;
        }
        let bytes = Arc::new(bytes);
        self.shared.tail().push(first, Arc::clone(&bytes), ends);
        let last = number(self.encoder.next_seq()) - 1;
        self.shared.advance(|progress| progress.encoded = last);
        Some(Batch { bytes, last })
    }

    /// A guess that spares most batches from growing step by step.
    fn likely_bytes(&self) -> usize {
        ((self.backlog.len() - self.at) * 320 + 256).min(self.options.batch_bytes + 1024)
    }

    /// Creates the log; where that fails, says so and goes on in memory.
    async fn open(&mut self, mut place: Box<dyn Place>) -> Vec<Head> {
        let opened = spawn_blocking(move || place.open()).await;
        match opened.unwrap_or_else(|error| Err(io::Error::other(error))) {
            Ok(opened) => {
                self.storage = Some(opened.storage);
                opened.heads
            }
            Err(error) if self.options.fallback => {
                self.storage = Some(Box::new(Memory));
                let reason = format!("the audit log could not be created: {error}");
                self.shared
                    .announce(|progress| progress.fallback = Some(reason));
                Vec::new()
            }
            Err(error) => {
                self.fail(&format!("the audit log could not be created: {error}"));
                Vec::new()
            }
        }
    }

    /// Hands a batch to the disk, or only asks it to confirm what it has.
    fn begin_call(&mut self, batch: Option<Batch>, sync: bool) {
        if let Some(batch) = &batch {
            self.written = batch.last;
            self.unsynced_bytes += batch.bytes.len();
            self.unsynced_since.get_or_insert_with(Instant::now);
        }
        let Some(mut storage) = self.storage.take() else {
            return; // failed: what comes now is in memory only
        };
        if sync {
            self.unsynced_since = None;
            self.unsynced_bytes = 0;
        }
        let written = self.written;
        let shared = Arc::clone(&self.shared);
        self.call = Some(spawn_blocking(move || {
            let mut result = match &batch {
                Some(batch) => storage.append(&batch.bytes),
                None => Ok(()),
            };
            if result.is_ok() {
                shared.advance(|progress| progress.written = written);
                if sync {
                    result = storage.sync();
                }
            }
            Done {
                storage,
                result,
                written,
                synced: sync,
            }
        }));
    }

    /// Waits for the disk call under way and acknowledges what it achieved.
    async fn await_call(&mut self) {
        let Some(call) = self.call.take() else {
            return;
        };
        match call.await {
            Ok(done) if done.result.is_ok() => {
                self.storage = Some(done.storage);
                if done.synced {
                    self.synced = done.written;
                    self.shared
                        .advance(|progress| progress.synced = done.written);
                }
            }
            // The storage is dropped, and with it the file: nothing is tried again.
            Ok(done) => {
                if let Err(error) = done.result {
                    self.fail(&format!("the audit log could not be written: {error}"));
                }
            }
            Err(error) => self.fail(&format!("the audit log's writer broke off: {error}")),
        }
    }

    fn fail(&mut self, why: &str) {
        let failed = AuditFailed(why.to_owned());
        self.shared.failed.store(true, Ordering::Release);
        self.shared
            .announce(|progress| progress.failed = Some(failed));
    }

    fn has_failed(&self) -> bool {
        self.storage.is_none() && self.place.is_none()
    }

    /// Whether the disk is to confirm what it has, or will have with this batch.
    fn sync_is_due(&self, batch: Option<&Batch>) -> bool {
        let (last, more) = batch.map_or((self.written, 0), |batch| (batch.last, batch.bytes.len()));
        if last <= self.synced || self.has_failed() {
            return false;
        }
        let waited = self
            .unsynced_since
            .is_some_and(|since| since.elapsed() >= self.options.sync_every);
        if waited || self.unsynced_bytes + more >= self.options.sync_bytes {
            return true;
        }
        let queue = self.shared.queue();
        // Whoever waits for an entry that comes later is served with that one.
        queue.closed || (queue.wanted > self.synced && queue.wanted <= last)
    }

    /// Whether the log is closed and everything has been written that can be.
    fn is_done(&self) -> bool {
        let settled = self.written <= self.synced || self.has_failed();
        settled && self.at == self.backlog.len() && self.shared.is_drained()
    }

    /// Waits for entries: a little while there have just been some, otherwise until called.
    async fn rest(&mut self, looks: u32) {
        if looks <= LOOKS {
            let _ = timeout(self.options.linger, self.shared.wake.notified()).await;
            return;
        }
        let seen = if self.has_failed() {
            i64::MAX
        } else {
            self.synced
        };
        if !self.shared.park(seen) {
            // Closed, or somebody waits for an entry that is on its way.
            tokio::task::yield_now().await;
            return;
        }
        match self.unsynced_since.filter(|_| !self.has_failed()) {
            None => self.shared.wake.notified().await,
            Some(since) => {
                let left = self.options.sync_every.saturating_sub(since.elapsed());
                let _ = timeout(left, self.shared.wake.notified()).await;
            }
        }
    }
}

fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn describe(heads: &[Head]) -> Value {
    let one = |head: &Head| {
        let mut fields = vec![
            ("log".to_owned(), Value::from(head.log.as_str())),
            ("segment".to_owned(), Value::from(head.segment.as_str())),
        ];
        if let Some(seq) = head.seq {
            fields.push(("seq".to_owned(), Value::Int(number(seq))));
            fields.push(("hash".to_owned(), Value::from(head.hash.as_str())));
        }
        fields.push(("end".to_owned(), Value::from(head.end)));
        Value::Map(fields)
    };
    Value::List(heads.iter().map(one).collect())
}
