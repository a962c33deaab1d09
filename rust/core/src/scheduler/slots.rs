//! The versions of every path, those written and those promised, each sorted by place, with counters that let walks
//! skip whole subtrees.

use std::collections::VecDeque;

use super::line::Line;
use super::types::{Cause, Ticket};
use crate::path::{NodeId, PathTree};
use crate::place::Place;

/// What one version is.
#[derive(Debug)]
pub(crate) enum Content<V> {
    /// A value.
    Committed(V),
    /// The path and everything beneath it was removed.
    Absent,
    /// A run that had to write here failed. The versions before it stay: the mark can be accepted away.
    Failed(Cause<V>),
    /// A run that declared this path succeeded, and wrote beneath it: the path was written again, so failure marks here
    /// that stand before this do not count any more. A value at the path itself hides them without that.
    Renewed,
}

/// One settled version.
#[derive(Debug)]
pub(crate) struct Slot<V> {
    pub(crate) place: Place,
    pub(crate) version: u64,
    pub(crate) content: Content<V>,
}

impl<V> Slot<V> {
    pub(crate) const fn new(place: Place, version: u64, content: Content<V>) -> Self {
        Self {
            place,
            version,
            content,
        }
    }

    pub(crate) const fn is_failed(&self) -> bool {
        matches!(self.content, Content::Failed(_))
    }

    pub(crate) const fn is_renewal(&self) -> bool {
        matches!(self.content, Content::Renewed)
    }

    /// Whether it hides everything before it, at its path and beneath.
    pub(crate) const fn is_cover(&self) -> bool {
        matches!(self.content, Content::Committed(_) | Content::Absent)
    }

    pub(crate) const fn value(&self) -> Option<&V> {
        match &self.content {
            Content::Committed(value) => Some(value),
            Content::Absent | Content::Failed(_) | Content::Renewed => None,
        }
    }
}

/// The promise of a version by an unfinished run.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) place: Place,
    pub(crate) writer: Ticket,
    /// A mid-run commit has kept it: nobody waits for more.
    pub(crate) published: bool,
}

/// What is known of one path.
pub(crate) struct Node<V> {
    /// Short: older versions leave as soon as no unfinished run stands between them and the next one.
    pub(crate) settled: VecDeque<Slot<V>>,
    /// May be long. A deque, for runs mostly finish near the front and are admitted at the back.
    pub(crate) pending: VecDeque<Pending>,
    /// The unfinished runs that declared exactly this path as input.
    pub(crate) readers: Line,
    /// Failed slots here.
    pub(crate) failed: u32,
    /// Settled slots strictly beneath.
    pub(crate) settled_below: u32,
    /// Pending and failed slots strictly beneath.
    pub(crate) unsettled_below: u32,
    /// Entries in `readers` strictly beneath.
    pub(crate) readers_below: u32,
}

impl<V> Node<V> {
    fn new() -> Self {
        Self {
            settled: VecDeque::new(),
            pending: VecDeque::new(),
            readers: Line::default(),
            failed: 0,
            settled_below: 0,
            unsettled_below: 0,
            readers_below: 0,
        }
    }

    /// The number of settled versions before a place (`None`: all).
    pub(crate) fn settled_before(&self, below: Option<&Place>) -> usize {
        match (below, self.settled.back()) {
            (Some(below), Some(last)) if last.place >= *below => {
                self.settled.partition_point(|slot| slot.place < *below)
            }
            _ => self.settled.len(),
        }
    }

    /// The promise standing at `place`.
    pub(crate) fn promise_mut(&mut self, place: &Place) -> Option<&mut Pending> {
        let at = self
            .pending
            .binary_search_by(|known| known.place.cmp(place));
        self.pending.get_mut(at.ok()?)
    }
}

/// All paths with their versions.
pub(crate) struct Store<V> {
    pub(crate) paths: PathTree,
    nodes: Vec<Node<V>>,
}

impl<V> Store<V> {
    pub(crate) fn new() -> Self {
        Self {
            paths: PathTree::new(),
            nodes: vec![Node::new()],
        }
    }

    pub(crate) fn intern(&mut self, path: &str) -> NodeId {
        let node = self.paths.intern(path);
        self.grow();
        node
    }

    /// Gives each interned path its node. To be called after whatever interned paths.
    pub(crate) fn grow(&mut self) {
        self.nodes.resize_with(self.paths.len(), Node::new);
    }

    pub(crate) fn node(&self, node: NodeId) -> &Node<V> {
        &self.nodes[node.index()]
    }

    pub(crate) fn node_mut(&mut self, node: NodeId) -> &mut Node<V> {
        &mut self.nodes[node.index()]
    }

    /// Whether the id can be one of ours.
    pub(crate) fn knows(&self, node: NodeId) -> bool {
        node.index() < self.nodes.len()
    }

    pub(crate) fn add_reader(&mut self, node: NodeId, place: &Place, reader: Ticket) {
        // A path declared twice is one entry, and counted once.
        if self.node_mut(node).readers.join(place, reader) {
            self.each_above(node, |above| above.readers_below += 1);
        }
    }

    pub(crate) fn remove_reader(&mut self, node: NodeId, place: &Place) {
        if self.node_mut(node).readers.leave(place) {
            self.each_above(node, |above| above.readers_below -= 1);
        }
    }

    pub(crate) fn promise(&mut self, node: NodeId, promise: Pending) {
        let pending = &mut self.node_mut(node).pending;
        if pending.back().is_none_or(|last| last.place < promise.place) {
            pending.push_back(promise);
        } else {
            let at = pending.partition_point(|known| known.place < promise.place);
            pending.insert(at, promise);
        }
        self.each_above(node, |above| above.unsettled_below += 1);
    }

    /// Takes back the promise standing at `place`, if there is one.
    pub(crate) fn withdraw(&mut self, node: NodeId, place: &Place) -> Option<Pending> {
        let pending = &mut self.node_mut(node).pending;
        let at = match pending.front() {
            Some(first) if first.place == *place => 0,
            _ => pending
                .binary_search_by(|known| known.place.cmp(place))
                .ok()?,
        };
        let promise = pending.remove(at)?;
        self.each_above(node, |above| above.unsettled_below -= 1);
        Some(promise)
    }

    /// Puts a version where it belongs and tells its position. What stood at the same place is handed back.
    pub(crate) fn settle(&mut self, node: NodeId, slot: Slot<V>) -> (usize, Option<Content<V>>) {
        let here = self.node_mut(node);
        let failed = u32::from(slot.is_failed());
        let at = here.settled_before(Some(&slot.place));
        if let Some(same) = here.settled.get_mut(at)
            && same.place == slot.place
        {
            let old = std::mem::replace(same, slot);
            let was_failed = u32::from(old.is_failed());
            here.failed = here.failed + failed - was_failed;
            self.each_above(node, |above| {
                above.unsettled_below = above.unsettled_below + failed - was_failed;
            });
            return (at, Some(old.content));
        }
        here.settled.insert(at, slot);
        here.failed += failed;
        self.each_above(node, |above| {
            above.settled_below += 1;
            above.unsettled_below += failed;
        });
        (at, None)
    }

    pub(crate) fn remove(&mut self, node: NodeId, at: usize) -> Option<Content<V>> {
        let here = self.node_mut(node);
        let slot = here.settled.remove(at)?;
        let failed = u32::from(slot.is_failed());
        here.failed -= failed;
        self.each_above(node, |above| {
            above.settled_below -= 1;
            above.unsettled_below -= failed;
        });
        Some(slot.content)
    }

    fn each_above(&mut self, node: NodeId, mut change: impl FnMut(&mut Node<V>)) {
        let mut at = node;
        while let Some(above) = self.paths.parent(at) {
            change(self.node_mut(above));
            at = above;
        }
    }
}
