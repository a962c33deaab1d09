//! The scheduler, spoken to in few words.

use theus_core::{
    Access, Admission, Admitted, ContractId, Effects, End, Error, Input, Present, Scheduler, Ticket,
};

/// A scheduler spoken to in paths: `"a b?"` is a list of accesses, a trailing `?` makes one optional.
pub struct Bench {
    pub scheduler: Scheduler<i64>,
}

impl Bench {
    pub fn new() -> Self {
        Self {
            scheduler: Scheduler::new(),
        }
    }

    pub fn contract(&mut self, inputs: &str, outputs: &str) -> ContractId {
        let parse = |list: &str| -> Vec<Access> {
            let access = |word: &str| match word.strip_suffix('?') {
                Some(path) => Access::optional(path),
                None => Access::required(word),
            };
            list.split_whitespace().map(access).collect()
        };
        self.scheduler.compile(&parse(inputs), &parse(outputs))
    }

    pub fn try_admit(
        &mut self,
        parent: Option<Ticket>,
        inputs: &str,
        outputs: &str,
    ) -> Result<Admitted<i64>, Error> {
        let contract = self.contract(inputs, outputs);
        self.scheduler.admit(contract, parent)
    }

    /// A top-level run that starts at once.
    pub fn run(&mut self, inputs: &str, outputs: &str) -> Ticket {
        let admitted = self.try_admit(None, inputs, outputs).unwrap();
        assert_eq!(admitted.admission, Admission::Ready);
        self.scheduler.start(admitted.ticket).unwrap();
        admitted.ticket
    }

    /// A top-level run that waits.
    pub fn waiting(&mut self, inputs: &str, outputs: &str) -> Ticket {
        let admitted = self.try_admit(None, inputs, outputs).unwrap();
        assert_eq!(admitted.admission, Admission::Waiting);
        admitted.ticket
    }

    /// A child that starts at once.
    pub fn child(&mut self, parent: Ticket, inputs: &str, outputs: &str) -> Ticket {
        let admitted = self.try_admit(Some(parent), inputs, outputs).unwrap();
        assert_eq!(admitted.admission, Admission::Ready);
        self.scheduler.start(admitted.ticket).unwrap();
        admitted.ticket
    }

    pub fn replace(&mut self, old: Ticket, inputs: &str, outputs: &str) -> Admitted<i64> {
        let contract = self.contract(inputs, outputs);
        self.scheduler.replace(old, contract).unwrap()
    }

    pub fn commit(&mut self, ticket: Ticket, writes: &[(&str, i64)]) -> Effects<i64> {
        self.try_commit(ticket, writes).unwrap()
    }

    pub fn try_commit(
        &mut self,
        ticket: Ticket,
        writes: &[(&str, i64)],
    ) -> Result<Effects<i64>, Error> {
        let writes = self.writes(writes);
        let end = End::Committed(writes.clone());
        self.scheduler.finish(ticket, end).map_err(|refused| {
            assert_eq!(
                refused.given,
                End::Committed(writes),
                "what is refused comes back"
            );
            refused.error
        })
    }

    pub fn publish(&mut self, ticket: Ticket, writes: &[(&str, i64)]) -> Effects<i64> {
        let writes = self.writes(writes);
        self.scheduler.publish(ticket, writes).unwrap()
    }

    pub fn fail(&mut self, ticket: Ticket, cause: i64) -> Effects<i64> {
        self.scheduler.finish(ticket, End::Failed(cause)).unwrap()
    }

    pub fn put(&mut self, path: &str, value: i64) -> u64 {
        self.scheduler.put(path, Some(value)).unwrap().version
    }

    /// The inputs of a run, values only: `None` where missing.
    pub fn start(&mut self, ticket: Ticket) -> Vec<Option<i64>> {
        let inputs = self.scheduler.start(ticket).unwrap();
        inputs.iter().map(leaf).collect()
    }

    /// The present value.
    pub fn value(&self, path: &str) -> Option<i64> {
        match self.scheduler.present(path) {
            Present::Leaf { value, .. } => Some(value),
            _ => None,
        }
    }

    fn writes(&mut self, writes: &[(&str, i64)]) -> Vec<(theus_core::NodeId, i64)> {
        writes
            .iter()
            .map(|&(path, value)| (self.scheduler.node(path), value))
            .collect()
    }
}

pub fn leaf(input: &Input<i64>) -> Option<i64> {
    match input {
        Input::Leaf { value, .. } => Some(*value),
        Input::Missing => None,
        Input::Branch(entries) => panic!("a branch: {entries:?}"),
    }
}

pub fn branch(input: &Input<i64>) -> Vec<(&str, i64)> {
    match input {
        Input::Branch(entries) => entries
            .iter()
            .map(|entry| (&*entry.path, entry.value))
            .collect(),
        other => panic!("not a branch: {other:?}"),
    }
}
