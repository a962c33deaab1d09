//! The unfinished runs: what is known of each, and where they stand.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, HashMap};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use super::limits::LimitId;
use super::line::Line;
use super::types::Ticket;
use crate::contract::Contract;
use crate::path::NodeId;
use crate::place::Place;

/// How far a run has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Waiting,
    Ready,
    Running,
}

/// An older version that is kept because an unfinished run stands before the next one. Ordered so that the heap gives
/// the one with the nearest successor first.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Pin {
    /// The place of the next version.
    pub(crate) until: Place,
    pub(crate) node: NodeId,
    pub(crate) place: Place,
}

impl Ord for Pin {
    fn cmp(&self, other: &Self) -> Ordering {
        let until = other.until.cmp(&self.until);
        until.then_with(|| (other.node, &other.place).cmp(&(self.node, &self.place)))
    }
}

impl PartialOrd for Pin {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// One unfinished run.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) place: Place,
    pub(crate) contract: Arc<Contract>,
    pub(crate) parent: Option<Ticket>,
    pub(crate) stage: Stage,
    /// Replaced: whatever its end, it neither commits nor fails anything.
    pub(crate) superseded: bool,
    /// Started inside a replaced run: its failure fails nothing, for it belongs to an execution nobody asks for any more.
    pub(crate) quiet: bool,
    /// The next place inside this run's own: children and mid-run commits.
    pub(crate) next_index: u64,
    /// While waiting: the one run whose end has this one looked at again. One is enough, and makes the failure that is
    /// reported that of the first failing input in declared order.
    pub(crate) blocked_on: Option<Ticket>,
    /// The runs that are blocked on this one; entries of runs that have ended since are skipped when they are met.
    pub(crate) waiters: Vec<Ticket>,
    /// The runs this one awaits, once for each await.
    pub(crate) awaits: Vec<Ticket>,
    /// The limit at which it waits for a place.
    pub(crate) limit: Option<LimitId>,
    /// Older versions that are kept because this run stands before the next one.
    pub(crate) pins: BinaryHeap<Pin>,
    /// Runs this one must never wait for, because they wait for the run that it, or what it waits for, replaces.
    pub(crate) never: Option<Arc<[Ticket]>>,
}

impl Run {
    pub(crate) fn new(place: Place, contract: Arc<Contract>, parent: Option<Ticket>) -> Self {
        Self {
            place,
            contract,
            parent,
            stage: Stage::Waiting,
            superseded: false,
            quiet: false,
            next_index: 0,
            blocked_on: None,
            waiters: Vec::new(),
            awaits: Vec::new(),
            limit: None,
            pins: BinaryHeap::new(),
            never: None,
        }
    }

    /// A new place inside this run's own.
    pub(crate) fn next_inside(&mut self) -> Place {
        let place = self.place.inside(self.next_index);
        self.next_index += 1;
        place
    }

    /// The place of the final commit: after everything that was committed inside.
    pub(crate) fn final_place(&self) -> Place {
        match self.next_index {
            0 => self.place.clone(),
            index => self.place.inside(index),
        }
    }
}

/// Spreads run numbers, which are consecutive and not chosen by anybody, over the table.
#[derive(Debug, Default)]
pub struct NumberHasher(u64);

impl Hasher for NumberHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(u64::from(byte));
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = (self.0.rotate_left(5) ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

/// The unfinished runs by ticket and by place.
pub(crate) struct Runs {
    by_ticket: HashMap<Ticket, Box<Run>, BuildHasherDefault<NumberHasher>>,
    /// Every unfinished run counts, not only the readers of a path: its children may still read there.
    by_place: Line,
}

impl Runs {
    pub(crate) fn new() -> Self {
        Self {
            by_ticket: HashMap::default(),
            by_place: Line::default(),
        }
    }

    pub(crate) fn get(&self, ticket: Ticket) -> Option<&Run> {
        self.by_ticket.get(&ticket).map(AsRef::as_ref)
    }

    pub(crate) fn get_mut(&mut self, ticket: Ticket) -> Option<&mut Run> {
        self.by_ticket.get_mut(&ticket).map(AsMut::as_mut)
    }

    pub(crate) fn len(&self) -> usize {
        self.by_ticket.len()
    }

    pub(crate) fn insert(&mut self, ticket: Ticket, run: Run) {
        self.by_place.join(&run.place, ticket);
        self.by_ticket.insert(ticket, Box::new(run));
    }

    pub(crate) fn remove(&mut self, ticket: Ticket) -> Option<Run> {
        let run = self.by_ticket.remove(&ticket)?;
        self.by_place.leave(&run.place);
        Some(*run)
    }

    /// The first unfinished run that stands strictly between two places.
    pub(crate) fn between(&self, after: &Place, before: &Place) -> Option<Ticket> {
        self.by_place.between(after, before).next()
    }

    /// The first unfinished run after a place.
    pub(crate) fn after(&self, place: &Place) -> Option<(&Place, Ticket)> {
        self.by_place.after(place).next()
    }

    /// The unfinished runs in their order.
    pub(crate) fn in_order(&self) -> impl Iterator<Item = Ticket> {
        self.by_place.all()
    }

    /// The unfinished runs started inside a run, or inside those.
    pub(crate) fn inside(&self, ticket: Ticket) -> Vec<Ticket> {
        let inner = self
            .by_ticket
            .iter()
            .filter(|(_, run)| self.descends(run.parent, ticket));
        inner.map(|(&ticket, _)| ticket).collect()
    }

    /// Whether `above` is the parent of a run, or its parent's parent, and so on.
    pub(crate) fn descends(&self, parent: Option<Ticket>, above: Ticket) -> bool {
        let parents = std::iter::successors(parent, |&at| self.get(at).and_then(|run| run.parent));
        parents.into_iter().any(|at| at == above)
    }
}
