//! A disk that remembers every operation, fails when told to, and stalls while told to.

use std::io;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use theus_core::audit::clock::Clock;
use theus_core::audit::storage::{Opened, Place, Storage};
use theus_core::audit::{Entry, Log, Options, What};
use theus_core::runtime::Runtime;

/// After this long something that should happen counts as never happening.
pub const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    Append(Vec<u8>),
    Sync,
}

#[derive(Default)]
struct Inner {
    ops: Vec<Op>,
    /// Fails the operation of this number, the opening being 0; an append leaves the first bytes behind.
    fail_at: Option<(usize, i32)>,
    calls: usize,
    stalled: bool,
    /// Operations begun, stalled ones included.
    begun: usize,
}

/// A handle on the disk; clones are the same disk.
#[derive(Clone, Default)]
pub struct Disk(Arc<(Mutex<Inner>, Condvar)>);

impl Disk {
    pub fn failing_at(call: usize, errno: i32) -> Self {
        let disk = Self::default();
        disk.0.0.lock().unwrap().fail_at = Some((call, errno));
        disk
    }

    pub fn ops(&self) -> Vec<Op> {
        self.0.0.lock().unwrap().ops.clone()
    }

    pub fn calls(&self) -> usize {
        self.0.0.lock().unwrap().calls
    }

    /// Everything appended up to the last sync: what a loss of power leaves for certain.
    pub fn durable(&self) -> Vec<u8> {
        let ops = self.ops();
        let synced = ops.iter().rposition(|op| *op == Op::Sync).unwrap_or(0);
        bytes(&ops[..synced])
    }

    pub fn stall(&self, stalled: bool) {
        self.0.0.lock().unwrap().stalled = stalled;
        self.0.1.notify_all();
    }

    /// Blocks until the disk has been asked for something that it does not do.
    pub fn wait_until_stuck(&self) {
        let inner = self.0.0.lock().unwrap();
        let stuck = |inner: &mut Inner| inner.begun == inner.calls;
        let (_inner, waited) = self.0.1.wait_timeout_while(inner, PATIENCE, stuck).unwrap();
        assert!(!waited.timed_out());
    }

    /// Counts an operation; an error if it is its turn to fail.
    fn call(&self) -> io::Result<()> {
        let mut inner = self.0.0.lock().unwrap();
        inner.begun += 1;
        self.0.1.notify_all();
        inner = self.0.1.wait_while(inner, |inner| inner.stalled).unwrap();
        let number = inner.calls;
        inner.calls += 1;
        match inner.fail_at {
            Some((at, errno)) if at == number => Err(io::Error::from_raw_os_error(errno)),
            _ => Ok(()),
        }
    }

    fn push(&self, op: Op) {
        self.0.0.lock().unwrap().ops.push(op);
    }
}

impl Storage for Disk {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let result = self.call();
        let kept = if result.is_ok() {
            bytes
        } else {
            &bytes[..bytes.len() / 2]
        };
        self.push(Op::Append(kept.to_vec()));
        result
    }

    fn sync(&mut self) -> io::Result<()> {
        self.call()?;
        self.push(Op::Sync);
        Ok(())
    }
}

impl Place for Disk {
    fn open(&mut self) -> io::Result<Opened> {
        self.call()?;
        Ok(Opened {
            storage: Box::new(self.clone()),
            heads: Vec::new(),
        })
    }
}

/// A clock that goes on by a step at each look, and whose wall time may be set back.
#[derive(Debug)]
pub struct Ticks {
    state: Mutex<(u64, u64)>,
}

impl Ticks {
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new((0, 1_700_000_000_000_000_000)),
        })
    }

    pub fn set_back(&self, nanoseconds: u64) {
        self.state.lock().unwrap().1 -= nanoseconds;
    }
}

impl Clock for Ticks {
    fn mono(&self) -> u64 {
        let mut state = self.state.lock().unwrap();
        state.0 += 1_000;
        state.0
    }

    fn wall(&self) -> u64 {
        let mut state = self.state.lock().unwrap();
        state.1 += 1_000;
        state.1
    }
}

pub fn runtime() -> Runtime {
    Runtime::start("audit test").unwrap()
}

pub fn start(runtime: &Runtime, disk: &Disk, options: Options) -> Log {
    Log::start(
        runtime.handle(),
        Box::new(disk.clone()),
        Ticks::new(),
        options,
    )
}

pub fn note(log: &Log, text: &str) -> Entry {
    let mut entry = Entry::plain(log.now(), "note", Vec::new());
    entry.what = What::Note {
        text: text.to_owned(),
        replaced: false,
    };
    entry
}

pub fn bytes(ops: &[Op]) -> Vec<u8> {
    let appended = ops.iter().filter_map(|op| match op {
        Op::Append(bytes) => Some(bytes.as_slice()),
        Op::Sync => None,
    });
    appended.collect::<Vec<_>>().concat()
}

/// The complete lines of an image, checked: numbers without a gap, each hash over its line and in the next one.
pub fn read(image: &[u8]) -> Vec<serde_json::Value> {
    let whole = image.iter().rposition(|byte| *byte == b'\n');
    let lines = &image[..whole.map_or(0, |end| end + 1)];
    let chain = theus_core::audit::chain::Chain::new(None);
    let mut prev = "0".repeat(64);
    let mut entries = Vec::new();
    for line in lines.split_inclusive(|byte| *byte == b'\n') {
        let line = std::str::from_utf8(line).unwrap().trim_end();
        let entry: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(entry["seq"], entries.len());
        assert_eq!(entry["prev"], prev);
        let covered = line.rsplit_once(",\"hash\":\"").unwrap().0;
        prev = String::from_utf8(chain.hash(covered.as_bytes()).to_vec()).unwrap();
        assert_eq!(entry["hash"], prev);
        entries.push(entry);
    }
    entries
}

/// Number of the last entry of an image; -1 if there is none.
pub fn last(image: &[u8]) -> i64 {
    i64::try_from(read(image).len()).unwrap() - 1
}
