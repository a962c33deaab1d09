//! What a run declares to read and write, compiled once so that admission touches nothing but numbers.

use std::collections::HashMap;
use std::sync::Arc;

use crate::path::{NodeId, PathTree};

/// One declared input or output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// The dotted path. It grants everything beneath it.
    pub path: String,
    /// For an input: may be missing (which the scheduler treats no differently, the caller does).
    /// For an output: may stay unwritten, then the preceding version stays.
    pub optional: bool,
}

impl Access {
    /// A required access.
    #[must_use]
    pub fn required(path: &str) -> Self {
        Self {
            path: path.to_owned(),
            optional: false,
        }
    }

    /// An optional access.
    #[must_use]
    pub fn optional(path: &str) -> Self {
        Self {
            path: path.to_owned(),
            optional: true,
        }
    }
}

/// A compiled contract. Valid only with the scheduler that made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ContractId(u32);

/// A contract in node ids.
#[derive(Debug)]
pub(crate) struct Contract {
    /// In declared order, which is the order in which failures are looked for.
    pub(crate) inputs: Box<[NodeId]>,
    /// Each node once; `true` where optional.
    pub(crate) outputs: Box<[(NodeId, bool)]>,
    /// What is both input and output, so that the run may change the value in place.
    pub(crate) in_place: Box<[NodeId]>,
}

/// Inputs and outputs as declared: what makes two contracts the same.
type Declared = (Box<[NodeId]>, Box<[(NodeId, bool)]>);

/// All contracts ever compiled; equal ones are kept once, for a cell is compiled again each time it is executed.
pub(crate) struct Contracts {
    all: Vec<Arc<Contract>>,
    index: HashMap<Declared, ContractId>,
}

impl Contracts {
    pub(crate) fn new() -> Self {
        Self {
            all: Vec::new(),
            index: HashMap::new(),
        }
    }

    pub(crate) fn get(&self, id: ContractId) -> Option<&Arc<Contract>> {
        self.all.get(id.0 as usize)
    }

    pub(crate) fn compile(
        &mut self,
        paths: &mut PathTree,
        inputs: &[Access],
        outputs: &[Access],
    ) -> ContractId {
        let inputs: Box<[NodeId]> = inputs.iter().map(|a| paths.intern(&a.path)).collect();
        let outputs = merge(outputs.iter().map(|a| (paths.intern(&a.path), a.optional)));
        let declared = (inputs, outputs);
        if let Some(&known) = self.index.get(&declared) {
            return known;
        }
        let id = ContractId(u32::try_from(self.all.len()).unwrap_or(u32::MAX));
        let (inputs, outputs) = declared.clone();
        self.all.push(Arc::new(Contract {
            in_place: overlaps(paths, &inputs, &outputs),
            inputs,
            outputs,
        }));
        self.index.insert(declared, id);
        id
    }
}

/// Each output once; a path declared both ways is required.
fn merge(outputs: impl Iterator<Item = (NodeId, bool)>) -> Box<[(NodeId, bool)]> {
    let mut merged: Vec<(NodeId, bool)> = Vec::new();
    for (node, optional) in outputs {
        match merged.iter_mut().find(|(known, _)| *known == node) {
            Some(entry) => entry.1 &= optional,
            None => merged.push((node, optional)),
        }
    }
    merged.into()
}

/// Where inputs and outputs overlap: the deeper node of each overlapping pair.
fn overlaps(paths: &PathTree, inputs: &[NodeId], outputs: &[(NodeId, bool)]) -> Box<[NodeId]> {
    let mut found = Vec::new();
    for &input in inputs {
        for &(output, _) in outputs {
            let deeper = match (paths.covers(input, output), paths.covers(output, input)) {
                (true, _) => output,
                (false, true) => input,
                (false, false) => continue,
            };
            if !found.contains(&deeper) {
                found.push(deeper);
            }
        }
    }
    found.into()
}

#[cfg(test)]
mod tests {
    use super::{Access, Contracts};
    use crate::path::PathTree;

    #[test]
    fn equal_contracts_are_kept_once_and_overlaps_are_the_deeper_node() {
        let (mut paths, mut contracts) = (PathTree::new(), Contracts::new());
        let inputs = [Access::required("d"), Access::required("x.y")];
        let outputs = [
            Access::optional("d.a"),
            Access::required("d.a"),
            Access::required("x"),
        ];
        let id = contracts.compile(&mut paths, &inputs, &outputs);
        assert_eq!(contracts.compile(&mut paths, &inputs, &outputs), id);
        let (a, x, xy) = (paths.intern("d.a"), paths.intern("x"), paths.intern("x.y"));
        let contract = contracts
            .get(id)
            .map(|c| (c.outputs.to_vec(), c.in_place.to_vec()));
        assert_eq!(contract, Some((vec![(a, false), (x, false)], vec![a, xy])));
    }
}
