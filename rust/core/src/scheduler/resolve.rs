//! What a run's inputs are bound to, and whom it therefore waits for: the rules of the serial order.

use super::Scheduler;
use super::runs::Run;
use super::slots::{Content, Node};
use super::types::{Cause, Ticket};
use super::walk::Step;
use crate::path::NodeId;

/// What the rules say about an input, or about a whole run.
pub(crate) enum Verdict<'a, V> {
    /// It is there (or will never be written by anybody before).
    Clear,
    /// This unfinished run comes first.
    Wait(Ticket),
    /// This path, or one above or beneath it, carries a failure mark.
    Doomed(NodeId, &'a Cause<V>),
}

impl<V: Clone> Scheduler<V> {
    /// The verdict on a run: the first input, in declared order, that is not clear decides.
    pub(crate) fn judge<'a>(&'a self, ticket: Ticket, run: &'a Run) -> Verdict<'a, V> {
        for &input in &run.contract.inputs {
            match self.judge_input(input, run) {
                Verdict::Clear => {}
                other => return other,
            }
        }
        // Only now: which version may be changed in place is known when the inputs are there.
        let mut found = None;
        for &node in &run.contract.in_place {
            self.readers_of_same(node, ticket, run, &mut |reader| {
                found = Some(reader);
                false
            });
            if let Some(reader) = found {
                return Verdict::Wait(reader);
            }
        }
        Verdict::Clear
    }

    /// All runs a run waits for now: each input's first unfinished producer and, for what it may change in place and
    /// what is there already, the earlier readers of that version.
    pub(crate) fn judge_all(&self, ticket: Ticket, run: &Run) -> Vec<Ticket> {
        let mut found = Vec::new();
        let mut note = |blocker| {
            if !found.contains(&blocker) {
                found.push(blocker);
            }
            true
        };
        for &input in &run.contract.inputs {
            for node in self.questions(input) {
                if let Verdict::Wait(blocker) = self.judge_path(node, run) {
                    note(blocker);
                }
            }
        }
        for &node in &run.contract.in_place {
            if matches!(self.judge_input(node, run), Verdict::Clear) {
                self.readers_of_same(node, ticket, run, &mut note);
            }
        }
        found
    }

    /// The verdict on one declared input.
    pub(crate) fn judge_input<'a>(&'a self, input: NodeId, run: &'a Run) -> Verdict<'a, V> {
        for node in self.questions(input) {
            match self.judge_path(node, run) {
                Verdict::Clear => {}
                other => return other,
            }
        }
        Verdict::Clear
    }

    /// The paths to be judged for an input: itself and whatever beneath it is promised or failed.
    fn questions(&self, input: NodeId) -> impl Iterator<Item = NodeId> {
        let beneath = self
            .store
            .beneath(input, |node: &Node<V>| node.unsettled_below);
        let open = beneath.filter(|&at| {
            let node = self.store.node(at);
            node.failed > 0 || !node.pending.is_empty()
        });
        std::iter::once(input).chain(open)
    }

    /// The verdict on exactly one path: the newest version before the run's place decides, at the path or above it.
    fn judge_path<'a>(&'a self, node: NodeId, run: &'a Run) -> Verdict<'a, V> {
        for (at, step) in self.store.walk(node, &run.place) {
            match step {
                // Kept by a mid-run commit: the version is further down, for it stands inside its writer's place.
                Step::Pending(promise) if promise.published => {}
                Step::Pending(promise) if self.never_waits(run, promise.writer) => {}
                // If it stays unwritten, the walk is made again when its writer has ended.
                Step::Pending(promise) => return Verdict::Wait(promise.writer),
                Step::Settled(slot) => match &slot.content {
                    Content::Failed(cause)
                        if self.store.counts(at, &slot.place, Some(&run.place)) =>
                    {
                        return Verdict::Doomed(at, cause);
                    }
                    // Written again since, but perhaps not everything that stands before.
                    Content::Failed(_) | Content::Renewed => {}
                    Content::Committed(_) | Content::Absent => return Verdict::Clear,
                },
            }
        }
        Verdict::Clear
    }

    /// Calls `visit` with each unfinished run, standing before this one, that reads a version which this one may change
    /// in place at `node`, until it says `false`.
    fn readers_of_same(
        &self,
        node: NodeId,
        ticket: Ticket,
        run: &Run,
        visit: &mut dyn FnMut(Ticket) -> bool,
    ) {
        for (leaf, slot) in self.store.leaves(node, Some(&run.place)) {
            // Whoever declared the leaf or anything above it reads it.
            for level in self.store.paths.upward(leaf) {
                let readers = &self.store.node(level).readers;
                for reader in readers.between(&slot.place, &run.place) {
                    if reader != ticket && !self.never_waits(run, reader) && !visit(reader) {
                        return;
                    }
                }
            }
        }
    }

    /// A run never waits for the run it was started in, nor for those that a replacement put behind it.
    fn never_waits(&self, run: &Run, other: Ticket) -> bool {
        run.never
            .as_ref()
            .is_some_and(|never| never.contains(&other))
            || (run.parent.is_some() && self.runs.descends(run.parent, other))
    }
}
