//! A path holds a value or has children, never both.

use theus_core::{End, Error, Scheduler};

use crate::Bench;

fn clash(path: &str, other: &str) -> Error {
    Error::Shape {
        path: path.to_owned(),
        other: other.to_owned(),
    }
}

#[test]
fn an_output_beneath_a_value_is_refused_at_admission() {
    let mut bench = Bench::new();
    bench.put("d", 1);
    assert_eq!(
        bench.try_admit(None, "", "d.x.y").unwrap_err(),
        clash("d.x.y", "d")
    );
    bench.run("", "d");
    // The refusal has used up neither a place nor a number.
    assert_eq!(bench.scheduler.unfinished(), 1);
}

#[test]
fn a_refused_commit_changes_nothing_and_the_run_goes_on() {
    let mut bench = Bench::new();
    bench.put("d.x", 1);
    let run = bench.run("", "d a");
    assert_eq!(
        bench.try_commit(run, &[("a", 1), ("d", 2)]),
        Err(clash("d", "d.x"))
    );
    assert_eq!((bench.value("a"), bench.value("d.x")), (None, Some(1)));
    assert!(
        bench
            .commit(run, &[("a", 1), ("d.y", 2)])
            .superseded
            .is_empty()
    );
}

#[test]
fn a_value_above_what_an_earlier_run_has_promised_is_refused() {
    let mut bench = Bench::new();
    let earlier = bench.run("", "d.x");
    let run = bench.run("", "d");
    assert_eq!(bench.try_commit(run, &[("d", 2)]), Err(clash("d", "d.x")));
    let put = bench.scheduler.put("d", Some(3)).unwrap_err();
    assert_eq!((put.error, put.given), (clash("d", "d.x"), Some(3)));
    bench.fail(earlier, -1);
    bench.commit(run, &[("d", 2)]);
    assert_eq!(bench.value("d"), Some(2));
}

#[test]
fn a_value_that_clashes_with_what_later_runs_wrote_meanwhile_is_refused() {
    let mut bench = Bench::new();
    let slow = bench.run("", "d e");
    bench.put("d.x", 1);
    bench.put("e", 1);
    assert_eq!(bench.try_commit(slow, &[("d", 2)]), Err(clash("d", "d.x")));
    assert_eq!(
        bench.try_commit(slow, &[("e.x", 2)]),
        Err(clash("e.x", "e"))
    );
}

#[test]
fn one_commit_cannot_clash_with_itself() {
    let mut bench = Bench::new();
    let run = bench.run("", "d");
    assert_eq!(
        bench.try_commit(run, &[("d", 1), ("d.x", 2)]),
        Err(clash("d.x", "d"))
    );
}

#[test]
fn own_promises_do_not_clash() {
    let mut bench = Bench::new();
    let run = bench.run("", "d d.x?");
    bench.commit(run, &[("d", 1)]);
    assert_eq!(bench.value("d"), Some(1));
}

#[test]
fn a_removed_value_makes_room() {
    let mut bench = Bench::new();
    bench.put("d", 1);
    assert!(bench.scheduler.put("d.x", Some(2)).is_err());
    assert_eq!(bench.scheduler.put("d", None).unwrap().garbage, [1]);
    bench.put("d.x", 2);
    assert!(bench.scheduler.put("d", Some(2)).is_err());
    assert_eq!(bench.scheduler.put("d", None).unwrap().garbage, [2]);
    bench.put("d", 3);
    assert_eq!(bench.value("d"), Some(3));
}

#[test]
fn undeclared_writes_and_unknown_runs_and_ids_are_refused() {
    let mut bench = Bench::new();
    let run = bench.run("a", "d.x");
    for path in ["a", "d", "d.y", "d.xy"] {
        let path = path.to_owned();
        assert_eq!(
            bench.try_commit(run, &[(&path, 1)]),
            Err(Error::Undeclared { path })
        );
    }
    bench.commit(run, &[("d.x.deep", 1)]);
    assert_eq!(
        bench.try_commit(run, &[]),
        Err(Error::NotRunning { ticket: run })
    );
    let mut other = Scheduler::new();
    assert_eq!(other.start(run), Err(Error::NotRunning { ticket: run }));
    let contract = bench.contract("a", "d.x");
    assert_eq!(other.admit(contract, None).unwrap_err(), Error::UnknownId);
    let all = other.compile(&[], &[theus_core::Access::required("")]);
    let run = other.admit(all, None).unwrap().ticket;
    let foreign = bench.scheduler.node("d.x.deep");
    let refused = other
        .finish(run, End::Committed(vec![(foreign, 1)]))
        .unwrap_err();
    assert_eq!(refused.error, Error::UnknownId);
}
