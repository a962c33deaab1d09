//! Plays a program on the scheduler and on the model, step by step.

use std::collections::BTreeSet;

use theus_core::{Access, Admission, Admitted, Cause, Input, NodeId, Scheduler, Ticket};

use crate::compare::as_input;
use crate::model::{Content, Model, PATHS, Run, State, Verdict, covers};

/// One step of a program; the numbers choose among what is possible when it is its turn.
pub type Op = (u8, [u16; 4]);

pub struct Harness {
    pub scheduler: Scheduler<i64>,
    pub nodes: Vec<NodeId>,
    pub model: Model,
    pub reads: Vec<(Ticket, Vec<Input<i64>>)>,
    pub doomed: BTreeSet<Ticket>,
    pub committed: BTreeSet<i64>,
    pub garbage: Vec<i64>,
    /// With mid-run commits a waiting run may have become ready behind the back of the one it is blocked on; it is found
    /// when that one ends.
    pub publishes: bool,
    pub next_value: i64,
}

fn access(path: usize, optional: bool) -> Access {
    Access {
        path: PATHS[path].to_owned(),
        optional,
    }
}

impl Harness {
    pub fn new(publishes: bool) -> Self {
        let mut scheduler = Scheduler::new();
        let nodes = PATHS.iter().map(|path| scheduler.node(path)).collect();
        Self {
            scheduler,
            nodes,
            model: Model {
                seq: 1,
                ..Model::default()
            },
            reads: Vec::new(),
            doomed: BTreeSet::new(),
            committed: BTreeSet::new(),
            garbage: Vec::new(),
            publishes,
            next_value: 1,
        }
    }

    pub fn fresh(&mut self) -> i64 {
        self.next_value += 1;
        self.next_value
    }

    /// Some run in one of these states.
    pub fn pick(&self, states: &[State], choice: u16) -> Option<Ticket> {
        let fit = |run: &&Run| {
            states.contains(&run.state) && (!run.superseded || run.state == State::Running)
        };
        let found: Vec<_> = self
            .model
            .runs
            .iter()
            .filter(fit)
            .map(|run| run.ticket)
            .collect();
        (!found.is_empty()).then(|| found[choice as usize % found.len()])
    }

    pub fn play(&mut self, ops: impl IntoIterator<Item = Op>) {
        for op in ops {
            self.step(op);
        }
    }

    fn step(&mut self, (kind, choice): Op) {
        match kind {
            0..=4 => self.admit(choice, None, None),
            5 => {
                // What a replaced run starts is promised by nobody, so that it, too, changes bindings behind the backs
                // of those who wait.
                let parent = self.pick(&[State::Running], choice[3]);
                if let Some(parent) =
                    parent.filter(|&at| self.publishes || !self.model.run(at).superseded)
                {
                    self.admit(choice, Some(parent), None);
                }
            }
            6..=9 => self.start(choice[0]),
            10..=13 => {
                if let Some(ticket) = self.pick(&[State::Running], choice[0]) {
                    self.commit(ticket, choice);
                }
            }
            14 => {
                if let Some(ticket) =
                    self.pick(&[State::Waiting, State::Ready, State::Running], choice[0])
                {
                    self.fail(ticket);
                }
            }
            15 => self.put(choice),
            16 => self.accept(choice[0]),
            17 if self.publishes => {
                if let Some(ticket) = self.pick(&[State::Running], choice[0]) {
                    self.publish(ticket, choice);
                }
            }
            18 => {
                let old = self.pick(&[State::Waiting, State::Ready, State::Running], choice[3]);
                let fresh = old.filter(|&old| !self.model.run(old).superseded);
                if let Some(old) = fresh {
                    self.admit(choice, None, Some(old));
                }
            }
            _ => {}
        }
        self.check();
    }

    fn admit(&mut self, choice: [u16; 4], parent: Option<Ticket>, old: Option<Ticket>) {
        let (mut readable, mut writable): (Vec<usize>, Vec<usize>) =
            ((0..7).collect(), (0..7).collect());
        if let Some(parent) = parent {
            let run = self.model.run(parent);
            let writes =
                |path: &usize| run.outputs.iter().any(|&(output, _)| covers(output, *path));
            let reads = |path: &usize| run.inputs.iter().any(|&input| covers(input, *path));
            readable.retain(|path| writes(path) || reads(path));
            writable.retain(writes);
        }
        let choose = |from: &[usize], choice: u16, most: u16| -> Vec<(usize, bool)> {
            let count = if from.is_empty() {
                0
            } else {
                choice % (most + 1)
            };
            let pick = |at: u16| {
                let number = (choice / 7).wrapping_mul(2 * at + 3);
                (from[number as usize % from.len()], number.is_multiple_of(3))
            };
            (0..count).map(pick).collect()
        };
        let inputs = choose(&readable, choice[0], 3);
        let mut outputs: Vec<(usize, bool)> = Vec::new();
        for (path, optional) in choose(&writable, choice[1], 2) {
            if outputs.iter().all(|&(known, _)| known != path) {
                outputs.push((path, optional));
            }
        }
        let accesses = |paths: &[(usize, bool)]| -> Vec<Access> {
            paths
                .iter()
                .map(|&(path, optional)| access(path, optional))
                .collect()
        };
        let contract = self
            .scheduler
            .compile(&accesses(&inputs), &accesses(&outputs));
        let admitted = match old {
            Some(old) => self.scheduler.replace(old, contract),
            None => self.scheduler.admit(contract, parent),
        };
        let admitted = admitted.unwrap();
        let mut run = Run {
            ticket: admitted.ticket,
            steps: Vec::new(),
            parent,
            inputs: inputs.into_iter().map(|(path, _)| path).collect(),
            outputs,
            published: Vec::new(),
            next: 0,
            state: State::Waiting,
            superseded: false,
            quiet: parent.is_some_and(|parent| {
                let parent = self.model.run(parent);
                parent.superseded || parent.quiet
            }),
        };
        run.steps = match parent {
            Some(parent) => {
                let parent = self.model.run_mut(parent);
                parent.next += 1;
                parent
                    .steps
                    .iter()
                    .copied()
                    .chain([parent.next - 1])
                    .collect()
            }
            None => vec![self.next_seq()],
        };
        if let Some(old) = old {
            self.supersede(old);
        }
        self.model.runs.push(run);
        self.admitted(&admitted);
    }

    pub fn next_seq(&mut self) -> u64 {
        self.model.seq += 1;
        self.model.seq - 1
    }

    /// Moves whoever waits for `old` behind the run that takes its place.
    fn supersede(&mut self, old: Ticket) {
        let mut behind = BTreeSet::from([old]);
        loop {
            let waiting = self
                .model
                .unfinished()
                .filter(|run| run.state == State::Waiting && !run.superseded);
            let found = waiting.filter(|run| {
                self.model
                    .blockers(run)
                    .iter()
                    .any(|other| behind.contains(other))
            });
            let more: Vec<_> = found
                .map(|run| run.ticket)
                .filter(|ticket| !behind.contains(ticket))
                .collect();
            if more.is_empty() {
                break;
            }
            behind.extend(more);
        }
        behind.remove(&old);
        self.model.run_mut(old).superseded = true;
        let inside = self
            .model
            .unfinished()
            .filter(|run| self.model.is_parent(run, old));
        for ticket in inside.map(|run| run.ticket).collect::<Vec<_>>() {
            self.model.run_mut(ticket).quiet = true;
        }
        let mut order: Vec<_> = behind
            .into_iter()
            .map(|ticket| (self.model.run(ticket).key(), ticket))
            .collect();
        order.sort();
        for (_, ticket) in order {
            let seq = self.next_seq();
            self.model.run_mut(ticket).steps = vec![seq];
        }
    }

    fn admitted(&mut self, admitted: &Admitted<i64>) {
        let ticket = admitted.ticket;
        match (
            &admitted.admission,
            self.model.judge(self.model.run(ticket)),
        ) {
            (Admission::Ready, Verdict::Clear) => self.model.run_mut(ticket).state = State::Ready,
            (Admission::Waiting, Verdict::Wait(_)) => {}
            (Admission::Doomed(doom), Verdict::Doomed(path, cause)) => {
                assert_eq!(
                    (&*doom.path, &doom.cause),
                    (PATHS[path], &Cause::Failed(cause))
                );
                self.model.fail_outputs(ticket, cause);
                self.model.run_mut(ticket).state = State::Done;
                self.doomed.insert(ticket);
            }
            other => panic!("admission {other:?}"),
        }
        self.settle(&admitted.effects);
    }

    pub fn start(&mut self, choice: u16) {
        let Some(ticket) = self.pick(&[State::Ready], choice) else {
            return;
        };
        let inputs = self.scheduler.start(ticket).unwrap();
        let run = self.model.run(ticket).clone();
        let expected: Vec<_> = run
            .inputs
            .iter()
            .map(|&input| self.read(input, &run))
            .collect();
        assert_eq!(inputs, expected);
        self.model.run_mut(ticket).state = State::Running;
        if !run.superseded {
            self.reads.push((ticket, inputs));
        }
    }

    fn read(&self, input: usize, run: &Run) -> Input<i64> {
        let values = self.model.values(input, Some(&run.key()));
        as_input(
            input,
            values.iter().map(|(leaf, version)| match version.content {
                Content::Value(value) => (*leaf, value, version.number),
                _ => unreachable!(),
            }),
        )
    }
}
