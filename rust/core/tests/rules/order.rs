//! Reads bind at submission.

use theus_core::Input;

use crate::{Bench, branch};

#[test]
fn a_reader_waits_for_the_latest_earlier_writer_and_for_nobody_else() {
    let mut bench = Bench::new();
    let first = bench.run("", "a");
    let second = bench.run("", "a");
    let other = bench.run("", "b");
    let reader = bench.waiting("a", "");
    let later = bench.run("", "a");
    assert_eq!(bench.scheduler.blockers(reader), [second]);
    assert!(bench.commit(later, &[("a", 3)]).ready.is_empty());
    assert!(bench.commit(first, &[("a", 1)]).ready.is_empty());
    assert_eq!(bench.commit(second, &[("a", 2)]).ready, [reader]);
    assert_eq!(bench.start(reader), [Some(2)]);
    bench.commit(other, &[("b", 0)]);
}

#[test]
fn a_slow_earlier_writer_does_not_overwrite_a_later_one() {
    let mut bench = Bench::new();
    let slow = bench.run("", "a");
    let fast = bench.run("", "a");
    assert!(bench.commit(fast, &[("a", 2)]).superseded.is_empty());
    let effects = bench.commit(slow, &[("a", 1)]);
    assert_eq!((effects.superseded, effects.garbage), (vec![0], vec![1]));
    assert_eq!(bench.value("a"), Some(2));
}

#[test]
fn unrelated_paths_never_wait() {
    let mut bench = Bench::new();
    bench.run("", "domain.a");
    bench.run("domain.b", "domain.c");
    bench.run("domains", "");
}

#[test]
fn ten_concurrent_increments_give_ten() {
    let mut bench = Bench::new();
    bench.put("n", 0);
    let runs: Vec<_> = (0..10)
        .map(|_| bench.try_admit(None, "n", "n").unwrap().ticket)
        .collect();
    for run in runs {
        let n = bench.start(run)[0].unwrap();
        bench.commit(run, &[("n", n + 1)]);
    }
    assert_eq!(bench.value("n"), Some(10));
    assert_eq!(bench.scheduler.versions_kept(), 1);
}

#[test]
fn reading_a_branch_waits_for_every_writer_beneath_and_for_one_above() {
    let mut bench = Bench::new();
    let x = bench.run("", "d.x");
    let y = bench.run("", "d.y.z");
    let reader = bench.waiting("d", "");
    assert_eq!(bench.scheduler.blockers(reader), [x, y]);
    bench.commit(y, &[("d.y.z", 2)]);
    assert_eq!(bench.commit(x, &[("d.x", 1)]).ready, [reader]);
    let inputs = bench.scheduler.start(reader).unwrap();
    assert_eq!(branch(&inputs[0]), [("d.x", 1), ("d.y.z", 2)]);

    let above = bench.run("", "d");
    let reader = bench.waiting("d.x", "");
    assert_eq!(bench.scheduler.blockers(reader), [above]);
    assert_eq!(bench.commit(above, &[("d.y.z", 3)]).ready, [reader]);
    assert_eq!(bench.start(reader), [Some(1)]);
}

#[test]
fn an_unwritten_optional_output_resolves_to_the_preceding_version() {
    let mut bench = Bench::new();
    let slow = bench.run("", "a");
    let maybe = bench.run("", "a?");
    let reader = bench.waiting("a", "");
    assert_eq!(bench.scheduler.blockers(reader), [maybe]);
    assert!(bench.commit(maybe, &[]).ready.is_empty());
    assert_eq!(bench.scheduler.blockers(reader), [slow]);
    assert_eq!(bench.commit(slow, &[("a", 7)]).ready, [reader]);
    assert_eq!(bench.start(reader), [Some(7)]);
}

#[test]
fn what_may_change_in_place_waits_for_the_earlier_readers_of_that_version() {
    let mut bench = Bench::new();
    bench.put("a", 1);
    let older = bench.run("a", "");
    bench.put("a", 2);
    let reader = bench.run("a", "");
    let writer = bench.run("", "a?");
    let change = bench.waiting("a", "a");
    assert_eq!(bench.scheduler.blockers(change), [writer]);
    assert!(bench.commit(writer, &[]).ready.is_empty());
    assert_eq!(bench.scheduler.blockers(change), [reader]);
    assert_eq!(bench.commit(reader, &[]).ready, [change]);
    bench.commit(older, &[]);
}

#[test]
fn readers_of_another_version_or_of_a_missing_value_do_not_hold_up_a_change_in_place() {
    let mut bench = Bench::new();
    bench.run("a", "");
    bench.run("a", "a");
    bench.put("b", 1);
    bench.run("b", "");
    bench.put("b", 2);
    bench.run("b", "b");
}

#[test]
fn a_change_in_place_of_a_leaf_waits_for_readers_of_the_branch_and_the_other_way_round() {
    let mut bench = Bench::new();
    bench.put("d.x", 1);
    bench.put("d.y", 2);
    let whole = bench.run("d", "");
    let change = bench.waiting("d", "d.x");
    assert_eq!(bench.scheduler.blockers(change), [whole]);
    bench.commit(whole, &[]);
    bench.scheduler.start(change).unwrap();
    bench.commit(change, &[("d.x", 3)]);
    let part = bench.run("d.y", "");
    let change = bench.waiting("d", "d");
    assert_eq!(bench.scheduler.blockers(change), [part]);
}

#[test]
fn readers_of_a_publishing_run_wait_for_its_first_commit_only() {
    let mut bench = Bench::new();
    let service = bench.run("", "price");
    let early = bench.waiting("price", "");
    let effects = bench.publish(service, &[("price", 1)]);
    assert_eq!(effects.ready, [early]);
    assert_eq!(bench.publish(service, &[("price", 2)]).garbage, [1]);
    assert_eq!(bench.start(early), [Some(2)]);
    let late = bench.run("price", "");
    bench.publish(service, &[("price", 3)]);
    bench.commit(late, &[]);
    assert_eq!(bench.value("price"), Some(3));
    assert!(bench.fail(service, -1).doomed.is_empty());
    assert_eq!(bench.value("price"), Some(3));
}

#[test]
fn versions_are_run_numbers_and_a_publish_draws_a_fresh_one() {
    let mut bench = Bench::new();
    let run = bench.run("", "a b");
    assert_eq!(run.number(), 1);
    assert_eq!(bench.publish(run, &[("a", 1)]).version, 2);
    assert_eq!(bench.put("c", 1), 3);
    assert_eq!(bench.commit(run, &[("b", 1)]).version, 1);
    let reader = bench.run("a b", "");
    let versions: Vec<_> = bench.scheduler.start(reader).unwrap();
    let version = |input: &Input<i64>| match input {
        Input::Leaf { version, .. } => *version,
        _ => 0,
    };
    assert_eq!(versions.iter().map(version).collect::<Vec<_>>(), [2, 1]);
}

#[test]
fn a_put_is_the_newest_version_whoever_is_still_to_write() {
    let mut bench = Bench::new();
    let slow = bench.run("", "a");
    let reader = bench.waiting("a", "");
    bench.put("a", 9);
    assert_eq!(bench.commit(slow, &[("a", 1)]).ready, [reader]);
    assert_eq!(bench.start(reader), [Some(1)]);
    assert_eq!(bench.value("a"), Some(9));
    assert_eq!(bench.commit(reader, &[]).garbage, [1]);
}
