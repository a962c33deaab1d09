//! The scheduler: who may run, on which versions, in a way that looks like one run after the other.
//!
//! | file | idea |
//! |---|---|
//! | `types` | what goes in and comes out |
//! | `slots` | the versions of each path, written or promised |
//! | `walk` | ways through them |
//! | `runs` | the unfinished runs and where they stand |
//! | `line` | runs sorted by place |
//! | `resolve` | the rules: what an input is bound to, whom a run waits for |
//! | `admit` | runs come in |
//! | `commit` | versions come in: mid-run, at the end, from outside |
//! | `shape` | a path holds a value or has children, never both |
//! | `prune` | older versions leave |
//! | `waits` | waiting runs are looked at again; await edges and circles |
//! | `limits` | waiting for one of several places, and circles through such waits |
//! | `replace` | a run takes the place of an earlier one |
//! | `view` | looking at values |
//! | `withdraw` | a run leaves without a trace |

mod admit;
mod commit;
mod limits;
mod line;
mod prune;
mod replace;
mod resolve;
mod runs;
mod shape;
mod slots;
mod types;
mod view;
mod waits;
mod walk;
mod withdraw;

pub use runs::NumberHasher;
pub use types::{
    Accepted, Admission, Admitted, Cause, Doom, Effects, End, Entry, Input, Present, Ticket,
};

use std::collections::HashMap;

use crate::contract::{Access, ContractId, Contracts};
use crate::path::{Found, NodeId};
use limits::LimitId;
use runs::{Runs, Stage};
use slots::Store;

/// Orders runs by what they declare to read and write, and owns the versioned values.
///
/// `V` is cloned when it is read; it should be a cheap handle. No method drops a `V` that was inside, except when the
/// scheduler itself is dropped: values that leave are handed back, for dropping them may run anybody's code and the
/// caller holds a lock.
///
/// Cost follows the declared paths of the run in question and the runs that truly wait for it. How many values there
/// are, and how many unrelated runs are unfinished, matters only by the logarithm.
pub struct Scheduler<V> {
    store: Store<V>,
    contracts: Contracts,
    runs: Runs,
    /// Runs, mid-run commits and writes from outside draw from the same counter, so versions are unique.
    next_number: u64,
    /// Apart from the number, for a replacement gives runs a new place but not a new number.
    next_seq: u64,
    /// How many awaits are recorded; circles are looked for only when there are any.
    awaits: usize,
    /// Who has the places of the limits that are full, and how many runs wait for one.
    limits: HashMap<LimitId, Vec<Ticket>>,
    limited: usize,
}

impl<V: Clone> Default for Scheduler<V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<V: Clone> Scheduler<V> {
    /// An empty scheduler. The first run has the number 1.
    #[must_use]
    pub fn new() -> Self {
        Self {
            store: Store::new(),
            contracts: Contracts::new(),
            runs: Runs::new(),
            next_number: 1,
            next_seq: 1,
            awaits: 0,
            limits: HashMap::new(),
            limited: 0,
        }
    }

    /// Compiles a contract; an equal one gets the same id. Spelling is not judged, and an empty path means everything.
    pub fn compile(&mut self, inputs: &[Access], outputs: &[Access]) -> ContractId {
        let id = self
            .contracts
            .compile(&mut self.store.paths, inputs, outputs);
        self.store.grow();
        id
    }

    /// The id of a path, for writes. Interned on first use and kept for good.
    pub fn node(&mut self, path: &str) -> NodeId {
        self.store.intern(path)
    }

    /// The full path of an id; `None` if it was made by another scheduler.
    #[must_use]
    pub fn path(&self, node: NodeId) -> Option<&std::sync::Arc<str>> {
        self.store.knows(node).then(|| self.store.paths.full(node))
    }

    /// How many runs are unfinished.
    #[must_use]
    pub fn unfinished(&self) -> usize {
        self.runs.len()
    }

    /// How many versions are kept: the present ones, the failure marks, and older ones that some unfinished run may still
    /// read. When nothing is unfinished only what is present is left, and what a failure mark hides.
    #[must_use]
    pub fn versions_kept(&self) -> usize {
        let root = self.store.node(crate::path::ROOT);
        root.settled.len() + root.settled_below as usize
    }

    /// The unfinished runs that have promised to write `path`, something above it or something beneath it, in their
    /// order. One that has kept its promise by a mid-run commit still counts.
    #[must_use]
    pub fn pending_writers(&self, path: &str) -> Vec<Ticket> {
        let (node, exact) = match self.store.paths.find(path) {
            Found::Exact(node) => (node, true),
            Found::Above(node) => (node, false),
        };
        let beneath = self.store.beneath(node, |known| known.unsettled_below);
        let nodes = self
            .store
            .paths
            .upward(node)
            .chain(beneath.filter(|_| exact));
        let promises = nodes.flat_map(|at| &self.store.node(at).pending);
        let mut found: Vec<_> = promises
            .map(|promise| (&promise.place, promise.writer))
            .collect();
        found.sort_unstable();
        found.dedup();
        found.into_iter().map(|(_, writer)| writer).collect()
    }

    /// Whom a run waits for now: while it waits for its inputs their producers and, for what it may change in place, the
    /// earlier readers; once it runs, the runs it awaits. Empty for a finished run.
    #[must_use]
    pub fn blockers(&self, ticket: Ticket) -> Vec<Ticket> {
        let Some(run) = self.runs.get(ticket) else {
            return Vec::new();
        };
        match run.stage {
            // A replaced run waits for nothing but its own end.
            Stage::Waiting if run.superseded => Vec::new(),
            Stage::Waiting => self.judge_all(ticket, run),
            Stage::Ready | Stage::Running => {
                let mut awaited = run.awaits.clone();
                awaited.sort_unstable();
                awaited.dedup();
                awaited
            }
        }
    }

    fn draw_number(&mut self) -> u64 {
        let number = self.next_number;
        self.next_number += 1;
        number
    }
}
