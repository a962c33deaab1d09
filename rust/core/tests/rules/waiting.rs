//! Await edges and circles.

use theus_core::{Cause, Error};

use crate::Bench;

#[test]
fn awaiting_a_run_that_waits_for_the_awaiter_is_refused_with_the_circle() {
    let mut bench = Bench::new();
    let awaiter = bench.run("", "a");
    let middle = bench.waiting("a", "b");
    let target = bench.waiting("b", "");
    let circle = bench.scheduler.await_begin(awaiter, target).unwrap_err();
    assert_eq!(circle, [awaiter, target, middle]);
    assert_eq!(
        bench.scheduler.await_begin(awaiter, awaiter).unwrap_err(),
        [awaiter]
    );
    assert!(bench.scheduler.blockers(awaiter).is_empty());
}

#[test]
fn a_circle_of_awaits_is_refused() {
    let mut bench = Bench::new();
    let [one, two] = [bench.run("", ""), bench.run("", "")];
    bench.scheduler.await_begin(one, two).unwrap();
    assert_eq!(bench.scheduler.blockers(one), [two]);
    assert_eq!(
        bench.scheduler.await_begin(two, one).unwrap_err(),
        [two, one]
    );
    bench.scheduler.await_end(one, two);
    bench.scheduler.await_begin(two, one).unwrap();
}

#[test]
fn awaits_are_counted_and_those_of_ended_runs_ignored() {
    let mut bench = Bench::new();
    let [one, two] = [bench.run("", ""), bench.run("", "")];
    bench.scheduler.await_begin(one, two).unwrap();
    bench.scheduler.await_begin(one, two).unwrap();
    bench.scheduler.await_end(one, two);
    assert!(bench.scheduler.await_begin(two, one).is_err());
    bench.commit(one, &[]);
    bench.scheduler.await_begin(two, one).unwrap();
    bench.scheduler.await_end(one, two);
    assert!(bench.scheduler.blockers(two).is_empty());
}

#[test]
fn a_circle_that_closes_later_ends_the_run_that_closes_it() {
    let mut bench = Bench::new();
    let awaiter = bench.run("", "a");
    let maybe = bench.run("", "a?");
    let target = bench.waiting("a", "b");
    let behind = bench.waiting("b", "");
    // Now it waits for the optional writer only; whether it will wait for the awaiter is open.
    bench.scheduler.await_begin(awaiter, target).unwrap();
    let effects = bench.commit(maybe, &[]);
    let circle = Cause::Deadlock([target, awaiter].into());
    let dooms: Vec<_> = effects
        .doomed
        .iter()
        .map(|doom| (doom.ticket, &*doom.path, &doom.cause))
        .collect();
    assert_eq!(dooms, [(target, "a", &circle), (behind, "b", &circle)]);
}

#[test]
fn a_waiting_run_cannot_start() {
    let mut bench = Bench::new();
    bench.run("", "a");
    let waiting = bench.waiting("a", "");
    assert_eq!(
        bench.scheduler.start(waiting),
        Err(Error::NotReady { ticket: waiting })
    );
}
