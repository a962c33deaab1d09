//! A path holds a value or has children, never both. Checked before anything changes.

use super::Scheduler;
use super::runs::Run;
use super::slots::Node;
use super::types::Ticket;
use crate::contract::Contract;
use crate::error::Error;
use crate::path::NodeId;
use crate::place::Place;

impl<V: Clone> Scheduler<V> {
    /// Refuses outputs declared beneath a path that holds a value.
    pub(crate) fn check_outputs(&self, contract: &Contract, place: &Place) -> Result<(), Error> {
        let mut outputs = contract.outputs.iter();
        outputs.try_for_each(|&(node, _)| self.check_above(node, place))
    }

    /// Refuses writes that no declared output covers, or that clash with what is there or with each other.
    pub(crate) fn check_writes(
        &self,
        ticket: Ticket,
        run: &Run,
        writes: &[(NodeId, V)],
        place: &Place,
    ) -> Result<(), Error> {
        for &(node, _) in writes {
            if !self.store.knows(node) {
                return Err(Error::UnknownId);
            }
            let declared = |&(output, _): &(NodeId, bool)| self.store.paths.covers(output, node);
            if !run.contract.outputs.iter().any(declared) {
                let path = self.store.paths.full(node).to_string();
                return Err(Error::Undeclared { path });
            }
            self.check_value(node, place, Some(ticket))?;
        }
        self.check_among(writes)
    }

    /// Refuses a value at `node` that clashes with what is there. `writer` may break its own promises.
    pub(crate) fn check_value(
        &self,
        node: NodeId,
        place: &Place,
        writer: Option<Ticket>,
    ) -> Result<(), Error> {
        self.check_above(node, place)?;
        // Written in the meantime by runs that stand later: in the order they would have been refused, but it is too late
        // for that, and both cannot stay.
        let later = |at: NodeId| {
            let mut settled = self.store.node(at).settled.iter().rev();
            settled
                .by_ref()
                .take_while(|slot| slot.place > *place)
                .any(|slot| slot.value().is_some())
        };
        if let Some(above) = self
            .store
            .paths
            .upward(node)
            .skip(1)
            .find(|&above| later(above))
        {
            return Err(self.clash(node, above));
        }
        let here = self.store.node(node);
        if here.settled_below > 0 {
            let earlier = self
                .store
                .leaves(node, Some(place))
                .find(|&(at, _)| at != node);
            let mut beneath = self.store.beneath(node, |known| known.settled_below);
            if let Some(at) = earlier
                .map(|(at, _)| at)
                .or_else(|| beneath.find(|&at| later(at)))
            {
                return Err(self.clash(node, at));
            }
        }
        if here.unsettled_below > 0 {
            let promised = |known: &Node<V>| {
                let before = known
                    .pending
                    .iter()
                    .take_while(|promise| promise.place < *place);
                before
                    .filter(|promise| Some(promise.writer) != writer)
                    .count()
                    > 0
            };
            let mut beneath = self.store.beneath(node, |known| known.unsettled_below);
            if let Some(at) = beneath.find(|&at| promised(self.store.node(at))) {
                return Err(self.clash(node, at));
            }
        }
        Ok(())
    }

    /// Refuses anything at `node` while a path above it holds a value.
    pub(crate) fn check_above(&self, node: NodeId, place: &Place) -> Result<(), Error> {
        let Some(parent) = self.store.paths.parent(node) else {
            return Ok(());
        };
        let mut versions = self.store.versions(parent, Some(place));
        match versions.find(|(_, slot)| slot.is_cover()) {
            Some((above, slot)) if slot.value().is_some() => Err(self.clash(node, above)),
            _ => Ok(()),
        }
    }

    fn check_among(&self, writes: &[(NodeId, V)]) -> Result<(), Error> {
        if writes.len() < 2 {
            return Ok(());
        }
        let mut nodes: Vec<NodeId> = writes.iter().map(|&(node, _)| node).collect();
        nodes.sort_unstable();
        for &node in &nodes {
            let mut above = self.store.paths.upward(node).skip(1);
            if let Some(other) = above.find(|at| nodes.binary_search(at).is_ok()) {
                return Err(self.clash(node, other));
            }
        }
        Ok(())
    }

    fn clash(&self, node: NodeId, other: NodeId) -> Error {
        Error::Shape {
            path: self.store.paths.full(node).to_string(),
            other: self.store.paths.full(other).to_string(),
        }
    }
}
