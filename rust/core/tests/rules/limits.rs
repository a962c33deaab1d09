//! Waiting for a place: one of several runs has to end.

use theus_core::Cause;

use crate::Bench;

const LIMIT: u64 = 7;

#[test]
fn one_holder_that_can_end_is_enough() {
    let mut bench = Bench::new();
    let [one, two, waiter] = [(); 3].map(|()| bench.run("", ""));
    bench.scheduler.limit_taken(LIMIT, vec![one, two]);
    bench.scheduler.limit_wait(waiter, LIMIT).unwrap();
    bench.scheduler.await_begin(one, waiter).unwrap();
    let circle = bench.scheduler.await_begin(two, waiter).unwrap_err();
    assert!([[two, waiter, one].as_slice(), &[two, waiter]].contains(&circle.as_slice()));
    assert!(
        bench.scheduler.blockers(two).is_empty(),
        "nothing is recorded"
    );
}

#[test]
fn whoever_comes_last_closes_the_circle() {
    let mut bench = Bench::new();
    let [one, two, waiter] = [(); 3].map(|()| bench.run("", ""));
    bench.scheduler.limit_taken(LIMIT, vec![one, two]);
    bench.scheduler.await_begin(one, waiter).unwrap();
    bench.scheduler.await_begin(two, waiter).unwrap();
    let circle = bench.scheduler.limit_wait(waiter, LIMIT).unwrap_err();
    assert_eq!(circle[0], waiter);
    assert!(circle[1..] == [one] || circle[1..] == [two]);
    // It was refused, so nobody waits there.
    bench.scheduler.limit_taken(LIMIT, vec![]);
    bench.scheduler.limit_wait(waiter, LIMIT).unwrap();
}

#[test]
fn a_circle_of_two_limits() {
    let mut bench = Bench::new();
    let [one, two, three, four, left, right] = [(); 6].map(|()| bench.run("", ""));
    bench.scheduler.limit_taken(1, vec![one, two]);
    bench.scheduler.limit_taken(2, vec![three, four]);
    bench.scheduler.limit_wait(left, 1).unwrap();
    bench.scheduler.limit_wait(right, 2).unwrap();
    for (holder, other) in [(one, right), (two, right), (three, left)] {
        bench.scheduler.await_begin(holder, other).unwrap();
    }
    assert!(bench.scheduler.await_begin(four, left).is_err());
    // A place that is free, or a holder that has ended, is a way out.
    bench.commit(two, &[]);
    bench.scheduler.await_begin(four, left).unwrap();
}

#[test]
fn a_run_that_got_its_place_waits_no_more() {
    let mut bench = Bench::new();
    let [one, two, waiter] = [(); 3].map(|()| bench.run("", ""));
    bench.scheduler.limit_taken(LIMIT, vec![one, two]);
    bench.scheduler.limit_wait(waiter, LIMIT).unwrap();
    bench.scheduler.await_begin(one, waiter).unwrap();
    bench.scheduler.limit_pass(waiter);
    bench.scheduler.await_begin(two, waiter).unwrap();
}

#[test]
fn an_input_that_closes_it_later_ends_the_run_that_waits() {
    let mut bench = Bench::new();
    let writer = bench.run("", "a");
    let maybe = bench.run("", "a?");
    let [one, two] = [(); 2].map(|()| bench.run("", ""));
    let target = bench.waiting("a", "b");
    bench.scheduler.limit_taken(LIMIT, vec![one, two]);
    bench.scheduler.limit_wait(writer, LIMIT).unwrap();
    bench.scheduler.await_begin(one, target).unwrap();
    // While somebody else may still write it, nobody knows whether the target waits for the writer.
    bench.scheduler.await_begin(two, target).unwrap();
    let effects = bench.commit(maybe, &[]);
    assert!(matches!(effects.doomed[0].cause, Cause::Deadlock(_)));
    assert_eq!(effects.doomed[0].ticket, target);
}
