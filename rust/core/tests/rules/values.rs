//! What is present, and what is kept.

use theus_core::{Cause, Input, Present};

use crate::{Bench, branch};

#[test]
fn present_leaves_out_the_unfinished() {
    let mut bench = Bench::new();
    assert_eq!(bench.scheduler.present("a"), Present::Missing);
    bench.put("d.x", 1);
    bench.run("", "a d.x");
    assert_eq!(bench.scheduler.present("a"), Present::Missing);
    assert_eq!(bench.scheduler.present("d"), Present::Branch);
    assert_eq!(
        bench.scheduler.present("d.x"),
        Present::Leaf {
            value: 1,
            version: 1
        }
    );
    assert_eq!(bench.scheduler.present("d.x.y"), Present::Missing);
    assert_eq!(bench.scheduler.present(""), Present::Branch);
}

#[test]
fn a_branch_with_nothing_but_a_failure_beneath_says_so() {
    let mut bench = Bench::new();
    let run = bench.run("", "d.x.y");
    bench.fail(run, -1);
    let Present::Failed {
        path,
        cause,
        version,
    } = bench.scheduler.present("d")
    else {
        panic!("not failed");
    };
    assert_eq!((&*path, cause, version), ("d.x.y", Cause::Failed(-1), 1));
    assert!(matches!(
        bench.scheduler.present("d.x.y.z"),
        Present::Failed { .. }
    ));
    bench.put("d.z", 1);
    assert_eq!(bench.scheduler.present("d"), Present::Branch);
}

#[test]
fn children_are_those_with_values_sorted() {
    let mut bench = Bench::new();
    for path in ["z.b", "z.a.deep", "y"] {
        bench.put(path, 1);
    }
    bench.run("z.read_only", "z.promised");
    bench.put("z.gone", 1);
    assert_eq!(bench.scheduler.put("z.gone", None).unwrap().garbage, [1]);
    assert_eq!(bench.scheduler.children("z"), ["a", "b"]);
    assert_eq!(bench.scheduler.children(""), ["y", "z"]);
    assert!(bench.scheduler.children("y").is_empty() && bench.scheduler.children("no").is_empty());
}

#[test]
fn removing_a_branch_removes_everything_beneath() {
    let mut bench = Bench::new();
    bench.put("d.x", 1);
    let reader = bench.run("d", "");
    let effects = bench.scheduler.put("d", None).unwrap();
    assert!(
        effects.garbage.is_empty(),
        "the reader's children may still read it"
    );
    assert_eq!(bench.scheduler.present("d.x"), Present::Missing);
    bench.put("d.y", 2);
    let late = bench.run("d", "");
    let inputs = bench.scheduler.start(late).unwrap();
    assert_eq!(branch(&inputs[0]), [("d.y", 2)]);
    assert_eq!(bench.commit(reader, &[]).garbage, [1]);
}

#[test]
fn an_older_version_is_kept_while_an_unfinished_run_stands_before_the_next() {
    let mut bench = Bench::new();
    bench.put("a", 1);
    let [first, second] = [bench.run("", ""), bench.run("", "")];
    bench.put("a", 2);
    let third = bench.run("", "");
    bench.put("a", 3);
    assert_eq!(bench.scheduler.versions_kept(), 3);
    assert!(bench.commit(first, &[]).garbage.is_empty());
    assert_eq!(bench.commit(third, &[]).garbage, [2]);
    assert_eq!(bench.commit(second, &[]).garbage, [1]);
    assert_eq!(bench.scheduler.versions_kept(), 1);
}

#[test]
fn inputs_come_in_declared_order_and_missing_ones_are_reported_only() {
    let mut bench = Bench::new();
    bench.put("b", 2);
    bench.put("d.x", 3);
    let run = bench.run("b a? d b d.x.y", "");
    let inputs = bench.scheduler.start(run).unwrap();
    assert!(matches!(inputs[0], Input::Leaf { value: 2, .. }));
    assert_eq!((&inputs[1], &inputs[4]), (&Input::Missing, &Input::Missing));
    assert_eq!(branch(&inputs[2]), [("d.x", 3)]);
    assert_eq!(inputs[3], inputs[0]);
}

#[test]
fn pending_writers_are_those_that_overlap_in_their_order() {
    let mut bench = Bench::new();
    let above = bench.run("", "d");
    bench.run("", "e");
    let beneath = bench.run("", "d.x.y d.x.z");
    let exact = bench.run("", "d.x?");
    assert_eq!(
        bench.scheduler.pending_writers("d.x"),
        [above, beneath, exact]
    );
    assert_eq!(bench.scheduler.pending_writers("d.unknown"), [above]);
    assert!(bench.scheduler.pending_writers("unknown").is_empty());
}
