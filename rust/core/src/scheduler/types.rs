//! What goes into and comes out of the scheduler.

use std::sync::Arc;

use crate::path::NodeId;

/// An admitted, unfinished run: its run number. Numbers are drawn in admission order and never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

impl Ticket {
    /// The run number, which is also the version of what the run writes when it finishes.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0
    }
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq)]
pub enum End<V> {
    /// It succeeded and wrote this, each path once.
    Committed(Vec<(NodeId, V)>),
    /// It failed, was cancelled or abandoned: its required outputs are failed for this cause.
    Failed(V),
}

/// What admission says about a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Admitted<V> {
    /// The run. When it is doomed, the ticket is already finished.
    pub ticket: Ticket,
    /// Whether it may start.
    pub admission: Admission<V>,
    /// What happened besides: versions that were dropped and, after a replacement, other runs that became ready or doomed.
    pub effects: Effects<V>,
}

/// Whether an admitted run may start.
#[derive(Clone, Debug, PartialEq)]
pub enum Admission<V> {
    /// Every input is there.
    Ready,
    /// Some [`Effects::ready`] or [`Effects::doomed`] will name it.
    Waiting,
    /// An input is failed. The ticket is finished and its required outputs are failed with the same cause.
    Doomed(Doom<V>),
}

/// A run that can never start. It is finished: do not call `finish` for it.
#[derive(Clone, Debug, PartialEq)]
pub struct Doom<V> {
    /// The run that ends here.
    pub ticket: Ticket,
    /// The path that is failed: an input of the run, or above or beneath one.
    pub path: Arc<str>,
    /// Why the path is failed.
    pub cause: Cause<V>,
}

/// Why a path is failed.
#[derive(Clone, Debug, PartialEq)]
pub enum Cause<V> {
    /// A run failed with this (the value given to [`End::Failed`]), possibly several runs upstream.
    Failed(V),
    /// These runs wait for each other in a circle; the first is the one that was ended to break it.
    Deadlock(Arc<[Ticket]>),
}

/// What a call changed beyond what it was asked for. Drop it outside the lock.
#[derive(Clone, Debug, PartialEq)]
#[must_use = "ready runs must be started, doomed ones reported, garbage dropped outside the lock"]
pub struct Effects<V> {
    /// Runs that may start now, in submission order.
    pub ready: Vec<Ticket>,
    /// Runs that ended because an input failed, in submission order, those downstream of them included.
    pub doomed: Vec<Doom<V>>,
    /// Positions, in the list of writes, of those that are not the newest version: a later run wrote the path already.
    pub superseded: Vec<usize>,
    /// Values nobody can read any more.
    pub garbage: Vec<V>,
    /// The version number of what was written.
    pub version: u64,
}

impl<V> Effects<V> {
    pub(crate) const fn new(version: u64) -> Self {
        Self {
            ready: Vec::new(),
            doomed: Vec::new(),
            superseded: Vec::new(),
            garbage: Vec::new(),
            version,
        }
    }

    /// Brings what was found in wake-up order into submission order, which alone is deterministic.
    pub(crate) fn sorted(mut self) -> Self {
        self.ready.sort_unstable();
        self.doomed.sort_by_key(|doom| doom.ticket);
        self
    }

    /// Collects the values of a removed cause.
    pub(crate) fn discard(&mut self, cause: Cause<V>) {
        if let Cause::Failed(value) = cause {
            self.garbage.push(value);
        }
    }
}

/// A value with its full path and version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry<V> {
    /// The full path.
    pub path: Arc<str>,
    /// The value.
    pub value: V,
    /// The number of the run, or mid-run commit, that wrote it.
    pub version: u64,
}

/// What an input is bound to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input<V> {
    /// The path holds a value.
    Leaf {
        /// The value.
        value: V,
        /// The number of the run, or mid-run commit, that wrote it.
        version: u64,
    },
    /// The path has children: every value beneath it, sorted by path. Never empty.
    Branch(Vec<Entry<V>>),
    /// Nothing was ever written there, or it was removed.
    Missing,
}

/// What a path holds now, unfinished runs aside.
#[derive(Clone, Debug, PartialEq)]
pub enum Present<V> {
    /// A value.
    Leaf {
        /// The value.
        value: V,
        /// The number of the run, or mid-run commit, that wrote it.
        version: u64,
    },
    /// Values beneath it.
    Branch,
    /// No usable value: whoever was to write it failed.
    Failed {
        /// The path that carries the mark: this one, one above it, or the first beneath it.
        path: Arc<str>,
        /// Why.
        cause: Cause<V>,
        /// The number of the failed run.
        version: u64,
    },
    /// Nothing.
    Missing,
}

/// What [`accept`](crate::Scheduler::accept) did.
#[derive(Clone, Debug, PartialEq)]
pub struct Accepted<V> {
    /// The paths that were failed and are no longer, sorted.
    pub paths: Vec<Arc<str>>,
    /// A path above which is still failed, so that this one cannot be read yet.
    pub above: Option<Arc<str>>,
    /// The causes that were dropped with the marks.
    pub garbage: Vec<V>,
}
