//! Limits: a run that waits until any one of several others has ended, and the circles that close through such waits.
//!
//! A wait for a place is kept apart from the awaits: those all have to end, here one is enough.

use std::collections::{HashMap, HashSet};

use super::Scheduler;
use super::types::Ticket;

/// Names a limit; chosen by the caller.
pub(crate) type LimitId = u64;

/// Whom one run waits for: all of the first, and one of the second if there is one.
struct Waits {
    all: Vec<Ticket>,
    any: Vec<Ticket>,
}

impl<V: Clone> Scheduler<V> {
    /// Says who has the places of a limit; nobody if one is free, for then nobody waits there for a run.
    ///
    /// Closes no circle by itself: a run that has just got a place waits for nothing yet. Where places became fewer and
    /// are still all taken, somebody who waits is to be asked about again: see [`limit_wait`](Self::limit_wait).
    pub fn limit_taken(&mut self, limit: u64, holders: Vec<Ticket>) {
        if holders.is_empty() {
            self.limits.remove(&limit);
        } else {
            self.limits.insert(limit, holders);
        }
    }

    /// Records that a run whose inputs are there waits for a place. Does nothing if it has ended; asking again looks for
    /// circles again.
    ///
    /// # Errors
    /// A circle, `waiter` first, if everybody who has a place waits for `waiter`, directly or not; nothing is recorded
    /// then.
    pub fn limit_wait(&mut self, waiter: Ticket, limit: u64) -> Result<(), Vec<Ticket>> {
        self.limit_pass(waiter);
        let Some(run) = self.runs.get_mut(waiter) else {
            return Ok(());
        };
        run.limit = Some(limit);
        self.limited += 1;
        let holders = self.limits.get(&limit).map_or(&[][..], Vec::as_slice);
        let circle = holders
            .iter()
            .find_map(|&holder| self.stuck(holder, waiter));
        let Some(chain) = circle else {
            return Ok(());
        };
        self.limit_pass(waiter);
        Err(std::iter::once(waiter).chain(chain).collect())
    }

    /// The run waits for a place no more.
    pub fn limit_pass(&mut self, waiter: Ticket) {
        if let Some(run) = self.runs.get_mut(waiter)
            && run.limit.take().is_some()
        {
            self.limited -= 1;
        }
    }

    /// How `from` waits for `goal`, if neither can end any more: the runs from `from` on, each waiting for the next.
    ///
    /// Without anybody who waits for a place the search for chains tells: then every wait is one for all.
    pub(super) fn stuck(&self, from: Ticket, goal: Ticket) -> Option<Vec<Ticket>> {
        if self.limited == 0 {
            return None;
        }
        let waits = self.reached(from);
        // Most searches end here, after a few steps.
        waits.get(&goal)?;
        let stuck = never_ending(&waits);
        if !stuck.contains(&from) || !stuck.contains(&goal) {
            return None;
        }
        let next = |at: Ticket| {
            let waits = &waits[&at];
            let both = waits.all.iter().chain(&waits.any).copied();
            both.filter(|other| stuck.contains(other)).collect()
        };
        super::waits::chain(from, goal, next)
    }

    /// Everybody that `from` may have to wait for, itself included, and whom each of them waits for.
    fn reached(&self, from: Ticket) -> HashMap<Ticket, Waits> {
        let mut found = HashMap::new();
        let mut open = vec![from];
        while let Some(ticket) = open.pop() {
            let Some(run) = self.runs.get(ticket) else {
                continue; // ended
            };
            if found.contains_key(&ticket) {
                continue;
            }
            let all = self.blockers(ticket);
            let holders = run.limit.and_then(|limit| self.limits.get(&limit));
            let any = holders.cloned().unwrap_or_default();
            open.extend(all.iter().chain(&any));
            found.insert(ticket, Waits { all, any });
        }
        found
    }
}

/// Those that can never end: the rest after everybody was taken out, again and again, who waits for nobody that is left.
/// Whoever is not among the keys has ended.
fn never_ending(waits: &HashMap<Ticket, Waits>) -> HashSet<Ticket> {
    let mut left: HashSet<Ticket> = waits.keys().copied().collect();
    loop {
        let ends = |ticket: &Ticket| {
            let Waits { all, any } = &waits[ticket];
            let all_end = !all.iter().any(|other| left.contains(other));
            all_end && (any.is_empty() || any.iter().any(|other| !left.contains(other)))
        };
        let ending: Vec<Ticket> = left.iter().filter(|ticket| ends(ticket)).copied().collect();
        if ending.is_empty() {
            return left;
        }
        for ticket in ending {
            left.remove(&ticket);
        }
    }
}
