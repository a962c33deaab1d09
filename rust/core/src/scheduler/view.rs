//! Looking at the values: what a run sees, and what is present.

use std::sync::Arc;

use super::Scheduler;
use super::runs::Stage;
use super::slots::{Content, Node, Slot};
use super::types::{Accepted, Entry, Input, Present, Ticket};
use crate::error::Error;
use crate::path::{Found, NodeId};
use crate::place::Place;

impl<V: Clone> Scheduler<V> {
    /// Marks a ready run as running and hands out its inputs, in declared order.
    ///
    /// The snapshot is taken here and once: what is written later does not reach it. Calling it again for a running run
    /// hands out what its place in the order shows by then.
    ///
    /// # Errors
    /// [`Error::NotRunning`] if there is no such unfinished run, [`Error::NotReady`] if it still waits.
    pub fn start(&mut self, ticket: Ticket) -> Result<Vec<Input<V>>, Error> {
        let gone = Error::NotRunning { ticket };
        let run = self.runs.get_mut(ticket).ok_or(gone)?;
        if run.stage == Stage::Waiting {
            return Err(Error::NotReady { ticket });
        }
        run.stage = Stage::Running;
        let (place, contract) = (run.place.clone(), Arc::clone(&run.contract));
        let inputs = contract.inputs.iter();
        Ok(inputs
            .map(|&input| self.read(input, Some(&place)))
            .collect())
    }

    /// What an unfinished run would read at `path` now: its place in the order, what its children and its own mid-run
    /// commits wrote included, promises and failures left out. Whether it declared the path is not asked.
    ///
    /// # Errors
    /// [`Error::NotRunning`] if there is no such unfinished run.
    pub fn look(&self, ticket: Ticket, path: &str) -> Result<Input<V>, Error> {
        let run = self.runs.get(ticket).ok_or(Error::NotRunning { ticket })?;
        Ok(match self.store.paths.find(path) {
            Found::Exact(node) => self.read(node, Some(&run.place)),
            Found::Above(_) => Input::Missing,
        })
    }

    fn read(&self, node: NodeId, below: Option<&Place>) -> Input<V> {
        let mut entries = Vec::new();
        for (leaf, slot) in self.store.leaves(node, below) {
            let Some(value) = slot.value().cloned() else {
                continue;
            };
            let version = slot.version;
            if leaf == node {
                return Input::Leaf { value, version };
            }
            let path = Arc::clone(self.store.paths.full(leaf));
            entries.push(Entry {
                path,
                value,
                version,
            });
        }
        if entries.is_empty() {
            return Input::Missing;
        }
        entries.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        Input::Branch(entries)
    }

    /// What `path` holds now. Unfinished runs are left out, their mid-run commits are not.
    #[must_use]
    pub fn present(&self, path: &str) -> Present<V> {
        let (node, exact) = match self.store.paths.find(path) {
            Found::Exact(node) => (node, true),
            Found::Above(node) => (node, false),
        };
        if let Some((at, slot)) = self.store.deciding(node, None)
            && let Some(failed) = self.failure(at, slot)
        {
            return failed;
        }
        let leaf = exact
            .then(|| self.store.leaves(node, None).next())
            .flatten();
        match leaf {
            Some((at, slot)) if at == node => match slot.value().cloned() {
                Some(value) => Present::Leaf {
                    value,
                    version: slot.version,
                },
                None => Present::Missing,
            },
            Some(_) => Present::Branch,
            // No value beneath, but perhaps one that was to be written: then the reader must learn why it is not there.
            None if exact => self.failures(node).next().unwrap_or(Present::Missing),
            None => Present::Missing,
        }
    }

    /// The names of the immediate children of `path` that hold values, at them or beneath; `""` asks for the zones. Sorted.
    #[must_use]
    pub fn children(&self, path: &str) -> Vec<String> {
        let Found::Exact(node) = self.store.paths.find(path) else {
            return Vec::new();
        };
        let paths = &self.store.paths;
        let filled = paths
            .children(node)
            .iter()
            .filter(|&&child| self.store.leaves(child, None).next().is_some());
        let mut names: Vec<String> = filled.map(|&child| paths.name(child).to_owned()).collect();
        names.sort_unstable();
        names
    }

    /// Every path that is failed now, with the cause, sorted.
    #[must_use]
    pub fn failed_paths(&self) -> Vec<(Arc<str>, super::Cause<V>)> {
        let failures = self
            .failures(crate::path::ROOT)
            .filter_map(|failed| match failed {
                Present::Failed { path, cause, .. } => Some((path, cause)),
                _ => None,
            });
        let mut all: Vec<_> = failures.collect();
        all.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        all
    }

    /// Takes the failure marks from `path` and from everything beneath: what was there before is present again.
    ///
    /// Runs that are doomed already stay so; a mark above `path` is only reported. Nothing else changes: no run ever
    /// waits for a mark.
    pub fn accept(&mut self, path: &str) -> Accepted<V> {
        let mut accepted = Accepted {
            paths: Vec::new(),
            above: None,
            garbage: Vec::new(),
        };
        let (node, exact) = match self.store.paths.find(path) {
            Found::Exact(node) => (node, true),
            Found::Above(node) => (node, false),
        };
        let failed: Vec<NodeId> = if exact {
            self.failed_nodes(node).collect()
        } else {
            Vec::new()
        };
        for at in failed {
            // Marks before the newest value, or removal, are history: some unfinished run may still stand there.
            let cover = self
                .store
                .versions(at, None)
                .find_map(|(_, slot)| slot.is_cover().then(|| slot.place.clone()));
            while let Some(index) = self.store.node(at).settled.len().checked_sub(1) {
                let slot = &self.store.node(at).settled[index];
                if !slot.is_failed() || cover.as_ref().is_some_and(|cover| slot.place < *cover) {
                    break;
                }
                if let Some(Content::Failed(super::Cause::Failed(value))) =
                    self.store.remove(at, index)
                {
                    accepted.garbage.push(value);
                }
            }
            accepted.paths.push(Arc::clone(self.store.paths.full(at)));
        }
        accepted.paths.sort_unstable();
        let newest = self.store.deciding(node, None);
        if let Some((at, _)) = newest.filter(|(_, slot)| slot.is_failed()) {
            accepted.above = Some(Arc::clone(self.store.paths.full(at)));
        }
        accepted
    }

    /// The nodes at and beneath `node` whose newest version, and whose ancestors' versions since, are a failure.
    fn failed_nodes(&self, node: NodeId) -> impl Iterator<Item = NodeId> {
        let beneath = self
            .store
            .beneath(node, |known: &Node<V>| known.unsettled_below);
        std::iter::once(node).chain(beneath).filter(|&at| {
            let Some(slot) = self.store.node(at).settled.back() else {
                return false;
            };
            let hidden = || {
                let mut above = self
                    .store
                    .versions(at, None)
                    .take_while(|(_, known)| known.place > slot.place);
                above.any(|(_, known)| known.is_cover())
            };
            slot.is_failed() && !hidden()
        })
    }

    fn failures(&self, node: NodeId) -> impl Iterator<Item = Present<V>> {
        self.failed_nodes(node).filter_map(|at| {
            let slot = self.store.node(at).settled.back()?;
            self.failure(at, slot)
        })
    }

    fn failure(&self, at: NodeId, slot: &Slot<V>) -> Option<Present<V>> {
        let Content::Failed(cause) = &slot.content else {
            return None;
        };
        Some(Present::Failed {
            path: Arc::clone(self.store.paths.full(at)),
            cause: cause.clone(),
            version: slot.version,
        })
    }
}
