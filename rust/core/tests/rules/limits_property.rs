//! Random waits for runs and for places, against a search that starts anew each time.

use proptest::prelude::*;
use theus_core::Ticket;

use crate::Bench;

const RUNS: usize = 7;
const LIMITS: usize = 2;

/// Who waits for whom, by position.
#[derive(Clone, Default)]
struct Model {
    ended: [bool; RUNS],
    awaits: [Vec<usize>; RUNS],
    place: [Option<usize>; RUNS],
    holders: [Vec<usize>; LIMITS],
}

impl Model {
    /// Whether a run can still end if everybody else does what can be done.
    fn can_end(&self) -> [bool; RUNS] {
        let mut able = self.ended;
        for _ in 0..RUNS {
            for run in 0..RUNS {
                let awaits = self.awaits[run].iter().all(|&other| able[other]);
                let holders = self.place[run].map_or(&[][..], |limit| &self.holders[limit][..]);
                let place = holders.is_empty() || holders.iter().any(|&other| able[other]);
                able[run] |= awaits && place;
            }
        }
        able
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_wait_is_refused_if_it_would_never_end(ops in proptest::collection::vec((0_u8..5, 0..RUNS, 0..RUNS, 0..LIMITS), 1..60)) {
        let mut bench = Bench::new();
        let tickets: [Ticket; RUNS] = std::array::from_fn(|_| bench.run("", ""));
        let mut model = Model::default();
        for (op, one, other, limit) in ops {
            if model.ended[one] {
                continue;
            }
            let mut next = model.clone();
            match op {
                0 if model.place[one].is_none() && !model.awaits[one].contains(&other) => {
                    next.awaits[one].push(other);
                    let refused = bench.scheduler.await_begin(tickets[one], tickets[other]).is_err();
                    prop_assert_eq!(refused, !next.can_end()[one]);
                    if !refused {
                        model = next;
                    }
                }
                1 if model.awaits[one].is_empty() => {
                    next.place[one] = Some(limit);
                    let refused = bench.scheduler.limit_wait(tickets[one], limit as u64).is_err();
                    prop_assert_eq!(refused, !next.can_end()[one]);
                    next.place[one] = (!refused).then_some(limit);
                    model = next;
                }
                2 => {
                    bench.scheduler.limit_pass(tickets[one]);
                    model.place[one] = None;
                }
                3 => {
                    // Only changes that leave everybody a way out: that is who calls it.
                    match next.holders[limit].iter().position(|&holder| holder == other) {
                        Some(at) => { next.holders[limit].remove(at); }
                        None => next.holders[limit].push(other),
                    }
                    if next.can_end() == [true; RUNS] {
                        let holders = next.holders[limit].iter().map(|&at| tickets[at]).collect();
                        bench.scheduler.limit_taken(limit as u64, holders);
                        model = next;
                    }
                }
                4 if model.awaits[one].is_empty() && model.place[one].is_none() => {
                    bench.commit(tickets[one], &[]);
                    model.ended[one] = true;
                }
                _ => {}
            }
        }
    }
}
