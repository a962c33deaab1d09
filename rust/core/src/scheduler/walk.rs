//! Ways through the versions: backwards along one path and its ancestors, downwards over the values beneath one.

use std::collections::VecDeque;

use super::slots::{Node, Pending, Slot, Store};
use crate::path::NodeId;
use crate::place::Place;

/// One stop of a [`Walk`].
pub(crate) enum Step<'a, V> {
    Pending(&'a Pending),
    Settled(&'a Slot<V>),
}

impl<'a, V> Step<'a, V> {
    const fn place(&self) -> &'a Place {
        match self {
            Self::Pending(promise) => &promise.place,
            Self::Settled(slot) => &slot.place,
        }
    }
}

/// The versions of a node and of its ancestors, newest first, from below a place on. Where two stand at the same place
/// (one run declared both paths) the deeper one comes first.
///
/// Nothing is allocated or remembered but the last stop: walks end after one or two.
pub(crate) struct Walk<'a, V> {
    store: &'a Store<V>,
    node: NodeId,
    /// Whether promises count.
    promises: bool,
    /// What comes stands before this place (`None`: anywhere), or at it and less deep than `depth`.
    below: Option<&'a Place>,
    depth: u32,
}

impl<'a, V> Iterator for Walk<'a, V> {
    type Item = (NodeId, Step<'a, V>);

    fn next(&mut self) -> Option<Self::Item> {
        let store = self.store;
        let mut best: Option<Self::Item> = None;
        for level in store.paths.upward(self.node) {
            let node = store.node(level);
            let inclusive = store.paths.depth(level) < self.depth;
            let settled = last(&node.settled, self.below, inclusive, |slot| &slot.place);
            newer(&mut best, level, settled.map(Step::Settled));
            if self.promises {
                let promised = last(&node.pending, self.below, inclusive, |known| &known.place);
                newer(&mut best, level, promised.map(Step::Pending));
            }
        }
        let (level, step) = best?;
        self.below = Some(step.place());
        self.depth = store.paths.depth(level);
        Some((level, step))
    }
}

/// The last item before (`inclusive`: or at) a place.
fn last<'a, T>(
    items: &'a VecDeque<T>,
    below: Option<&Place>,
    inclusive: bool,
    place: impl Fn(&T) -> &Place,
) -> Option<&'a T> {
    let newest = items.back()?;
    let Some(below) = below else {
        return Some(newest);
    };
    let allowed = |item: &T| place(item) < below || (inclusive && place(item) == below);
    if allowed(newest) {
        return Some(newest);
    }
    items.get(items.partition_point(allowed).checked_sub(1)?)
}

/// Keeps the newer of two stops. Levels come deepest first, so an equal place does not replace the deeper one.
fn newer<'a, V>(
    best: &mut Option<(NodeId, Step<'a, V>)>,
    level: NodeId,
    step: Option<Step<'a, V>>,
) {
    if let Some(step) = step
        && best
            .as_ref()
            .is_none_or(|(_, known)| known.place() < step.place())
    {
        *best = Some((level, step));
    }
}

/// The values visible at and beneath a node below a place: those not hidden by a newer version at or above their path.
/// Promises and failures are stepped over.
pub(crate) struct Leaves<'a, V> {
    store: &'a Store<V>,
    below: Option<&'a Place>,
    /// Nodes still to be looked at, with the newest cover above them.
    open: Vec<(NodeId, Option<&'a Place>)>,
    first: Option<(NodeId, &'a Slot<V>)>,
}

impl<'a, V> Iterator for Leaves<'a, V> {
    type Item = (NodeId, &'a Slot<V>);

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        while let Some((node, mut cover)) = self.open.pop() {
            if let Some(slot) = self.store.newest_cover(node, self.below)
                && cover.is_none_or(|cover| *cover <= slot.place)
            {
                if slot.value().is_some() {
                    return Some((node, slot));
                }
                cover = Some(&slot.place);
            }
            self.descend(node, cover);
        }
        None
    }
}

impl<'a, V> Leaves<'a, V> {
    fn descend(&mut self, node: NodeId, cover: Option<&'a Place>) {
        if self.store.node(node).settled_below == 0 {
            return;
        }
        // Reversed on the stack: the order is that in which the paths were first named.
        for &child in self.store.paths.children(node).iter().rev() {
            let known = self.store.node(child);
            if !known.settled.is_empty() || known.settled_below > 0 {
                self.open.push((child, cover));
            }
        }
    }
}

/// Everything beneath a node, parents before children, without the subtrees a counter says are empty.
pub(crate) struct Beneath<'a, V> {
    store: &'a Store<V>,
    count: fn(&Node<V>) -> u32,
    open: Vec<NodeId>,
}

impl<V> Iterator for Beneath<'_, V> {
    type Item = NodeId;

    fn next(&mut self) -> Option<NodeId> {
        let node = self.open.pop()?;
        self.descend(node);
        Some(node)
    }
}

impl<V> Beneath<'_, V> {
    fn descend(&mut self, node: NodeId) {
        if (self.count)(self.store.node(node)) > 0 {
            let children = self.store.paths.children(node);
            self.open.extend(children.iter().rev());
        }
    }
}

impl<V> Store<V> {
    /// Versions and promises, newest first.
    pub(crate) fn walk<'a>(&'a self, node: NodeId, below: &'a Place) -> Walk<'a, V> {
        Walk {
            store: self,
            node,
            promises: true,
            below: Some(below),
            depth: 0,
        }
    }

    /// Versions only, newest first.
    pub(crate) fn versions<'a>(
        &'a self,
        node: NodeId,
        below: Option<&'a Place>,
    ) -> impl Iterator<Item = (NodeId, &'a Slot<V>)> {
        let walk = Walk {
            store: self,
            node,
            promises: false,
            below,
            depth: 0,
        };
        walk.filter_map(|(level, step)| match step {
            Step::Settled(slot) => Some((level, slot)),
            Step::Pending(_) => None,
        })
    }

    /// Whether a failure mark counts for who stands below a place: the path was not written again since.
    pub(crate) fn counts(&self, node: NodeId, mark: &Place, below: Option<&Place>) -> bool {
        let here = self.node(node);
        let later = here.settled.range(..here.settled_before(below)).rev();
        !later
            .take_while(|slot| slot.place > *mark)
            .any(Slot::is_renewal)
    }

    /// The version that decides what is at a node below a place: the newest at it or above it that hides what is before,
    /// or a failure mark that counts.
    pub(crate) fn deciding<'a>(
        &'a self,
        node: NodeId,
        below: Option<&'a Place>,
    ) -> Option<(NodeId, &'a Slot<V>)> {
        self.versions(node, below).find(|&(at, slot)| {
            slot.is_cover() || slot.is_failed() && self.counts(at, &slot.place, below)
        })
    }

    /// The newest value or removal at exactly `node` below a place.
    pub(crate) fn newest_cover(&self, node: NodeId, below: Option<&Place>) -> Option<&Slot<V>> {
        let here = self.node(node);
        let known = here.settled.range(..here.settled_before(below));
        known.rev().find(|slot| slot.is_cover())
    }

    pub(crate) fn leaves<'a>(&'a self, node: NodeId, below: Option<&'a Place>) -> Leaves<'a, V> {
        let mut leaves = Leaves {
            store: self,
            below,
            open: Vec::new(),
            first: None,
        };
        let newest = self.versions(node, below).find(|(_, slot)| slot.is_cover());
        match newest {
            // A value above means that there is nothing here.
            Some((at, slot)) if slot.value().is_some() => {
                leaves.first = (at == node).then_some((at, slot));
            }
            Some((_, removed)) => leaves.descend(node, Some(&removed.place)),
            None => leaves.descend(node, None),
        }
        leaves
    }

    /// The nodes strictly beneath `node`; `count` tells how much of what is looked for a node has strictly beneath it.
    pub(crate) fn beneath(&self, node: NodeId, count: fn(&Node<V>) -> u32) -> Beneath<'_, V> {
        let mut beneath = Beneath {
            store: self,
            count,
            open: Vec::new(),
        };
        beneath.descend(node);
        beneath
    }
}
