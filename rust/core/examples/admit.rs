//! Measures what admitting and finishing a run costs, and prints it.
//!
//! `cargo run --release -p theus_core --example admit`
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a measuring program, not a library"
)]

use std::collections::VecDeque;
use std::hint::black_box;
use std::time::Instant;

use theus_core::{Access, ContractId, End, NodeId, Scheduler, Ticket};

const PENDING: usize = 4_000;
const STEPS: usize = 100_000;

type Runs = VecDeque<(Ticket, NodeId)>;

/// Which of the unfinished runs ends next.
#[derive(Clone, Copy)]
enum Ends {
    Oldest,
    Newest,
    Any,
}

struct Bench {
    scheduler: Scheduler<u64>,
    contracts: Vec<(ContractId, NodeId)>,
    unfinished: Runs,
    seed: usize,
}

impl Bench {
    fn new(contracts: &[(Vec<String>, String)]) -> Self {
        let mut scheduler = Scheduler::new();
        let compile = |(inputs, output): &(Vec<String>, String)| {
            let inputs: Vec<_> = inputs.iter().map(|path| Access::required(path)).collect();
            let id = scheduler.compile(&inputs, &[Access::required(output)]);
            (id, scheduler.node(output))
        };
        let contracts = contracts.iter().map(compile).collect();
        Self {
            scheduler,
            contracts,
            unfinished: VecDeque::new(),
            seed: 1,
        }
    }

    fn admit(&mut self, step: usize) {
        let (contract, output) = self.contracts[step % self.contracts.len()];
        let admitted = self.scheduler.admit(contract, None).unwrap();
        self.unfinished.push_back((admitted.ticket, output));
    }

    fn finish(&mut self, ends: Ends) {
        self.seed = self
            .seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695);
        let last = self.unfinished.len() - 1;
        let at = match ends {
            Ends::Oldest => 0,
            Ends::Newest => last,
            Ends::Any => (self.seed >> 33) % self.unfinished.len(),
        };
        let (ticket, output) = self.unfinished.swap_remove_front(at).unwrap();
        let end = End::Committed(vec![(output, 1)]);
        let _ = black_box(self.scheduler.finish(ticket, end).unwrap());
    }

    /// Nanoseconds for one admission and one end, best of five, while `pending` runs are unfinished.
    fn measure(&mut self, pending: usize, ends: Ends) -> u128 {
        (0..pending).for_each(|step| self.admit(step));
        let mut best = u128::MAX;
        for _ in 0..5 {
            let begun = Instant::now();
            for step in 0..STEPS {
                self.admit(step);
                self.finish(ends);
            }
            best = best.min(begun.elapsed().as_nanos() / STEPS as u128);
        }
        best
    }
}

fn report(name: &str, contracts: &[(Vec<String>, String)], pending: usize, ends: Ends) {
    // An argument chooses among the lines, for a profiler.
    if std::env::args()
        .nth(1)
        .is_some_and(|part| !name.contains(&part))
    {
        return;
    }
    let cost = Bench::new(contracts).measure(pending, ends);
    println!("{name:<58} {pending:>6} unfinished {cost:>7} ns");
}

fn main() {
    let own: Vec<_> = (0..8_000)
        .map(|at| (vec![format!("in.p{at}")], format!("out.p{at}")))
        .collect();
    let eight: Vec<_> = (0..8)
        .map(|at| (vec![format!("in.p{at}")], format!("out.p{at}")))
        .collect();
    let shared = [(vec!["in.all".to_owned()], "out.all".to_owned())];
    let chain = [(vec!["count".to_owned()], "count".to_owned())];
    let many: Vec<_> = (0..100_000)
        .map(|at| (vec![format!("in.p{at}")], format!("out.p{at}")))
        .collect();

    println!("admit + finish, one input and one output, in a steady state");
    report("one path each", &own[..1], 0, Ends::Oldest);
    for (name, ends) in [
        ("oldest", Ends::Oldest),
        ("newest", Ends::Newest),
        ("any", Ends::Any),
    ] {
        report(&format!("8,000 paths, {name} ends"), &own, PENDING, ends);
        report(&format!("eight paths, {name} ends"), &eight, PENDING, ends);
        report(
            &format!("all read one path and write another, {name} ends"),
            &shared,
            PENDING,
            ends,
        );
    }
    report(
        "a chain of increments, oldest ends",
        &chain,
        PENDING,
        Ends::Oldest,
    );
    report("100,000 paths, oldest ends", &many, PENDING, Ends::Oldest);
}
