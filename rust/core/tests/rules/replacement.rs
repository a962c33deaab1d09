//! A run takes the place of an earlier, unfinished one.

use theus_core::{Admission, Error, Present};

use crate::Bench;

#[test]
fn waiting_readers_wait_for_the_new_run_and_the_old_one_leaves_no_trace() {
    for fails in [false, true] {
        let mut bench = Bench::new();
        let old = bench.run("", "a");
        let reader = bench.waiting("a", "b");
        let second = bench.waiting("b", "");
        let admitted = bench.replace(old, "", "a");
        assert_eq!(admitted.admission, Admission::Ready);
        let fresh = admitted.ticket;
        assert_eq!(bench.scheduler.blockers(reader), [fresh]);
        assert_eq!(bench.scheduler.blockers(second), [reader]);
        let effects = if fails {
            bench.fail(old, -1)
        } else {
            bench.commit(old, &[("a", 1)])
        };
        assert!(effects.ready.is_empty() && effects.doomed.is_empty());
        assert_eq!(effects.garbage, [if fails { -1 } else { 1 }]);
        assert_eq!(bench.scheduler.present("a"), Present::Missing);
        assert_eq!(bench.commit(fresh, &[("a", 2)]).ready, [reader]);
        assert_eq!(bench.start(reader), [Some(2)]);
    }
}

#[test]
fn a_reader_of_what_the_new_run_does_not_write_becomes_ready() {
    let mut bench = Bench::new();
    bench.put("a", 1);
    let old = bench.run("", "a");
    let reader = bench.waiting("a", "");
    let admitted = bench.replace(old, "", "b");
    assert_eq!(admitted.effects.ready, [reader]);
    assert_eq!(bench.start(reader), [Some(1)]);
}

#[test]
fn the_new_run_reads_the_newest_versions_but_not_those_of_runs_behind_the_old_one() {
    let mut bench = Bench::new();
    bench.put("b", 1);
    let old = bench.run("", "a");
    let behind = bench.waiting("a", "b");
    let newest = bench.run("", "c");
    let admitted = bench.replace(old, "b c", "a");
    assert_eq!(admitted.admission, Admission::Waiting);
    assert_eq!(bench.scheduler.blockers(admitted.ticket), [newest]);
    assert_eq!(bench.commit(newest, &[("c", 3)]).ready, [admitted.ticket]);
    assert_eq!(bench.start(admitted.ticket), [Some(1), Some(3)]);
    assert_eq!(bench.scheduler.blockers(behind), [admitted.ticket]);
}

#[test]
fn the_new_run_does_not_wait_for_a_started_run_that_awaits_one_behind_the_old() {
    let mut bench = Bench::new();
    bench.put("b", 1);
    let old = bench.run("", "a");
    let outer = bench.run("", "b");
    let inner = bench.try_admit(Some(outer), "a", "").unwrap();
    assert_eq!(inner.admission, Admission::Waiting);
    bench.scheduler.await_begin(outer, inner.ticket).unwrap();
    let admitted = bench.replace(old, "b", "a");
    assert_eq!(admitted.admission, Admission::Ready);
    assert_eq!(bench.start(admitted.ticket), [Some(1)]);
    assert_eq!(
        bench.commit(admitted.ticket, &[("a", 2)]).ready,
        [inner.ticket]
    );
}

#[test]
fn relative_order_is_kept_and_the_last_one_wins() {
    let mut bench = Bench::new();
    let old = bench.run("", "a");
    let first = bench.waiting("a", "n");
    let second = bench.waiting("a", "n");
    let fresh = bench.replace(old, "", "a").ticket;
    assert_eq!(bench.commit(fresh, &[("a", 1)]).ready, [first, second]);
    bench.start(first);
    bench.start(second);
    bench.commit(second, &[("n", 2)]);
    assert_eq!(bench.commit(first, &[("n", 1)]).superseded, [0]);
    assert_eq!(bench.value("n"), Some(2));
}

#[test]
fn a_replacement_can_be_replaced() {
    let mut bench = Bench::new();
    let old = bench.run("", "a");
    let reader = bench.waiting("a", "");
    let second = bench.replace(old, "", "a").ticket;
    let third = bench.replace(second, "", "a").ticket;
    bench.fail(second, -2);
    bench.fail(old, -1);
    assert_eq!(bench.commit(third, &[("a", 3)]).ready, [reader]);
}

#[test]
fn what_was_published_stays_and_later_publishing_goes_nowhere() {
    let mut bench = Bench::new();
    let old = bench.run("", "a");
    bench.publish(old, &[("a", 1)]);
    bench.replace(old, "", "b");
    assert_eq!(bench.publish(old, &[("a", 2)]).garbage, [2]);
    assert_eq!(bench.value("a"), Some(1));
}

#[test]
fn the_failure_of_what_the_old_run_started_fails_nothing() {
    let mut bench = Bench::new();
    bench.put("a", 1);
    let old = bench.run("", "a");
    let child = bench.child(old, "", "a");
    bench.replace(old, "", "b");
    let late = bench.child(old, "", "a");
    bench.fail(child, -1);
    bench.fail(late, -2);
    assert_eq!(bench.value("a"), Some(1));
}

#[test]
fn a_waiting_run_can_be_replaced_and_is_not_woken() {
    let mut bench = Bench::new();
    let source = bench.run("", "a");
    let old = bench.waiting("a", "b");
    let fresh = bench.replace(old, "a", "b");
    assert_eq!(fresh.admission, Admission::Waiting);
    assert_eq!(bench.commit(source, &[("a", 1)]).ready, [fresh.ticket]);
    assert!(bench.fail(old, -1).doomed.is_empty());
    let contract = bench.contract("", "");
    let ended = bench.scheduler.replace(old, contract).unwrap_err();
    assert_eq!(ended, Error::NotRunning { ticket: old });
}
