//! The feed: what has become of runs since somebody last asked, packed into columns.
//!
//! Every change of a run is a whole [`Span`], so that only the newest counts: what happens between
//! two readings is one row, however much it was, and a reader that missed some is right again
//! with the next. While nobody reads, a change costs one atomic load.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::span::{Span, Status};

enum Change {
    Span(Span),
    /// A run was given a version of a path; the version is the number of the run that wrote it.
    Read {
        reader: u64,
        writer: u64,
        path: Arc<str>,
    },
}

#[derive(Default)]
struct Ring {
    changes: VecDeque<Change>,
    /// Cursor of the oldest change kept.
    first: u64,
    numbers: HashMap<Arc<str>, u32>,
    names: Vec<Arc<str>>,
}

impl Ring {
    fn number(&mut self, name: &Arc<str>) -> u32 {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        let number = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        self.names.push(Arc::clone(name));
        self.numbers.insert(Arc::clone(name), number);
        number
    }
}

/// What [`Feed::read`] returns.
///
/// `bytes` holds, little-endian and one column after another: for each row run, parent (0 for
/// none or unknown), submitted, started, ended (nanoseconds; 0 for not yet) as f64; for each read
/// reader and writer as f64; for each row process and lane as u32, for each read its path as u32
/// (all three number `names`); for each row its status as u8, and as u8 how many percent of its time its thread computed
/// (0 also where that is not known).
#[derive(Debug, Default)]
pub struct Packed {
    /// Where to go on reading.
    pub cursor: u64,
    /// Changes that were gone before they could be read.
    pub lost: u64,
    /// Rows in `bytes`.
    pub rows: usize,
    /// Reads in `bytes`.
    pub reads: usize,
    /// The columns.
    pub bytes: Vec<u8>,
    /// Names from the number on that the reader asked for.
    pub names: Vec<Arc<str>>,
}

/// The newest changes, bounded.
pub struct Feed {
    on: AtomicBool,
    ring: Mutex<Ring>,
    limit: usize,
}

impl Feed {
    /// A feed that keeps the newest `limit` changes. It is closed.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            on: AtomicBool::new(false),
            ring: Mutex::new(Ring::default()),
            limit,
        }
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether anybody reads.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.on.load(Ordering::Relaxed)
    }

    /// Keeps changes from here on.
    pub fn open(&self) {
        self.on.store(true, Ordering::Relaxed);
    }

    /// Stops keeping changes and forgets those there are; their cursors stay used.
    pub fn close(&self) {
        self.on.store(false, Ordering::Relaxed);
        let mut ring = self.ring();
        ring.first += ring.changes.len() as u64;
        ring.changes = VecDeque::new();
    }

    fn push(&self, change: Change) {
        let mut ring = self.ring();
        if ring.changes.len() >= self.limit {
            ring.changes.pop_front();
            ring.first += 1;
        }
        ring.changes.push_back(change);
    }

    /// Keeps where a run stands.
    pub fn span(&self, span: &Span) {
        // An attempt that was followed by another is not how the run ended.
        if self.is_open() && span.status != Status::Retried {
            self.push(Change::Span(span.clone()));
        }
    }

    /// Keeps which versions a run was given.
    pub fn reads(&self, reader: u64, versions: &[(Arc<str>, u64)]) {
        if self.is_open() {
            for (path, writer) in versions {
                self.push(Change::Read {
                    reader,
                    writer: *writer,
                    path: Arc::clone(path),
                });
            }
        }
    }

    /// The cursor with so many changes after it; the first one if there are fewer.
    #[must_use]
    pub fn before(&self, changes: usize) -> u64 {
        let ring = self.ring();
        ring.first + ring.changes.len().saturating_sub(changes) as u64
    }

    /// Packs what has changed since a cursor: at most `limit` changes, one row per run.
    #[must_use]
    pub fn read(&self, cursor: u64, known_names: usize, limit: usize) -> Packed {
        let mut ring = self.ring();
        let from = cursor.max(ring.first);
        let skip = usize::try_from(from - ring.first).unwrap_or(usize::MAX);
        let mut rows: Vec<Span> = Vec::new();
        let mut places: HashMap<u64, usize> = HashMap::new();
        let mut reads: Vec<(u64, u64, Arc<str>)> = Vec::new();
        let mut taken = 0;
        for change in ring.changes.iter().skip(skip).take(limit) {
            taken += 1;
            match change {
                Change::Span(span) => {
                    if let Some(&place) = places.get(&span.run) {
                        merge(&mut rows[place], span);
                    } else {
                        places.insert(span.run, rows.len());
                        rows.push(span.clone());
                    }
                }
                Change::Read {
                    reader,
                    writer,
                    path,
                } => reads.push((*reader, *writer, Arc::clone(path))),
            }
        }
        let bytes = pack(&mut ring, &rows, &reads);
        Packed {
            cursor: from + taken,
            lost: from - cursor,
            rows: rows.len(),
            reads: reads.len(),
            bytes,
            names: ring.names.iter().skip(known_names).cloned().collect(),
        }
    }
}

/// The later change wins, except that an end is final: threads may report out of order.
fn merge(row: &mut Span, newer: &Span) {
    let parent = row.parent.or(newer.parent);
    if row.ended == 0 || newer.ended != 0 {
        row.clone_from(newer);
    }
    row.parent = parent;
}

#[allow(clippy::cast_precision_loss)] // exact below 2^53: 104 days of nanoseconds
fn pack(ring: &mut Ring, rows: &[Span], reads: &[(u64, u64, Arc<str>)]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(rows.len() * 50 + reads.len() * 20);
    let mut column = |values: &mut dyn Iterator<Item = u64>| {
        for value in values {
            bytes.extend_from_slice(&(value as f64).to_le_bytes());
        }
    };
    column(&mut rows.iter().map(|s| s.run));
    column(&mut rows.iter().map(|s| s.parent.unwrap_or(0)));
    column(&mut rows.iter().map(|s| s.submitted));
    column(&mut rows.iter().map(|s| s.started));
    column(&mut rows.iter().map(|s| s.ended));
    column(&mut reads.iter().map(|r| r.0));
    column(&mut reads.iter().map(|r| r.1));
    for span in rows {
        bytes.extend_from_slice(&ring.number(&span.process).to_le_bytes());
    }
    for span in rows {
        bytes.extend_from_slice(&ring.number(&span.lane).to_le_bytes());
    }
    for (_, _, path) in reads {
        bytes.extend_from_slice(&ring.number(path).to_le_bytes());
    }
    bytes.extend(rows.iter().map(|s| code(s.status)));
    bytes.extend(rows.iter().map(percent));
    bytes
}

/// How much of its time a run's thread computed. Rounded up: what has computed at all is seen.
fn percent(span: &Span) -> u8 {
    let wall = span.ended.saturating_sub(span.started);
    let percent = match span.cpu {
        Some(cpu) if span.started != 0 && wall != 0 => cpu.saturating_mul(100).div_ceil(wall),
        _ => 0,
    };
    u8::try_from(percent.min(100)).unwrap_or(100)
}

/// The number of a status in the status column.
fn code(status: Status) -> u8 {
    match status {
        Status::Waiting | Status::Retried => 0,
        Status::Queued => 1,
        Status::Running => 2,
        Status::Finished => 3,
        Status::Failed => 4,
        Status::Cancelled => 5,
        Status::Abandoned => 6,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(run: u64, status: Status, ended: u64) -> Span {
        Span {
            run,
            parent: None,
            process: "p".into(),
            lane: "loop".into(),
            status,
            submitted: 1,
            started: 2,
            ended,
            cpu: None,
            waited: None,
        }
    }

    fn open(limit: usize) -> Feed {
        let feed = Feed::new(limit);
        feed.open();
        feed
    }

    fn statuses(packed: &Packed) -> &[u8] {
        let end = packed.bytes.len() - packed.rows;
        &packed.bytes[end - packed.rows..end]
    }

    #[test]
    fn computing_is_told_as_a_share_of_the_time() {
        let feed = open(8);
        for (run, ended, cpu) in [
            (1, 102, Some(50)),
            (2, 102, Some(1)),
            (3, 102, Some(0)),
            (4, 102, None),
            (5, 0, Some(50)),
            (6, 102, Some(u64::MAX)), // clocks differ a little
        ] {
            feed.span(&Span {
                cpu,
                ..span(run, Status::Finished, ended)
            });
        }
        let packed = feed.read(0, 0, 8);
        let shares = &packed.bytes[packed.bytes.len() - packed.rows..];
        assert_eq!(shares, [50, 1, 0, 0, 0, 100]);
    }

    #[test]
    fn nothing_is_kept_while_nobody_reads() {
        let feed = Feed::new(8);
        feed.span(&span(1, Status::Running, 0));
        feed.reads(1, &[("domain.x".into(), 0)]);
        let packed = feed.read(0, 0, 8);
        assert_eq!((packed.rows, packed.reads, packed.cursor), (0, 0, 0));
    }

    #[test]
    fn changes_of_one_run_are_one_row() {
        let feed = open(8);
        feed.span(&span(1, Status::Queued, 0));
        feed.span(&span(2, Status::Queued, 0));
        feed.span(&span(1, Status::Running, 0));
        feed.span(&span(1, Status::Finished, 9));
        let packed = feed.read(0, 0, 8);
        assert_eq!((packed.rows, packed.cursor, packed.lost), (2, 4, 0));
        assert_eq!(statuses(&packed), [3, 1]);
    }

    #[test]
    fn an_end_is_final_and_a_parent_is_kept() {
        let feed = open(8);
        let mut first = span(7, Status::Queued, 0);
        first.parent = Some(3);
        feed.span(&first);
        feed.span(&span(7, Status::Abandoned, 9));
        feed.span(&span(7, Status::Running, 0));
        let packed = feed.read(0, 0, 8);
        assert_eq!(statuses(&packed), [6]);
        assert_eq!(packed.bytes[8..16], 3f64.to_le_bytes());
    }

    #[test]
    fn what_was_lost_is_counted() {
        let feed = open(2);
        for run in 1..=5 {
            feed.span(&span(run, Status::Running, 0));
        }
        let packed = feed.read(1, 0, 8);
        assert_eq!((packed.lost, packed.rows, packed.cursor), (2, 2, 5));
    }

    #[test]
    fn a_reading_is_bounded_and_goes_on() {
        let feed = open(8);
        for run in 1..=5 {
            feed.span(&span(run, Status::Running, 0));
        }
        let first = feed.read(0, 0, 3);
        let second = feed.read(first.cursor, first.names.len(), 3);
        assert_eq!((first.rows, second.rows, second.cursor), (3, 2, 5));
        assert!(second.names.is_empty(), "names are told once");
    }

    #[test]
    fn the_newest_can_be_read_alone() {
        let feed = open(4);
        assert_eq!(feed.before(3), 0);
        for run in 1..=6 {
            feed.span(&span(run, Status::Running, 0));
        }
        assert_eq!((feed.before(3), feed.before(4), feed.before(9)), (3, 2, 2));
        assert_eq!(feed.read(feed.before(3), 0, 8).rows, 3);
    }

    #[test]
    fn reads_name_their_paths() {
        let feed = open(8);
        feed.reads(5, &[("domain.x".into(), 4)]);
        let packed = feed.read(0, 0, 8);
        assert_eq!((packed.reads, packed.names[0].as_ref()), (1, "domain.x"));
        assert_eq!(packed.bytes.len(), 20);
    }

    #[test]
    fn closing_forgets_but_cursors_go_on() {
        let feed = open(8);
        feed.span(&span(1, Status::Running, 0));
        feed.close();
        feed.open();
        feed.span(&span(2, Status::Running, 0));
        assert_eq!(feed.read(1, 0, 8).rows, 1);
    }
}
