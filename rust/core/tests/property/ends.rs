//! The steps that bring versions in, or take failure marks out.

use std::collections::BTreeSet;

use theus_core::{End, Ticket};

use crate::harness::Harness;
use crate::model::{Content, Key, LEAVES, PATHS, Run, State, Version, covers};

impl Harness {
    fn writes(&mut self, ticket: Ticket, choice: [u16; 4]) -> Vec<(usize, i64)> {
        let run = self.model.run(ticket).clone();
        let mut leaves = BTreeSet::new();
        for (index, &(output, optional)) in run.outputs.iter().enumerate() {
            let covered: Vec<_> = LEAVES
                .iter()
                .copied()
                .filter(|&leaf| covers(output, leaf))
                .collect();
            if !(optional && choice[1 + index].is_multiple_of(2)) {
                leaves.insert(covered[choice[2] as usize % covered.len()]);
            }
        }
        leaves
            .into_iter()
            .map(|leaf| (leaf, self.fresh()))
            .collect()
    }

    fn store(&mut self, writes: &[(usize, i64)], key: &Key, number: u64) -> Vec<usize> {
        let mut late = Vec::new();
        for (index, &(path, value)) in writes.iter().enumerate() {
            let newest = self.model.deciding(path, None);
            if newest.is_some_and(|version| version.key > *key) {
                late.push(index);
            }
            self.committed.insert(value);
            self.model.versions.push(Version {
                key: key.clone(),
                path,
                content: Content::Value(value),
                number,
            });
        }
        late
    }

    fn renew(&mut self, run: &Run, key: &Key, writes: &[(usize, i64)]) {
        let written: Vec<_> = writes.iter().map(|&(path, _)| path).collect();
        self.model.renew(run, key, &written);
    }

    pub fn commit(&mut self, ticket: Ticket, choice: [u16; 4]) {
        let writes = self.writes(ticket, choice);
        let given = writes
            .iter()
            .map(|&(path, value)| (self.nodes[path], value))
            .collect();
        let mut effects = self
            .scheduler
            .finish(ticket, End::Committed(given))
            .unwrap();
        let run = self.model.run(ticket).clone();
        if run.superseded {
            for (_, value) in writes {
                let at = effects
                    .garbage
                    .iter()
                    .position(|&known| known == value)
                    .unwrap();
                effects.garbage.remove(at);
            }
        } else {
            let key = run.final_key();
            assert_eq!(effects.superseded, self.store(&writes, &key, ticket.0));
            self.renew(&run, &key, &writes);
        }
        self.model.run_mut(ticket).state = State::Done;
        self.settle(&effects);
    }

    pub fn publish(&mut self, ticket: Ticket, choice: [u16; 4]) {
        let run = self.model.run(ticket).clone();
        if run.superseded {
            return;
        }
        let writes = self.writes(ticket, choice);
        let given = writes
            .iter()
            .map(|&(path, value)| (self.nodes[path], value))
            .collect();
        let effects = self.scheduler.publish(ticket, given).unwrap();
        let key = run.inside(run.next);
        assert_eq!(
            effects.superseded,
            self.store(&writes, &key, effects.version)
        );
        self.renew(&run, &key, &writes);
        let run = self.model.run_mut(ticket);
        run.next += 1;
        for &(output, _) in &run.outputs {
            if writes.iter().any(|&(path, _)| covers(output, path)) {
                run.published.push(output);
            }
        }
        self.settle(&effects);
    }

    pub fn fail(&mut self, ticket: Ticket) {
        let cause = -self.fresh();
        let effects = self.scheduler.finish(ticket, End::Failed(cause)).unwrap();
        if !self.model.run(ticket).superseded {
            self.model.fail_outputs(ticket, cause);
        }
        self.model.run_mut(ticket).state = State::Done;
        self.settle(&effects);
    }

    pub fn put(&mut self, choice: [u16; 4]) {
        let removed = choice[0].is_multiple_of(3);
        let path = if removed {
            choice[1] as usize % 7
        } else {
            LEAVES[choice[1] as usize % 5]
        };
        let value = self.fresh();
        let effects = self
            .scheduler
            .put(PATHS[path], (!removed).then_some(value))
            .unwrap();
        let key = vec![self.next_seq(), u64::MAX];
        if removed {
            self.model.versions.push(Version {
                key,
                path,
                content: Content::Absent,
                number: effects.version,
            });
        } else {
            self.store(&[(path, value)], &key, effects.version);
        }
        self.settle(&effects);
    }

    pub fn accept(&mut self, choice: u16) {
        let path = choice as usize % 7;
        let accepted = self.scheduler.accept(PATHS[path]);
        let marked = self.model.accept(path);
        let names: Vec<_> = accepted.paths.iter().map(|path| &**path).collect();
        assert_eq!(
            names,
            marked.iter().map(|&at| PATHS[at]).collect::<Vec<_>>()
        );
    }
}
