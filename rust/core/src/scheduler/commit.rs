//! Versions come in: mid-run, at the end of a run, from outside.

use std::sync::Arc;

use super::Scheduler;
use super::runs::Run;
use super::slots::{Content, Slot};
use super::types::{Cause, Effects, End, Ticket};
use crate::contract::Contract;
use crate::error::{Error, Refused};
use crate::path::NodeId;
use crate::place::Place;

impl<V: Clone> Scheduler<V> {
    /// Commits `writes` while the run goes on. Readers waiting for these outputs need wait no longer, and later readers
    /// do not wait for them at all: they bind to the newest commit there is when they start.
    ///
    /// The version is a fresh number, given in [`Effects::version`]. A replaced run publishes into the void: its values
    /// come back as garbage.
    ///
    /// # Errors
    /// [`Error::NotRunning`] if there is no such unfinished run, [`Error::Undeclared`], [`Error::Shape`],
    /// [`Error::UnknownId`]. Nothing has changed then, and the writes come back.
    pub fn publish(
        &mut self,
        ticket: Ticket,
        writes: Vec<(NodeId, V)>,
    ) -> Result<Effects<V>, Refused<Vec<(NodeId, V)>>> {
        let checked = match self.runs.get(ticket) {
            None => Err(Error::NotRunning { ticket }),
            Some(run) if run.superseded => Ok(true),
            Some(run) => {
                let place = run.place.inside(run.next_index);
                self.check_writes(ticket, run, &writes, &place)
                    .map(|()| false)
            }
        };
        let void = match checked {
            Ok(void) => void,
            Err(error) => {
                return Err(Refused {
                    error,
                    given: writes,
                });
            }
        };
        let mut effects = Effects::new(self.draw_number());
        if void {
            effects
                .garbage
                .extend(writes.into_iter().map(|(_, value)| value));
            return Ok(effects);
        }
        let Some(run) = self.runs.get_mut(ticket) else {
            return Ok(effects);
        };
        let (place, standing) = (run.next_inside(), run.place.clone());
        let contract = Arc::clone(&run.contract);
        let waiters = std::mem::take(&mut run.waiters);
        let written: Vec<_> = writes.iter().map(|&(node, _)| node).collect();
        for &node in &written {
            self.keep_promises(node, &standing);
        }
        self.write(&place, writes, &mut effects);
        self.renew(&contract, &written, &place, &mut effects);
        let mut queue = Vec::new();
        self.release(ticket, waiters, &mut queue);
        self.wake(queue, &mut effects);
        Ok(effects.sorted())
    }

    /// Ends a run.
    ///
    /// Committed: the writes become versions at the run's place, and promises it did not keep vanish. (Whether a required
    /// output is missing is the caller's to say; it then ends the run as failed.) Failed: required outputs that were not
    /// published are failed for this cause, optional ones vanish. A replaced run leaves no trace either way.
    ///
    /// Who waited for it is looked at again: see [`Effects::ready`] and [`Effects::doomed`].
    ///
    /// # Errors
    /// [`Error::NotRunning`] if there is no such unfinished run, and for a commit [`Error::Undeclared`],
    /// [`Error::Shape`], [`Error::UnknownId`]. Nothing has changed then, the run is still unfinished, and the end comes
    /// back.
    pub fn finish(&mut self, ticket: Ticket, end: End<V>) -> Result<Effects<V>, Refused<End<V>>> {
        let checked = match (self.runs.get(ticket), &end) {
            (None, _) => Err(Error::NotRunning { ticket }),
            (Some(run), End::Committed(writes)) if !run.superseded => {
                self.check_writes(ticket, run, writes, &run.final_place())
            }
            _ => Ok(()),
        };
        if let Err(error) = checked {
            return Err(Refused { error, given: end });
        }
        let mut effects = Effects::new(ticket.number());
        let Some(run) = self.runs.remove(ticket) else {
            return Ok(effects);
        };
        match end {
            End::Committed(writes) if run.superseded => {
                effects
                    .garbage
                    .extend(writes.into_iter().map(|(_, value)| value));
            }
            End::Failed(cause) if run.superseded => effects.garbage.push(cause),
            End::Committed(writes) => {
                for &(output, _) in &run.contract.outputs {
                    self.store.withdraw(output, &run.place);
                }
                let place = run.final_place();
                let written: Vec<_> = writes.iter().map(|&(node, _)| node).collect();
                self.write(&place, writes, &mut effects);
                self.renew(&run.contract, &written, &place, &mut effects);
            }
            End::Failed(cause) => {
                self.fail_outputs(ticket, &run, Cause::Failed(cause), &mut effects);
            }
        }
        let mut queue = Vec::new();
        self.leave(ticket, run, &mut queue, &mut effects);
        self.wake(queue, &mut effects);
        Ok(effects.sorted())
    }

    /// Writes (`None`: removes, with everything beneath) `path` from outside, as a tiny run of its own at the newest place.
    ///
    /// It never waits: earlier runs that are still to write the path do so behind it, and their readers get theirs.
    ///
    /// # Errors
    /// [`Error::Shape`] if the path is beneath one that holds a value, or a value is put above paths that hold values or
    /// are promised by unfinished runs. Nothing has changed then, and the value comes back.
    pub fn put(&mut self, path: &str, value: Option<V>) -> Result<Effects<V>, Refused<Option<V>>> {
        let node = self.store.intern(path);
        let place = Place::top(self.next_seq);
        let checked = if value.is_some() {
            self.check_value(node, &place, None)
        } else {
            self.check_above(node, &place)
        };
        if let Err(error) = checked {
            return Err(Refused {
                error,
                given: value,
            });
        }
        self.next_seq += 1;
        let mut effects = Effects::new(self.draw_number());
        let content = value.map_or(Content::Absent, Content::Committed);
        self.settle(node, &place, content, &mut effects);
        Ok(effects)
    }

    /// Fails the required outputs a run has not published and takes back all its promises.
    pub(crate) fn fail_outputs(
        &mut self,
        ticket: Ticket,
        run: &Run,
        cause: Cause<V>,
        effects: &mut Effects<V>,
    ) {
        let place = run.final_place();
        let version = std::mem::replace(&mut effects.version, ticket.number());
        for &(output, optional) in &run.contract.outputs {
            let promise = self.store.withdraw(output, &run.place);
            let published = promise.is_some_and(|promise| promise.published);
            if !(optional || published || run.quiet) {
                self.settle(output, &place, Content::Failed(cause.clone()), effects);
            }
        }
        effects.version = version;
        effects.discard(cause);
    }

    /// Marks as kept whatever the run standing at `standing` promised at `node` or above it.
    fn keep_promises(&mut self, node: NodeId, standing: &Place) {
        let mut at = Some(node);
        while let Some(level) = at {
            if let Some(promise) = self.store.node_mut(level).promise_mut(standing) {
                promise.published = true;
            }
            at = self.store.paths.parent(level);
        }
    }

    /// Notes that outputs of which only what is beneath them was written have been written again.
    fn renew(
        &mut self,
        contract: &Contract,
        written: &[NodeId],
        place: &Place,
        effects: &mut Effects<V>,
    ) {
        for &(output, _) in &contract.outputs {
            let paths = &self.store.paths;
            let beneath = |&node: &NodeId| node != output && paths.covers(output, node);
            if written.iter().any(beneath) && !written.contains(&output) {
                let slot = Slot::new(place.clone(), effects.version, Content::Renewed);
                self.store.settle(output, slot);
                self.prune_renewed(output, place, effects);
            }
        }
    }

    fn write(&mut self, place: &Place, writes: Vec<(NodeId, V)>, effects: &mut Effects<V>) {
        for (index, (node, value)) in writes.into_iter().enumerate() {
            let newest = self.store.deciding(node, None);
            if newest.is_some_and(|(_, slot)| slot.place > *place) {
                effects.superseded.push(index);
            }
            self.settle(node, place, Content::Committed(value), effects);
        }
    }

    /// Puts one version in and takes out what it makes unreadable.
    fn settle(
        &mut self,
        node: NodeId,
        place: &Place,
        content: Content<V>,
        effects: &mut Effects<V>,
    ) {
        let slot = Slot::new(place.clone(), effects.version, content);
        let (at, same) = self.store.settle(node, slot);
        if let Some(same) = same {
            effects.drop_content(same);
        }
        self.prune_around(node, at, effects);
    }
}
