//! A naive model of the rules: every version is remembered for ever, every question is answered by looking at everything.

use theus_core::Ticket;

/// Every path there is, in the order in which they are first named. Values are only ever written to leaves.
pub const PATHS: [&str; 7] = ["a", "b", "d", "d.x", "d.y", "d.y.k", "d.y.l"];
pub const LEAVES: [usize; 5] = [0, 1, 3, 5, 6];

/// A place with infinity at the end of the list, so that plain comparison does it.
pub type Key = Vec<u64>;

pub fn covers(above: usize, path: usize) -> bool {
    let (above, path) = (PATHS[above], PATHS[path]);
    path == above
        || path
            .strip_prefix(above)
            .is_some_and(|rest| rest.starts_with('.'))
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Content {
    Value(i64),
    Absent,
    Failed(i64),
    /// Written again beneath: failures here before this do not count.
    Renewed,
}

impl Content {
    pub fn is_cover(self) -> bool {
        matches!(self, Self::Value(_) | Self::Absent)
    }
}

#[derive(Clone, Debug)]
pub struct Version {
    pub key: Key,
    pub path: usize,
    pub content: Content,
    pub number: u64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum State {
    Waiting,
    Ready,
    Running,
    Done,
}

#[derive(Clone, Debug)]
pub struct Run {
    pub ticket: Ticket,
    pub steps: Vec<u64>,
    pub parent: Option<Ticket>,
    pub inputs: Vec<usize>,
    pub outputs: Vec<(usize, bool)>,
    pub published: Vec<usize>,
    pub next: u64,
    pub state: State,
    pub superseded: bool,
    /// Started inside a replaced run: its failure leaves no mark.
    pub quiet: bool,
}

impl Run {
    pub fn key(&self) -> Key {
        self.steps.iter().copied().chain([u64::MAX]).collect()
    }

    pub fn inside(&self, index: u64) -> Key {
        self.steps
            .iter()
            .copied()
            .chain([index, u64::MAX])
            .collect()
    }

    pub fn final_key(&self) -> Key {
        if self.next == 0 {
            self.key()
        } else {
            self.inside(self.next)
        }
    }

    pub fn unfinished(&self) -> bool {
        self.state != State::Done
    }
}

#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    Clear,
    Wait(Ticket),
    Doomed(usize, i64),
}

#[derive(Default)]
pub struct Model {
    pub versions: Vec<Version>,
    pub runs: Vec<Run>,
    pub seq: u64,
}

impl Model {
    pub fn run(&self, ticket: Ticket) -> &Run {
        self.runs.iter().find(|run| run.ticket == ticket).unwrap()
    }

    pub fn run_mut(&mut self, ticket: Ticket) -> &mut Run {
        self.runs
            .iter_mut()
            .find(|run| run.ticket == ticket)
            .unwrap()
    }

    pub fn unfinished(&self) -> impl Iterator<Item = &Run> {
        self.runs.iter().filter(|run| run.unfinished())
    }

    pub fn is_parent(&self, run: &Run, other: Ticket) -> bool {
        run.parent == Some(other)
            || run
                .parent
                .is_some_and(|parent| self.is_parent(self.run(parent), other))
    }

    /// What stands at `path` or above it before `key`, newest first; at one key the deeper first.
    pub fn before(&self, path: usize, key: Option<&Key>) -> Vec<&Version> {
        let related = |version: &&Version| {
            covers(version.path, path) && key.is_none_or(|key| version.key < *key)
        };
        let mut found: Vec<_> = self.versions.iter().filter(related).collect();
        found.sort_by(|a, b| (&b.key, b.path).cmp(&(&a.key, a.path)));
        found
    }

    /// The newest version at `path` or above it that hides what is before, or is a failure not followed by a renewal.
    pub fn deciding(&self, path: usize, key: Option<&Key>) -> Option<&Version> {
        let renewed = |failure: &Version| {
            self.versions.iter().any(|later| {
                later.content == Content::Renewed
                    && later.path == failure.path
                    && later.key > failure.key
                    && key.is_none_or(|key| later.key < *key)
            })
        };
        let decides = |version: &&Version| match version.content {
            Content::Value(_) | Content::Absent => true,
            Content::Failed(_) => !renewed(version),
            Content::Renewed => false,
        };
        self.before(path, key).into_iter().find(decides)
    }

    fn judge_path(&self, path: usize, run: &Run) -> Verdict {
        let key = run.key();
        let newest = self.deciding(path, Some(&key)).cloned();
        let open = |other: &&Run, output: usize| {
            covers(output, path)
                && other.key() < key
                && newest
                    .as_ref()
                    .is_none_or(|version| version.key < other.key())
                && !other.published.contains(&output)
                && !self.is_parent(run, other.ticket)
        };
        let writers = self.unfinished().filter(|other| !other.superseded);
        let promised =
            writers.filter(|other| other.outputs.iter().any(|(output, _)| open(other, *output)));
        if let Some(writer) = promised.max_by_key(|other| other.key()) {
            return Verdict::Wait(writer.ticket);
        }
        match newest {
            Some(Version {
                content: Content::Failed(cause),
                path,
                ..
            }) => Verdict::Doomed(path, cause),
            _ => Verdict::Clear,
        }
    }

    /// The verdicts on everything an input stands for.
    fn judge_input(&self, input: usize, run: &Run) -> Vec<Verdict> {
        let beneath = (0..PATHS.len()).filter(|&path| covers(input, path));
        beneath.map(|path| self.judge_path(path, run)).collect()
    }

    /// The earlier unfinished readers of a version that the run may change in place at `path`.
    fn readers(&self, path: usize, run: &Run) -> Vec<Ticket> {
        let mut found = Vec::new();
        for (leaf, version) in self.values(path, Some(&run.key())) {
            for other in self.unfinished() {
                let reads = other.inputs.iter().any(|&input| covers(input, leaf));
                let between = version.key < other.key() && other.key() < run.key();
                if reads
                    && between
                    && other.ticket != run.ticket
                    && !self.is_parent(run, other.ticket)
                {
                    found.push(other.ticket);
                }
            }
        }
        found
    }

    /// Where inputs and outputs overlap: the deeper of the two.
    fn in_place(run: &Run) -> Vec<usize> {
        let pairs = run
            .inputs
            .iter()
            .flat_map(|&input| run.outputs.iter().map(move |&(output, _)| (input, output)));
        pairs
            .filter(|&(a, b)| covers(a, b) || covers(b, a))
            .map(|(a, b)| a.max(b))
            .collect()
    }

    pub fn judge(&self, run: &Run) -> Verdict {
        let inputs = run
            .inputs
            .iter()
            .flat_map(|&input| self.judge_input(input, run));
        if let Some(decided) = inputs
            .into_iter()
            .find(|verdict| *verdict != Verdict::Clear)
        {
            return decided;
        }
        let mut readers = Self::in_place(run)
            .into_iter()
            .flat_map(|path| self.readers(path, run));
        readers.next().map_or(Verdict::Clear, Verdict::Wait)
    }

    /// Everybody the rules allow a waiting run to wait for now.
    pub fn blockers(&self, run: &Run) -> Vec<Ticket> {
        let inputs = run
            .inputs
            .iter()
            .flat_map(|&input| self.judge_input(input, run));
        let mut found: Vec<_> = inputs
            .filter_map(|verdict| match verdict {
                Verdict::Wait(writer) => Some(writer),
                _ => None,
            })
            .collect();
        for path in Self::in_place(run) {
            if self
                .judge_input(path, run)
                .iter()
                .all(|verdict| *verdict == Verdict::Clear)
            {
                found.extend(self.readers(path, run));
            }
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    /// The values visible at and beneath `path` before `key`.
    pub fn values(&self, path: usize, key: Option<&Key>) -> Vec<(usize, Version)> {
        let leaves = LEAVES.iter().copied().filter(|&leaf| covers(path, leaf));
        let newest = leaves.filter_map(|leaf| {
            let versions = self.before(leaf, key);
            let settled = versions
                .into_iter()
                .find(|version| version.content.is_cover())?;
            matches!(settled.content, Content::Value(_)).then(|| (leaf, settled.clone()))
        });
        newest.collect()
    }

    /// The paths that are failed at present: the newest of all that stands at or above them is their own mark.
    pub fn failed(&self, path: usize) -> Option<i64> {
        let mut versions = self.before(path, None).into_iter();
        let own = versions.find(|version| version.path == path || version.content.is_cover())?;
        match own.content {
            Content::Failed(cause) => Some(cause),
            _ => None,
        }
    }

    pub fn fail_outputs(&mut self, ticket: Ticket, cause: i64) {
        let run = self.run(ticket).clone();
        for &(path, optional) in &run.outputs {
            if !(optional || run.quiet || run.published.contains(&path)) {
                self.versions.push(Version {
                    key: run.final_key(),
                    path,
                    content: Content::Failed(cause),
                    number: ticket.0,
                });
            }
        }
    }

    /// Notes which outputs were written again by writes beneath them.
    pub fn renew(&mut self, run: &Run, key: &Key, written: &[usize]) {
        for &(output, _) in &run.outputs {
            let beneath = written
                .iter()
                .any(|&path| path != output && covers(output, path));
            if beneath && !written.contains(&output) {
                self.versions.push(Version {
                    key: key.clone(),
                    path: output,
                    content: Content::Renewed,
                    number: run.ticket.0,
                });
            }
        }
    }

    pub fn accept(&mut self, path: usize) -> Vec<usize> {
        let beneath = (0..PATHS.len()).filter(|&at| covers(path, at));
        let marked: Vec<usize> = beneath.filter(|&at| self.failed(at).is_some()).collect();
        for &at in &marked {
            let value = |version: &&Version| {
                covers(version.path, at) && version.content.is_cover()
                    || version.path == at && version.content == Content::Renewed
            };
            let last = self
                .versions
                .iter()
                .filter(value)
                .map(|version| version.key.clone())
                .max();
            self.versions.retain(|version| {
                version.path != at || last.as_ref().is_some_and(|last| version.key <= *last)
            });
        }
        marked
    }

    /// The versions somebody may still read: those without a successor, or with an unfinished run before it; and renewals
    /// as long as an unfinished run before them may fail.
    pub fn kept(&self) -> impl Iterator<Item = &Version> {
        self.versions.iter().filter(|version| {
            if version.content == Content::Renewed {
                return self.unfinished().any(|run| run.key() < version.key);
            }
            let failed = matches!(version.content, Content::Failed(_));
            let hides = |next: &&Version| {
                let successor = next.content.is_cover() || (failed && next.path == version.path);
                next.key > version.key && covers(next.path, version.path) && successor
            };
            let next = self
                .versions
                .iter()
                .filter(hides)
                .map(|next| &next.key)
                .min();
            next.is_none_or(|next| {
                self.unfinished()
                    .any(|run| version.key < run.key() && run.key() < *next)
            })
        })
    }
}
