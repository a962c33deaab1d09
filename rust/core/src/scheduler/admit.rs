//! Runs come in.

use std::sync::Arc;

use super::Scheduler;
use super::resolve::Verdict;
use super::runs::{Run, Stage};
use super::slots::Pending;
use super::types::{Admission, Admitted, Doom, Effects, Ticket};
use crate::contract::ContractId;
use crate::error::Error;
use crate::place::Place;

impl<V: Clone> Scheduler<V> {
    /// Admits a run: gives it its number and its place in the order, and binds its inputs to the versions before it.
    ///
    /// A top-level run takes the newest place. A run started inside another (`parent`) takes the next place inside that
    /// one's. A run with a failed input is doomed: finished at once, its required outputs failed with the same cause.
    ///
    /// # Errors
    /// [`Error::NotRunning`] if the parent is not unfinished (any more), [`Error::Shape`] if an output is declared beneath
    /// a path that holds a value, [`Error::UnknownId`] for a contract of another scheduler.
    pub fn admit(
        &mut self,
        contract: ContractId,
        parent: Option<Ticket>,
    ) -> Result<Admitted<V>, Error> {
        let contract = Arc::clone(self.contracts.get(contract).ok_or(Error::UnknownId)?);
        let place = match parent {
            None => Place::top(self.next_seq),
            Some(ticket) => {
                let run = self.runs.get(ticket).ok_or(Error::NotRunning { ticket })?;
                run.place.inside(run.next_index)
            }
        };
        self.check_outputs(&contract, &place)?;
        let mut run = Run::new(place, contract, parent);
        match parent.and_then(|ticket| self.runs.get_mut(ticket)) {
            None => self.next_seq += 1,
            Some(parent) => {
                parent.next_index += 1;
                run.quiet = parent.quiet || parent.superseded;
            }
        }
        Ok(self.enter(run))
    }

    /// Takes in a run whose place is settled and whose outputs are checked.
    pub(crate) fn enter(&mut self, mut run: Run) -> Admitted<V> {
        let ticket = Ticket(self.draw_number());
        let mut effects = Effects::new(ticket.number());
        let admission = match self.judge(ticket, &run) {
            Verdict::Doomed(node, cause) => {
                let cause = cause.clone();
                self.fail_outputs(ticket, &run, cause.clone(), &mut effects);
                let path = Arc::clone(self.store.paths.full(node));
                let doom = Doom {
                    ticket,
                    path,
                    cause,
                };
                return Admitted {
                    ticket,
                    admission: Admission::Doomed(doom),
                    effects,
                };
            }
            Verdict::Wait(blocker) => {
                run.blocked_on = Some(blocker);
                self.queue_behind(ticket, blocker);
                Admission::Waiting
            }
            Verdict::Clear => {
                run.stage = Stage::Ready;
                Admission::Ready
            }
        };
        self.declare(ticket, &run);
        self.runs.insert(ticket, run);
        Admitted {
            ticket,
            admission,
            effects,
        }
    }

    /// Makes known, at the run's place, what it reads and what it promises to write.
    pub(crate) fn declare(&mut self, ticket: Ticket, run: &Run) {
        for &input in &run.contract.inputs {
            self.store.add_reader(input, &run.place, ticket);
        }
        for &(output, _) in &run.contract.outputs {
            let promise = Pending {
                place: run.place.clone(),
                writer: ticket,
                published: false,
            };
            self.store.promise(output, promise);
        }
    }
}
