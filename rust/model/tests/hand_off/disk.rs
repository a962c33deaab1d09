//! A disk and a clock, and how a scenario is run in many orders.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use shuttle::rand::Rng;
use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::sync::Mutex;
use theus_model::audit::clock::Clock;
use theus_model::audit::storage::{Opened, Place, Storage};
use theus_model::audit::{Entry, Log, Options};

/// Longer than any order of events takes: time does not pass in the model.
pub const PATIENCE: Duration = Duration::from_secs(1);

/// What the disk has, for the test to look at. Clones are the same disk.
#[derive(Clone, Default)]
pub struct Disk {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    written: Vec<u8>,
    synced: usize,
    calls: usize,
    /// The call that fails, counted from 0.
    fails_at: Option<usize>,
    failed: bool,
}

impl Disk {
    pub fn failing_at(call: usize) -> Self {
        let disk = Self::default();
        disk.state.lock().unwrap().fails_at = Some(call);
        disk
    }

    /// Notes by name, in the order of the lines that would survive the loss of power.
    pub fn synced_notes(&self) -> Vec<String> {
        let state = self.state.lock().unwrap();
        notes(&state.written[..state.synced])
    }

    /// Notes by name, in the order of the lines that would survive the death of the process.
    pub fn written_notes(&self) -> Vec<String> {
        notes(&self.state.lock().unwrap().written)
    }

    pub fn has_failed(&self) -> bool {
        self.state.lock().unwrap().failed
    }
}

impl State {
    fn call(&mut self) -> io::Result<()> {
        assert!(!self.failed, "a disk that has failed is called again");
        self.failed = self.fails_at == Some(self.calls);
        self.calls += 1;
        if self.failed {
            return Err(io::Error::other("full"));
        }
        Ok(())
    }
}

impl Storage for Disk {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.state.lock().unwrap();
        state.call()?;
        state.written.extend_from_slice(bytes);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut state = self.state.lock().unwrap();
        state.call()?;
        state.synced = state.written.len();
        Ok(())
    }
}

impl Place for Disk {
    fn open(&mut self) -> io::Result<Opened> {
        self.state.lock().unwrap().call()?;
        Ok(Opened {
            storage: Box::new(self.clone()),
            heads: Vec::new(),
        })
    }
}

fn notes(bytes: &[u8]) -> Vec<String> {
    let text = std::str::from_utf8(bytes).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
    let names = lines.filter_map(|line: serde_json::Value| {
        (line["kind"] == "note").then(|| line["detail"]["name"].as_str().unwrap().to_owned())
    });
    names.collect()
}

/// Stands still: the order of entries must not hang on it.
#[derive(Debug)]
struct Still;

impl Clock for Still {
    fn mono(&self) -> u64 {
        0
    }

    fn wall(&self) -> u64 {
        0
    }
}

pub fn note(name: impl Into<String>) -> Entry {
    let name: String = name.into();
    Entry::plain(0, "note", vec![("name".to_owned(), name.as_str().into())])
}

/// Syncs only what somebody waits for.
pub fn on_demand() -> Options {
    Options {
        sync_every: Duration::from_secs(1_000_000),
        ..Options::default()
    }
}

pub fn start(disk: &Disk, options: Options) -> Log {
    let runtime = tokio::runtime::Handle::current();
    Log::start(&runtime, Box::new(disk.clone()), Arc::new(Still), options)
}

/// Runs a scenario in as many orders of its steps, and ends with an error at the first in which everybody waits.
///
/// Half of them are drawn at random, and half keep one thread going until one of a few changes: the first find what
/// many small steps do to each other, the others what happens while somebody stands still for long.
pub fn in_orders(orders: usize, scenario: impl Fn() + Clone + Send + Sync + 'static) {
    let mut config = shuttle::Config::new();
    config.max_steps = shuttle::MaxSteps::FailAfter(100_000);
    config.silence_warnings = true;
    let random = RandomScheduler::new(orders / 2);
    shuttle::Runner::new(random, config.clone()).run(scenario.clone());
    let few_changes = PctScheduler::new(CHANGES, orders / 2);
    shuttle::Runner::new(few_changes, config).run(scenario);
}

const CHANGES: usize = 3;

/// Lets the others take some steps, now and then as many as the writer needs to fall asleep.
pub fn pause() {
    for _ in 0..shuttle::rand::thread_rng().gen_range(0..80) {
        shuttle::thread::yield_now();
    }
}
