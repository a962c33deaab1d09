//! A run takes the place of an earlier, unfinished one: a cell executed again.

use std::collections::{BinaryHeap, HashSet};
use std::sync::Arc;

use super::Scheduler;
use super::runs::{Pin, Run, Stage};
use super::types::{Admitted, Effects, Ticket};
use crate::contract::ContractId;
use crate::error::Error;
use crate::place::Place;

/// The runs that wait, through any number of others, for one run.
struct Behind {
    /// Not started: they can be given another place. In their order.
    waiting: Vec<Ticket>,
    /// Started: they await one of the others.
    running: Vec<Ticket>,
}

impl<V: Clone> Scheduler<V> {
    /// Admits a run in place of `old`, which the caller is cancelling and has yet to finish; that end will commit nothing
    /// and fail nothing. What `old` has published stays. Runs started inside `old` go on; what they commit stays, but their
    /// failure fails nothing.
    ///
    /// The new run takes the newest place and reads the newest versions. Every run that has not started and waits,
    /// directly or through others, for `old` is placed behind it, in unchanged order, and waits for it where it waited for
    /// `old`. Where the new run would have to wait for a run that has started and awaits one of those, it reads what is
    /// before it. Whoever became ready or doomed by this is in [`Admitted::effects`].
    ///
    /// # Errors
    /// [`Error::NotRunning`] if `old` has ended, [`Error::Shape`] as for [`admit`](Self::admit), [`Error::UnknownId`].
    /// Nothing has changed then.
    pub fn replace(&mut self, old: Ticket, contract: ContractId) -> Result<Admitted<V>, Error> {
        let contract = Arc::clone(self.contracts.get(contract).ok_or(Error::UnknownId)?);
        if self.runs.get(old).is_none() {
            return Err(Error::NotRunning { ticket: old });
        }
        let place = Place::top(self.next_seq);
        self.check_outputs(&contract, &place)?;
        self.next_seq += 1;

        let behind = self.behind(old);
        let never = self.never_of(old, &behind);
        self.supersede(old);
        let mut pins = Vec::new();
        for &ticket in &behind.waiting {
            self.unblock(ticket);
            pins.extend(self.move_last(ticket, never.clone()));
        }
        let mut run = Run::new(place, contract, None);
        run.never = never;
        let mut admitted = self.enter(run);
        let mut effects = std::mem::replace(&mut admitted.effects, Effects::new(0));
        for (pins, left) in pins {
            self.prune_pinned(pins, &left, &mut effects);
        }
        // A mid-run commit may have freed somebody of whom it is noticed only when the run he was blocked on ends; that
        // one now stands behind him, and may come to wait for him in turn.
        let mut queue = Vec::new();
        for &ticket in &behind.waiting {
            let run = self.runs.get_mut(ticket);
            let waiters = run.map(|run| std::mem::take(&mut run.waiters));
            self.release(ticket, waiters.unwrap_or_default(), &mut queue);
        }
        queue.extend(behind.waiting);
        self.wake(queue, &mut effects);
        admitted.effects = effects.sorted();
        Ok(admitted)
    }

    /// Takes back what a run promised; it stays among the unfinished, for it still runs and reads.
    fn supersede(&mut self, old: Ticket) {
        self.unblock(old);
        let Some(run) = self.runs.get_mut(old) else {
            return;
        };
        run.superseded = true;
        let (place, contract) = (run.place.clone(), Arc::clone(&run.contract));
        for &(output, _) in &contract.outputs {
            self.store.withdraw(output, &place);
        }
        for inside in self.runs.inside(old) {
            if let Some(run) = self.runs.get_mut(inside) {
                run.quiet = true;
            }
        }
    }

    /// Gives a run that has not started the newest place. The versions that were kept for it are handed back.
    fn move_last(
        &mut self,
        ticket: Ticket,
        never: Option<Arc<[Ticket]>>,
    ) -> Option<(BinaryHeap<Pin>, Place)> {
        let place = Place::top(self.next_seq);
        self.next_seq += 1;
        let mut run = self.runs.remove(ticket)?;
        for &input in &run.contract.inputs {
            self.store.remove_reader(input, &run.place);
        }
        for &(output, _) in &run.contract.outputs {
            self.store.withdraw(output, &run.place);
        }
        let left = std::mem::replace(&mut run.place, place);
        run.never = never;
        let pins = std::mem::take(&mut run.pins);
        self.declare(ticket, &run);
        self.runs.insert(ticket, run);
        Some((pins, left))
    }

    fn behind(&self, old: Ticket) -> Behind {
        let waits = self
            .runs
            .in_order()
            .map(|ticket| (ticket, self.blockers(ticket)));
        let mut open: Vec<(Ticket, Vec<Ticket>)> = waits.collect();
        let mut reached = HashSet::from([old]);
        // Inputs point to earlier places, so one pass would do, were it not for awaits.
        loop {
            let known = reached.len();
            open.retain(|(ticket, blockers)| {
                let found = blockers.iter().any(|blocker| reached.contains(blocker));
                !(found && reached.insert(*ticket))
            });
            if reached.len() == known {
                break;
            }
        }
        reached.remove(&old);
        let (waiting, running) = self
            .runs
            .in_order()
            .filter(|ticket| reached.contains(ticket))
            .partition(|&ticket| {
                self.runs
                    .get(ticket)
                    .is_some_and(|run| run.stage == Stage::Waiting)
            });
        Behind { waiting, running }
    }

    /// Whom the new run and those behind it must not wait for: what has started and waits for one of them.
    fn never_of(&self, old: Ticket, behind: &Behind) -> Option<Arc<[Ticket]>> {
        let moved = behind.waiting.iter().chain([&old]);
        let before = moved.filter_map(|&ticket| self.runs.get(ticket)?.never.as_deref());
        let mut never: Vec<Ticket> = before.flatten().copied().collect();
        never.extend(&behind.running);
        never.sort_unstable();
        never.dedup();
        // Only the unfinished matter, so that the list does not grow with each further replacement.
        never.retain(|&ticket| self.runs.get(ticket).is_some());
        (!never.is_empty()).then(|| never.into())
    }
}
