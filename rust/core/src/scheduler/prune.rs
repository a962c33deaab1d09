//! Older versions leave as soon as nobody can read them any more.
//!
//! A version is kept while an unfinished run stands between it and the next one, for that run's children may still read
//! there. It is pinned to one such run. When that run ends, those pins whose next version stands before the next
//! unfinished run are due; the others are handed on to that run in one piece. So nobody ever searches for what could be
//! dropped, and a version is not looked at each time that one of the runs it is kept for ends.

use std::collections::BinaryHeap;

use super::Scheduler;
use super::runs::Pin;
use super::slots::{Content, Slot};
use super::types::{Effects, Ticket};
use crate::path::NodeId;
use crate::place::Place;

enum Fate {
    Needed,
    /// By this run, which stands before the next version, at this place.
    NeededBy(Ticket, Place),
    Dead,
}

impl<V: Clone> Scheduler<V> {
    /// To be called when a version was put in at position `at`: it may have made older ones unreadable, or be so itself.
    pub(crate) fn prune_around(&mut self, node: NodeId, at: usize, effects: &mut Effects<V>) {
        let here = self.store.node(node);
        let beneath = here.settled_below > 0;
        let cover = here
            .settled
            .get(at)
            .filter(|slot| beneath && slot.is_cover());
        let cover = cover.map(|slot| slot.place.clone());
        self.prune_slot(node, at, effects);
        self.prune_before(node, at, effects);
        if let Some(place) = cover {
            let beneath = self.store.beneath(node, |known| known.settled_below);
            for lower in beneath.collect::<Vec<NodeId>>() {
                let end = self.store.node(lower).settled_before(Some(&place));
                self.prune_before(lower, end, effects);
            }
        }
    }

    /// To be called with the pins of a run that has left the place `left`.
    pub(crate) fn prune_pinned(
        &mut self,
        mut pins: BinaryHeap<Pin>,
        left: &Place,
        effects: &mut Effects<V>,
    ) {
        if pins.is_empty() {
            return;
        }
        let next = self
            .runs
            .after(left)
            .map(|(place, ticket)| (place.clone(), ticket));
        let due = |pin: &Pin| next.as_ref().is_none_or(|(place, _)| *place >= pin.until);
        while pins.peek().is_some_and(due) {
            let Some(pin) = pins.pop() else { break };
            let here = self.store.node(pin.node);
            let at = here.settled_before(Some(&pin.place));
            // It may be gone: accepted away, or made unreadable by a version that came in between.
            if here
                .settled
                .get(at)
                .is_some_and(|slot| slot.place == pin.place)
            {
                self.prune_slot(pin.node, at, effects);
            }
        }
        if let Some(keeper) = next.and_then(|(_, ticket)| self.runs.get_mut(ticket)) {
            keeper.pins.append(&mut pins);
        }
    }

    /// To be called when a renewal was put in. Unlike other versions it may be of no use at all once the marks before it
    /// are gone, so it is looked at last.
    pub(crate) fn prune_renewed(&mut self, node: NodeId, place: &Place, effects: &mut Effects<V>) {
        let at = self.store.node(node).settled_before(Some(place));
        self.prune_before(node, at, effects);
        let at = self.store.node(node).settled_before(Some(place));
        self.prune_slot(node, at, effects);
    }

    /// Looks at the versions before position `end`, back to the first that already hid all before it.
    fn prune_before(&mut self, node: NodeId, end: usize, effects: &mut Effects<V>) {
        for at in (0..end).rev() {
            let cover = self
                .store
                .node(node)
                .settled
                .get(at)
                .is_some_and(Slot::is_cover);
            self.prune_slot(node, at, effects);
            if cover {
                break;
            }
        }
    }

    fn prune_slot(&mut self, node: NodeId, at: usize, effects: &mut Effects<V>) {
        match self.fate(node, at) {
            Fate::Needed => {}
            Fate::Dead => {
                if let Some(content) = self.store.remove(node, at) {
                    effects.drop_content(content);
                }
            }
            Fate::NeededBy(ticket, until) => {
                if let Some(slot) = self.store.node(node).settled.get(at)
                    && let Some(run) = self.runs.get_mut(ticket)
                {
                    let place = slot.place.clone();
                    run.pins.push(Pin { until, node, place });
                }
            }
        }
    }

    fn fate(&self, node: NodeId, at: usize) -> Fate {
        let here = self.store.node(node);
        let Some(slot) = here.settled.get(at) else {
            return Fate::Needed;
        };
        if slot.is_renewal() {
            // Needed as long as the path may still fail at an earlier place.
            let earlier = self.runs.in_order().next().and_then(|at| {
                let first = &self.runs.get(at)?.place;
                (*first < slot.place).then_some(at)
            });
            return earlier.map_or(Fate::Dead, |at| Fate::NeededBy(at, slot.place.clone()));
        }
        // A failure, or a renewal, hides an earlier failure, but no value: a failure can be accepted away.
        let hides = |next: &&Slot<V>| next.is_cover() || slot.is_failed();
        let mut next = here
            .settled
            .range(at + 1..)
            .find(hides)
            .map(|next| &next.place);
        for above in self.store.paths.upward(node).skip(1) {
            let settled = &self.store.node(above).settled;
            let later = settled.partition_point(|known| known.place <= slot.place);
            if let Some(cover) = settled.range(later..).find(|known| known.is_cover())
                && next.is_none_or(|next| cover.place < *next)
            {
                next = Some(&cover.place);
            }
        }
        let Some(next) = next else {
            return Fate::Needed;
        };
        let keeper = self.runs.between(&slot.place, next);
        keeper.map_or(Fate::Dead, |ticket| Fate::NeededBy(ticket, next.clone()))
    }
}

impl<V> Effects<V> {
    /// Collects the value of a removed version.
    pub(crate) fn drop_content(&mut self, content: Content<V>) {
        match content {
            Content::Committed(value) => self.garbage.push(value),
            Content::Failed(cause) => self.discard(cause),
            Content::Absent | Content::Renewed => {}
        }
    }
}
