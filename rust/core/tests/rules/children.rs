//! Runs started inside a run take its place in the order.

use theus_core::{Admission, Error, Input};

use crate::{Bench, leaf};

#[test]
fn a_child_sees_what_its_parent_saw_and_what_earlier_children_committed() {
    let mut bench = Bench::new();
    bench.put("a", 1);
    let parent = bench.run("a", "a b");
    bench.put("a", 5);
    let first = bench.child(parent, "a", "b");
    assert_eq!(bench.start(first), [Some(1)]);
    bench.commit(first, &[("b", 2)]);
    let second = bench.child(parent, "a b", "");
    assert_eq!(bench.start(second), [Some(1), Some(2)]);
    bench.commit(second, &[]);
    assert_eq!(leaf(&bench.scheduler.look(parent, "b").unwrap()), Some(2));
    assert_eq!(
        bench.scheduler.look(parent, "nothing").unwrap(),
        Input::Missing
    );
    bench.commit(parent, &[("a", 2)]);
    assert_eq!((bench.value("a"), bench.value("b")), (Some(5), Some(2)));
}

#[test]
fn the_parent_commits_after_its_children_and_readers_wait_for_it() {
    let mut bench = Bench::new();
    let parent = bench.run("", "a");
    let reader = bench.waiting("a", "");
    let child = bench.child(parent, "", "a");
    assert!(bench.commit(child, &[("a", 1)]).ready.is_empty());
    assert_eq!(bench.commit(parent, &[("a", 2)]).ready, [reader]);
    assert_eq!(bench.start(reader), [Some(2)]);
}

#[test]
fn commits_of_children_stay_when_the_parent_fails() {
    let mut bench = Bench::new();
    let parent = bench.run("", "a? b");
    let child = bench.child(parent, "", "a");
    bench.commit(child, &[("a", 1)]);
    bench.fail(parent, -1);
    assert_eq!(bench.value("a"), Some(1));
    assert_eq!(bench.scheduler.failed_paths().len(), 1);
}

#[test]
fn a_child_waits_for_an_earlier_child_but_never_for_its_parents() {
    let mut bench = Bench::new();
    bench.put("a", 1);
    let parent = bench.run("a", "a");
    let first = bench.child(parent, "", "a");
    let second = bench.try_admit(Some(parent), "a", "a").unwrap();
    assert_eq!(second.admission, Admission::Waiting);
    assert_eq!(bench.scheduler.blockers(second.ticket), [first]);
    assert_eq!(bench.commit(first, &[("a", 2)]).ready, [second.ticket]);
    assert_eq!(bench.start(second.ticket), [Some(2)]);
    let inner = bench.child(second.ticket, "a", "a");
    bench.commit(inner, &[("a", 3)]);
    bench.commit(second.ticket, &[("a", 4)]);
    bench.commit(parent, &[("a", 5)]);
    assert_eq!(
        (bench.value("a"), bench.scheduler.versions_kept()),
        (Some(5), 1)
    );
}

#[test]
fn a_reader_behind_the_parent_waits_for_a_child_that_outlives_it() {
    let mut bench = Bench::new();
    let parent = bench.run("", "a?");
    let child = bench.child(parent, "", "a");
    let reader = bench.waiting("a", "");
    assert_eq!(bench.scheduler.blockers(reader), [parent]);
    assert!(bench.commit(parent, &[]).ready.is_empty());
    assert_eq!(bench.scheduler.blockers(reader), [child]);
    assert_eq!(bench.commit(child, &[("a", 1)]).ready, [reader]);
}

#[test]
fn a_finished_parent_takes_no_children() {
    let mut bench = Bench::new();
    let parent = bench.run("", "");
    bench.commit(parent, &[]);
    let refused = bench.try_admit(Some(parent), "", "");
    assert_eq!(refused.unwrap_err(), Error::NotRunning { ticket: parent });
}
