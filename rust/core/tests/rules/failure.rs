//! Failure is not a race.

use theus_core::{Admission, Cause, Doom, Present};

use crate::Bench;

fn named(dooms: &[Doom<i64>]) -> Vec<(u64, &str, Cause<i64>)> {
    dooms
        .iter()
        .map(|doom| (doom.ticket.number(), &*doom.path, doom.cause.clone()))
        .collect()
}

#[test]
fn waiting_readers_are_doomed_through_any_number_of_runs_in_submission_order() {
    let mut bench = Bench::new();
    let source = bench.run("", "a");
    let middle = bench.waiting("a", "b");
    let last = bench.waiting("b", "");
    let side = bench.waiting("a", "");
    let effects = bench.fail(source, -1);
    let cause = Cause::Failed(-1);
    let expected = [(middle, "a"), (last, "b"), (side, "a")];
    let expected = expected.map(|(run, path)| (run.number(), path, cause.clone()));
    assert_eq!(named(&effects.doomed), expected);
    assert!(
        bench
            .scheduler
            .finish(last, theus_core::End::Failed(0))
            .is_err()
    );
    assert_eq!(bench.scheduler.unfinished(), 0);
}

#[test]
fn a_later_reader_is_doomed_at_admission_and_fails_its_own_outputs() {
    let mut bench = Bench::new();
    let source = bench.run("", "a");
    bench.fail(source, -1);
    let admitted = bench.try_admit(None, "a?", "b").unwrap();
    let Admission::Doomed(doom) = admitted.admission else {
        panic!("not doomed, although optional inputs are, too");
    };
    assert_eq!((&*doom.path, doom.cause), ("a", Cause::Failed(-1)));
    let failed = bench.scheduler.failed_paths();
    assert_eq!(
        failed.iter().map(|(path, _)| &**path).collect::<Vec<_>>(),
        ["a", "b"]
    );
}

#[test]
fn the_first_failing_input_in_declared_order_is_reported_whoever_fails_first() {
    for b_fails_first in [false, true] {
        let mut bench = Bench::new();
        let (a, b) = (bench.run("", "a"), bench.run("", "b"));
        bench.waiting("a b", "");
        let mut doomed = Vec::new();
        let ends = [(a, -1), (b, -2)];
        for at in [usize::from(b_fails_first), usize::from(!b_fails_first)] {
            doomed.extend(bench.fail(ends[at].0, ends[at].1).doomed);
        }
        assert_eq!(doomed.len(), 1);
        assert_eq!(
            (&*doomed[0].path, &doomed[0].cause),
            ("a", &Cause::Failed(-1))
        );
    }
}

#[test]
fn optional_outputs_of_a_failed_run_vanish() {
    let mut bench = Bench::new();
    bench.put("a", 1);
    let run = bench.run("", "a?");
    let reader = bench.waiting("a", "");
    assert_eq!(bench.fail(run, -1).ready, [reader]);
    assert_eq!(bench.start(reader), [Some(1)]);
}

#[test]
fn readers_placed_before_the_failure_or_after_the_next_write_are_not_touched() {
    let mut bench = Bench::new();
    bench.put("a", 1);
    let before = bench.run("a", "");
    let fails = bench.run("", "a");
    let again = bench.run("", "a");
    let after = bench.waiting("a", "");
    assert!(bench.fail(fails, -1).doomed.is_empty());
    assert_eq!(bench.commit(again, &[("a", 2)]).ready, [after]);
    assert_eq!(bench.start(after), [Some(2)]);
    bench.commit(before, &[]);
}

#[test]
fn a_failed_branch_dooms_readers_beneath_and_a_failed_leaf_readers_above() {
    let mut bench = Bench::new();
    let branch = bench.run("", "d");
    bench.fail(branch, -1);
    let leaf = bench.run("", "e.x");
    bench.fail(leaf, -2);
    for (input, path) in [("d.x", "d"), ("e", "e.x")] {
        let admitted = bench.try_admit(None, input, "").unwrap();
        let Admission::Doomed(doom) = admitted.admission else {
            panic!("{input} is not doomed");
        };
        assert_eq!(&*doom.path, path);
    }
    bench.put("d.x", 1);
    bench.run("d.x", "");
}

#[test]
fn accepting_makes_the_preceding_version_present_again() {
    let mut bench = Bench::new();
    bench.put("d.x", 1);
    for cause in [-1, -2] {
        let run = bench.run("", "d.x d.y");
        bench.fail(run, cause);
    }
    assert!(matches!(
        bench.scheduler.present("d.x"),
        Present::Failed {
            cause: Cause::Failed(-2),
            version: 3,
            ..
        }
    ));
    let above = bench.scheduler.accept("d.x.nothing");
    assert_eq!(
        (above.paths.len(), above.above.as_deref()),
        (0, Some("d.x"))
    );
    let accepted = bench.scheduler.accept("d");
    assert_eq!(
        accepted
            .paths
            .iter()
            .map(|path| &**path)
            .collect::<Vec<_>>(),
        ["d.x", "d.y"]
    );
    assert_eq!(accepted.garbage, [-2, -2]);
    assert_eq!(bench.value("d.x"), Some(1));
    assert_eq!(bench.scheduler.present("d.y"), Present::Missing);
    assert!(bench.scheduler.failed_paths().is_empty());
    bench.run("d", "");
}

#[test]
fn cancelling_a_waiting_run_fails_its_outputs_and_is_not_woken_later() {
    let mut bench = Bench::new();
    let source = bench.run("", "a");
    let waiting = bench.waiting("a", "b");
    let reader = bench.waiting("b", "");
    let effects = bench.fail(waiting, -5);
    assert_eq!(
        named(&effects.doomed),
        [(reader.number(), "b", Cause::Failed(-5))]
    );
    assert!(bench.commit(source, &[("a", 1)]).ready.is_empty());
}
