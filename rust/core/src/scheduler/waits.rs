//! Waiting: runs are looked at again when the one they are blocked on ends, and no circle of waits may close.

use std::collections::HashMap;
use std::sync::Arc;

use super::Scheduler;
use super::resolve::Verdict;
use super::runs::{Run, Stage};
use super::types::{Cause, Doom, Effects, Ticket};
use crate::path::{NodeId, ROOT};

impl<V: Clone> Scheduler<V> {
    /// Records that `waiter`, a running run, awaits `target`. To be called once for each await, and undone by
    /// [`await_end`](Self::await_end). Does nothing if either has ended.
    ///
    /// # Errors
    /// The circle, `waiter` first, if `target` waits (through inputs, awaits or limits) for `waiter`; nothing is recorded
    /// then.
    pub fn await_begin(&mut self, waiter: Ticket, target: Ticket) -> Result<(), Vec<Ticket>> {
        if let Some(chain) = self.chain(target, waiter) {
            return Err(std::iter::once(waiter).chain(chain).collect());
        }
        if self.runs.get(target).is_some()
            && let Some(run) = self.runs.get_mut(waiter)
        {
            run.awaits.push(target);
            self.awaits += 1;
        }
        // Only with the wait recorded: a run that waits for a place can end without it.
        let Some(chain) = self.stuck(target, waiter) else {
            return Ok(());
        };
        self.await_end(waiter, target);
        Err(std::iter::once(waiter).chain(chain).collect())
    }

    /// Undoes one [`await_begin`](Self::await_begin). Does nothing if there is none to undo.
    pub fn await_end(&mut self, waiter: Ticket, target: Ticket) {
        if let Some(run) = self.runs.get_mut(waiter)
            && let Some(at) = run.awaits.iter().position(|&awaited| awaited == target)
        {
            run.awaits.swap_remove(at);
            self.awaits -= 1;
        }
    }

    /// Has a run looked at again when `blocker` ends.
    pub(crate) fn queue_behind(&mut self, ticket: Ticket, blocker: Ticket) {
        if let Some(other) = self.runs.get_mut(blocker) {
            other.waiters.push(ticket);
        }
    }

    /// Takes a run off the list of the one it is blocked on.
    pub(crate) fn unblock(&mut self, ticket: Ticket) {
        let blocker = self
            .runs
            .get_mut(ticket)
            .and_then(|run| run.blocked_on.take());
        if let Some(other) = blocker.and_then(|blocker| self.runs.get_mut(blocker)) {
            other.waiters.retain(|&waiter| waiter != ticket);
        }
    }

    /// Clears up behind a run that was taken out of the unfinished ones and whose promises are settled.
    pub(crate) fn leave(
        &mut self,
        ticket: Ticket,
        run: Run,
        queue: &mut Vec<Ticket>,
        effects: &mut Effects<V>,
    ) {
        for &input in &run.contract.inputs {
            self.store.remove_reader(input, &run.place);
        }
        self.awaits -= run.awaits.len();
        self.limited -= usize::from(run.limit.is_some());
        self.prune_pinned(run.pins, &run.place, effects);
        self.release(ticket, run.waiters, queue);
    }

    /// Queues those that are still blocked on `blocker`.
    pub(crate) fn release(
        &mut self,
        blocker: Ticket,
        waiters: Vec<Ticket>,
        queue: &mut Vec<Ticket>,
    ) {
        for waiter in waiters {
            if let Some(run) = self.runs.get_mut(waiter)
                && run.blocked_on == Some(blocker)
            {
                run.blocked_on = None;
                queue.push(waiter);
            }
        }
    }

    /// Looks again at waiting runs, and at those that wait for the ones which are doomed by that.
    pub(crate) fn wake(&mut self, mut queue: Vec<Ticket>, effects: &mut Effects<V>) {
        while let Some(ticket) = queue.pop() {
            let Some(run) = self.runs.get(ticket) else {
                continue;
            };
            match self.judge(ticket, run) {
                Verdict::Clear => {
                    effects.ready.push(ticket);
                    if let Some(run) = self.runs.get_mut(ticket) {
                        run.stage = Stage::Ready;
                    }
                }
                Verdict::Wait(blocker) => {
                    if let Some((node, circle)) = self.circle(ticket, run) {
                        let cause = Cause::Deadlock(circle);
                        self.doom(ticket, node, cause, &mut queue, effects);
                    } else if let Some(run) = self.runs.get_mut(ticket) {
                        run.blocked_on = Some(blocker);
                        self.queue_behind(ticket, blocker);
                    }
                }
                Verdict::Doomed(node, cause) => {
                    let cause = cause.clone();
                    self.doom(ticket, node, cause, &mut queue, effects);
                }
            }
        }
    }

    fn doom(
        &mut self,
        ticket: Ticket,
        node: NodeId,
        cause: Cause<V>,
        queue: &mut Vec<Ticket>,
        effects: &mut Effects<V>,
    ) {
        let Some(run) = self.runs.remove(ticket) else {
            return;
        };
        self.fail_outputs(ticket, &run, cause.clone(), effects);
        self.leave(ticket, run, queue, effects);
        effects.doomed.push(Doom {
            ticket,
            path: Arc::clone(self.store.paths.full(node)),
            cause,
        });
    }

    /// The circle that a waiting run closes, and the input that closes it. Without awaits there is none: inputs only ever
    /// point to earlier places.
    fn circle(&self, ticket: Ticket, run: &Run) -> Option<(NodeId, Arc<[Ticket]>)> {
        if self.awaits == 0 {
            return None;
        }
        let mut blockers = self.judge_all(ticket, run).into_iter();
        let chain = blockers.find_map(|blocker| {
            let chain = self.chain(blocker, ticket);
            chain.or_else(|| self.stuck(blocker, ticket))
        })?;
        let first = chain.first().copied();
        let blocked = |&&input: &&NodeId| matches!(self.judge_input(input, run), Verdict::Wait(other) if Some(other) == first);
        let input = run.contract.inputs.iter().find(blocked).copied();
        // Not an input that is still to come: then it is one that may be changed in place and is still being read.
        let node = input.or_else(|| run.contract.in_place.first().copied());
        Some((
            node.unwrap_or(ROOT),
            std::iter::once(ticket).chain(chain).collect(),
        ))
    }

    /// How `from` waits for `goal`: the runs from `from` on, each waiting for the next, the last for `goal`. Empty if they
    /// are the same run.
    fn chain(&self, from: Ticket, goal: Ticket) -> Option<Vec<Ticket>> {
        chain(from, goal, |ticket| self.blockers(ticket))
    }
}

/// The way from one run to another, without the last; none if there is no way.
pub(super) fn chain(
    from: Ticket,
    goal: Ticket,
    next: impl Fn(Ticket) -> Vec<Ticket>,
) -> Option<Vec<Ticket>> {
    let mut reached_from = HashMap::from([(from, None)]);
    let mut open = vec![from];
    while let Some(ticket) = open.pop() {
        if ticket == goal {
            let step = |at: &Ticket| reached_from.get(at).copied().flatten();
            let back = std::iter::successors(step(&goal), step);
            let mut chain: Vec<Ticket> = back.collect();
            chain.reverse();
            return Some(chain);
        }
        for next in next(ticket) {
            reached_from.entry(next).or_insert_with(|| {
                open.push(next);
                Some(ticket)
            });
        }
    }
    None
}
