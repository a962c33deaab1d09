//! Random programs against the naive model: every verdict, every read, every doom, what is kept and the final state.
#![allow(clippy::unwrap_used, reason = "a failed assumption is a failed test")]

mod compare;
mod ends;
mod harness;
mod model;

use harness::{Harness, Op};
use proptest::prelude::*;

fn program(most: usize) -> impl Strategy<Value = Vec<Op>> {
    proptest::collection::vec((0_u8..19, any::<[u16; 4]>()), 1..most)
}

proptest! {
    #![proptest_config(ProptestConfig {
        // More by PROPTEST_CASES.
        cases: ProptestConfig::default().cases.max(600),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn follows_the_rules(ops in program(60)) {
        let mut harness = Harness::new(false);
        harness.play(ops);
        harness.drain();
    }

    #[test]
    fn follows_the_rules_with_mid_run_commits(ops in program(60)) {
        let mut harness = Harness::new(true);
        harness.play(ops);
        harness.drain();
    }

    #[test]
    fn looks_like_one_run_after_another(ops in program(60)) {
        let mut harness = Harness::new(false);
        let timeless = |op: &Op| !matches!(op.0, 16 | 18);
        harness.play(ops.into_iter().filter(timeless));
        harness.drain();
        harness.compare_sequential();
    }
}
