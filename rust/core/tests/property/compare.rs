//! Compares the scheduler with the model after each step, and with a sequential execution at the end.

use std::collections::{BTreeMap, BTreeSet};

use theus_core::{Cause, Effects, Entry, Input, Present, Ticket};

use crate::harness::Harness;
use crate::model::{Content, Key, PATHS, Run, State, Verdict, covers};

impl Harness {
    /// Applies what a call reported, after having found the same by looking at everything.
    pub fn settle(&mut self, effects: &Effects<i64>) {
        self.garbage
            .extend(effects.garbage.iter().filter(|value| **value > 0));
        let mut left: BTreeMap<Ticket, _> = effects
            .doomed
            .iter()
            .map(|doom| (doom.ticket, doom))
            .collect();
        assert!(effects.ready.is_sorted() && effects.doomed.is_sorted_by_key(|doom| doom.ticket));
        loop {
            let waiting = self
                .model
                .unfinished()
                .filter(|run| run.state == State::Waiting && !run.superseded);
            let doomed = waiting.filter_map(|run| match self.model.judge(run) {
                Verdict::Doomed(path, cause) => Some((run.ticket, path, cause)),
                _ => None,
            });
            let known = doomed.into_iter().find(|(ticket, ..)| {
                !self.lags(self.model.run(*ticket)) || left.contains_key(ticket)
            });
            let Some((ticket, path, cause)) = known else {
                break;
            };
            let doom = left.remove(&ticket).expect("the doom was not reported");
            assert_eq!(
                (&*doom.path, &doom.cause),
                (PATHS[path], &Cause::Failed(cause))
            );
            self.model.fail_outputs(ticket, cause);
            self.model.run_mut(ticket).state = State::Done;
            self.doomed.insert(ticket);
        }
        assert!(left.is_empty(), "doomed against the rules: {left:?}");
        for &ticket in &effects.ready {
            let run = self.model.run(ticket);
            assert_eq!(
                (run.state, self.model.judge(run)),
                (State::Waiting, Verdict::Clear)
            );
            self.model.run_mut(ticket).state = State::Ready;
        }
    }

    pub fn check(&self) {
        for run in self
            .model
            .unfinished()
            .filter(|run| run.state == State::Waiting && !run.superseded)
        {
            let mut blockers = self.scheduler.blockers(run.ticket);
            blockers.sort_unstable();
            assert_eq!(blockers, self.model.blockers(run));
            assert!(
                self.lags(run) || matches!(self.model.judge(run), Verdict::Wait(_)),
                "forgotten: {run:?}"
            );
        }
        assert_eq!(self.scheduler.unfinished(), self.model.unfinished().count());
        assert_eq!(self.scheduler.versions_kept(), self.model.kept().count());
    }

    /// Whether a run may be found ready, or doomed, only when the run it is blocked on ends: a version may have come in
    /// after that one's by a mid-run commit, or by the end of a parent behind which it was placed.
    fn lags(&self, run: &Run) -> bool {
        self.publishes || (run.parent.is_some() && run.steps.len() == 1)
    }

    /// Lets every run end, then compares what is left.
    pub fn drain(&mut self) {
        while self.model.unfinished().count() > 0 {
            while self.pick(&[State::Ready], 0).is_some() {
                self.start(0);
            }
            let superseded = self
                .model
                .unfinished()
                .find(|run| run.superseded)
                .map(|run| run.ticket);
            match (superseded, self.pick(&[State::Running], 0)) {
                (Some(old), _) => self.fail(old),
                (None, Some(ticket)) => self.commit(ticket, [1; 4]),
                (None, None) => panic!("nothing can run: {:?}", self.model.runs),
            }
            self.check();
        }
        let kept: BTreeSet<i64> = self
            .model
            .kept()
            .filter_map(|version| value_of(version.content))
            .collect();
        let dropped: BTreeSet<i64> = self.garbage.iter().copied().collect();
        assert_eq!(
            dropped.len(),
            self.garbage.len(),
            "a value was dropped twice"
        );
        assert_eq!(&kept | &dropped, self.committed);
        assert!(kept.is_disjoint(&dropped));
        self.compare_present();
    }

    pub fn compare_present(&self) {
        let failed: Vec<_> = (0..7)
            .filter_map(|path| Some((PATHS[path], self.model.failed(path)?)))
            .collect();
        let found = self.scheduler.failed_paths();
        let found: Vec<_> = found
            .iter()
            .map(|(path, cause)| (&**path, cause_of(cause)))
            .collect();
        assert_eq!(found, failed);
        for (path, name) in PATHS.iter().enumerate() {
            let newest = self.model.deciding(path, None);
            let newest = newest.map(|version| version.content);
            let values = self.model.values(path, None);
            let beneath = (0..7)
                .filter(|&at| covers(path, at))
                .find_map(|at| self.model.failed(at));
            match self.scheduler.present(name) {
                Present::Failed { cause, .. } => {
                    let expected = match newest {
                        Some(Content::Failed(cause)) => Some(cause),
                        _ if values.is_empty() => beneath,
                        _ => None,
                    };
                    assert_eq!(Some(cause_of(&cause)), expected);
                }
                Present::Leaf { value, version } => {
                    let (leaf, newest) = &values[0];
                    assert_eq!(
                        (*leaf, newest.content, newest.number),
                        (path, Content::Value(value), version)
                    );
                }
                Present::Branch => assert!(!values.is_empty() && values[0].0 != path),
                Present::Missing => assert!(values.is_empty() && beneath.is_none()),
            }
        }
    }

    /// Executes the top-level runs one after another and compares every read and every doom. Only for programs without
    /// mid-run commits, acceptance and replacement, whose effect depends on when they happen.
    pub fn compare_sequential(&self) {
        #[derive(PartialEq, Eq, PartialOrd, Ord)]
        enum Event {
            Write(usize),
            Read(Ticket),
        }
        let mut events: Vec<(Key, Event)> = Vec::new();
        for (index, version) in self.model.versions.iter().enumerate() {
            events.push((version.key.clone(), Event::Write(index)));
        }
        for run in &self.model.runs {
            // A run reads before anything happens inside it.
            events.push((
                run.steps.iter().copied().chain([0, 0, 0]).collect(),
                Event::Read(run.ticket),
            ));
        }
        events.sort();
        let mut state: BTreeMap<usize, Content> = BTreeMap::new();
        let mut numbers: BTreeMap<usize, u64> = BTreeMap::new();
        let reads: BTreeMap<_, _> = self
            .reads
            .iter()
            .map(|(ticket, inputs)| (*ticket, inputs))
            .collect();
        for (_, event) in events {
            match event {
                Event::Write(index) => {
                    let version = &self.model.versions[index];
                    if version.content == Content::Absent {
                        state.retain(|&path, _| !covers(version.path, path));
                    } else {
                        state.insert(version.path, version.content);
                        numbers.insert(version.path, version.number);
                    }
                }
                Event::Read(ticket) => {
                    let Some(inputs) = reads.get(&ticket) else {
                        continue;
                    };
                    for (&input, read) in self.model.run(ticket).inputs.iter().zip(inputs.iter()) {
                        let beneath = state.iter().filter(|(path, _)| covers(input, **path));
                        let values = beneath.filter_map(|(&path, &content)| {
                            Some((path, value_of(content)?, numbers[&path]))
                        });
                        assert_eq!(
                            *read,
                            as_input(input, values),
                            "{ticket:?} reads {}",
                            PATHS[input]
                        );
                    }
                }
            }
        }
    }
}

pub fn as_input(input: usize, values: impl Iterator<Item = (usize, i64, u64)>) -> Input<i64> {
    let mut entries = Vec::new();
    for (leaf, value, version) in values {
        if leaf == input {
            return Input::Leaf { value, version };
        }
        entries.push(Entry {
            path: PATHS[leaf].into(),
            value,
            version,
        });
    }
    if entries.is_empty() {
        Input::Missing
    } else {
        Input::Branch(entries)
    }
}

fn value_of(content: Content) -> Option<i64> {
    match content {
        Content::Value(value) => Some(value),
        Content::Absent | Content::Failed(_) | Content::Renewed => None,
    }
}

fn cause_of(cause: &Cause<i64>) -> i64 {
    match cause {
        Cause::Failed(cause) => *cause,
        Cause::Deadlock(_) => panic!("a circle without awaits"),
    }
}
