//! The one task that writes a log: queue, batch, one write, sync, acknowledge.
//!
//! While the disk is busy with some batches, the next are being encoded. Disk calls are made on tokio's blocking threads:
//! a disk that stalls holds up nothing but this log.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use tokio::task::{JoinHandle, spawn_blocking};

use super::chain::Chain;
use super::encode::Encoder;
use super::entry::{Entry, Value};
use super::log::{AuditFailed, Options};
use super::segment::Head;
use super::shared::Shared;
use super::storage::{Memory, Place, Storage};
use crate::sync::timeout;

/// How often the writer looks for more entries before it sleeps until it is called. Calling it costs the recording
/// thread a system call; looking costs that thread nothing.
const LOOKS: u32 = 10;

/// Bytes that may be encoded and wait for the disk. A sync takes as long as encoding several batches: with less ahead
/// the encoder would stand still meanwhile.
const AHEAD: usize = 8 << 20;

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
    /// Encoded, and not handed to the disk yet.
    batches: Vec<Batch>,
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
            batches: Vec::new(),
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
            let more = self.next_batch().await;
            if more {
                looks = 0;
            }
            if !self.await_disk(more).await {
                continue;
            }
            let due = self.sync_is_due();
            if due || !self.batches.is_empty() {
                self.begin_call(due);
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

    fn ready_bytes(&self) -> usize {
        self.batches.iter().map(|batch| batch.bytes.len()).sum()
    }

    /// Encodes what is there, up to a full batch; false if nothing is.
    async fn next_batch(&mut self) -> bool {
        if self.at == self.backlog.len() {
            self.backlog.clear();
            self.at = 0;
            if !self.shared.take(&mut self.backlog) {
                return false;
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
        self.batches.push(Batch { bytes, last });
        true
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

    /// Hands what is ready to the disk, or only asks it to confirm what it has.
    fn begin_call(&mut self, sync: bool) {
        self.unsynced_bytes += self.ready_bytes();
        let batches = std::mem::take(&mut self.batches);
        if let Some(batch) = batches.last() {
            self.written = batch.last;
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
            let mut result = Ok(());
            for batch in &batches {
                result = storage.append(&batch.bytes);
                if result.is_err() {
                    break;
                }
                shared.advance(|progress| progress.written = batch.last);
            }
            if sync && result.is_ok() {
                result = storage.sync();
            }
            Done {
                storage,
                result,
                written,
                synced: sync,
            }
        }));
    }

    /// Waits for the disk call under way and acknowledges what it achieved. False if it goes on, and there is room to
    /// encode meanwhile: `more` says that there has just been something to encode.
    async fn await_disk(&mut self, more: bool) -> bool {
        let Some(mut call) = self.call.take() else {
            return true;
        };
        let ended = if self.ready_bytes() >= AHEAD {
            call.await
        } else if more && !call.is_finished() {
            self.call = Some(call);
            // There are others on this thread.
            tokio::task::yield_now().await;
            return false;
        } else {
            let Ok(ended) = timeout(self.options.linger, &mut call).await else {
                self.call = Some(call);
                return false;
            };
            ended
        };
        match ended {
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
        true
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
    fn sync_is_due(&self) -> bool {
        let last = self.batches.last().map_or(self.written, |batch| batch.last);
        if last <= self.synced || self.has_failed() {
            return false;
        }
        let waited = self
            .unsynced_since
            .is_some_and(|since| since.elapsed() >= self.options.sync_every);
        if waited || self.unsynced_bytes + self.ready_bytes() >= self.options.sync_bytes {
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
