//! Disks that fail at each operation in turn, and disks that stall.

use std::time::{Duration, Instant};

use theus_core::audit::{Options, Position};

use crate::disk::{Disk, Op, PATIENCE, bytes, last, note, read, runtime, start};

const ENOSPC: i32 = 28;
const EIO: i32 = 5;

#[test]
fn whichever_operation_fails_nothing_is_tried_again_and_nobody_is_told_otherwise() {
    let runtime = runtime();
    for errno in [ENOSPC, EIO] {
        let mut call = 0;
        // Until a disk fails so late that everything has been written before.
        while fails_at(&runtime, call, errno) {
            call += 1;
        }
        assert!(call > 8, "only {call} operations were made to fail");
    }
}

/// One log on a disk that fails at one call; false if it never came to that call.
fn fails_at(runtime: &theus_core::runtime::Runtime, call: usize, errno: i32) -> bool {
    let disk = Disk::failing_at(call, errno);
    let log = start(runtime, &disk, Options::default());
    let mut acknowledged = -1;
    let mut refused = false;
    for _ in 0..5 {
        log.record(note(&log, "something"));
        match log.wait(log.request_sync(), PATIENCE) {
            Ok(done) => {
                assert!(done && !refused, "an acknowledgement after a failure");
                acknowledged = log.position().synced;
            }
            Err(failed) => {
                refused = true;
                assert!(failed.0.contains("os error"), "{failed}");
            }
        }
    }
    log.close(Vec::new());
    let ended = log.wait_end(PATIENCE);
    let failed = disk.calls() > call;
    assert_eq!(log.failure().is_some(), failed);
    if failed {
        assert_eq!(disk.calls(), call + 1, "the disk was asked again");
        // Whoever asks, and however often.
        assert!(ended.is_err() && log.wait_end(PATIENCE).is_err());
        let Position {
            next,
            written,
            dropped,
            ..
        } = log.position();
        assert_eq!(dropped, next - u64::try_from(written + 1).unwrap());
        assert!(log.take_news() && !log.take_news(), "said once");
        assert!(log.settle(PATIENCE));
        assert!(log.lines(-1, 100).len() > 5, "it goes on in memory");
    }
    let image = bytes(&disk.ops());
    assert!(last(&disk.durable()) >= acknowledged);
    assert!(last(&image) >= last(&disk.durable()));
    failed
}

#[test]
fn a_failed_append_leaves_at_most_one_torn_line_and_nothing_behind_it() {
    let runtime = runtime();
    let disk = Disk::failing_at(3, ENOSPC); // open, append, sync, append
    let log = start(&runtime, &disk, Options::default());
    log.record(note(&log, "first"));
    assert_eq!(log.wait(log.request_sync(), PATIENCE), Ok(true));
    log.record(note(&log, "second"));
    assert!(log.wait(log.request_sync(), PATIENCE).is_err());
    log.record(note(&log, "third"));
    assert!(log.wait(log.request_sync(), PATIENCE).is_err());
    let image = bytes(&disk.ops());
    assert_eq!(read(&image).len(), 2);
    assert_ne!(image.last(), Some(&b'\n'));
}

#[test]
fn a_place_that_cannot_be_had_is_an_error_or_memory_as_agreed() {
    let runtime = runtime();
    for fallback in [false, true] {
        let disk = Disk::failing_at(0, EIO);
        let options = Options {
            fallback,
            ..Options::default()
        };
        let log = start(&runtime, &disk, options);
        log.record(note(&log, "something"));
        let waited = log.wait(log.request_sync(), PATIENCE);
        assert_eq!(waited.is_ok(), fallback);
        assert_eq!(log.fallback().is_some(), fallback);
        assert_eq!(log.failure().is_some(), !fallback);
        assert!(log.take_news());
        assert!(log.settle(PATIENCE));
        assert_eq!(log.lines(-1, 10).len(), 2);
    }
}

#[test]
fn what_is_recorded_while_the_disk_stalls_is_encoded_meanwhile_and_written_once() {
    let runtime = runtime();
    let disk = Disk::default();
    let options = Options {
        batch_bytes: 1_000, // a few entries
        ..Options::default()
    };
    let log = start(&runtime, &disk, options);
    log.record(note(&log, "first"));
    assert_eq!(log.wait(log.request_sync(), PATIENCE), Ok(true));
    disk.stall(true);
    log.record(note(&log, "stuck"));
    let _last = log.request_sync();
    disk.wait_until_stuck();
    for number in 0..100 {
        log.record(note(&log, &number.to_string()));
    }
    assert!(log.settle(PATIENCE), "the encoder waits for the disk");
    assert_eq!(log.position().written, 1);
    assert_eq!(log.lines(2, 1_000).len(), 100);
    disk.stall(false);
    log.close(Vec::new());
    assert_eq!(log.wait_end(PATIENCE), Ok(true));
    assert_eq!(read(&bytes(&disk.ops())).len(), 104);
}

#[test]
fn a_stalled_disk_holds_up_nobody_and_memory_stays_bounded() {
    let runtime = runtime();
    let disk = Disk::default();
    let options = Options {
        capacity: 1_000,
        batch_bytes: 4_000,
        tail_bytes: 100_000,
        ..Options::default()
    };
    let log = start(&runtime, &disk, options);
    log.record(note(&log, "before"));
    assert_eq!(log.wait(log.request_sync(), PATIENCE), Ok(true));
    disk.stall(true);
    log.record(note(&log, "the disk takes this one and does not come back"));
    disk.wait_until_stuck();
    let (mut taken, mut offered) = (0, 0);
    for _ in 0..2 {
        for _ in 0..10_000 {
            taken += u64::from(log.offer(note(&log, "meanwhile")).is_some());
            offered += 1;
        }
        // The writer takes the queue once more, at a time of its own, and then waits for the disk.
        if !log.has_room() {
            break;
        }
    }
    assert!(!log.has_room());
    assert!((1_000..=2_000).contains(&taken), "{taken}");
    assert_eq!(log.position().dropped, offered - taken);
    // A run that was admitted before can always say how it ended.
    assert!(log.record(note(&log, "run finished")).is_some());
    assert_eq!(
        log.wait(log.request_sync(), Duration::from_millis(10)),
        Ok(false)
    );

    disk.stall(false);
    assert_eq!(log.wait(log.request_sync(), PATIENCE), Ok(true));
    log.close(Vec::new());
    assert_eq!(log.wait_end(PATIENCE), Ok(true));
    let entries = read(&bytes(&disk.ops()));
    let said: u64 = entries
        .iter()
        .filter(|entry| entry["kind"] == "dropped")
        .map(|entry| entry["detail"]["count"].as_u64().unwrap())
        .sum();
    assert_eq!(said, offered - taken);
}

#[test]
fn closing_on_a_stalled_disk_gives_up_in_time() {
    let runtime = runtime();
    let disk = Disk::default();
    let log = start(&runtime, &disk, Options::default());
    disk.stall(true);
    log.record(note(&log, "never arrives"));
    let began = Instant::now();
    log.close(Vec::new());
    assert_eq!(log.wait_end(Duration::from_millis(50)), Ok(false));
    assert!(began.elapsed() >= Duration::from_millis(50));
    assert_eq!(log.record(note(&log, "too late")), None);
    disk.stall(false);
    assert_eq!(log.wait_end(PATIENCE), Ok(true));
    assert_eq!(disk.ops().last(), Some(&Op::Sync));
}

#[test]
fn one_sync_serves_many() {
    let runtime = runtime();
    let disk = Disk::default();
    let log = start(&runtime, &disk, Options::default());
    log.record(note(&log, "first"));
    assert_eq!(log.wait(log.request_sync(), PATIENCE), Ok(true));
    disk.stall(true);
    log.record(note(&log, "stuck"));
    disk.wait_until_stuck();
    for _ in 0..500 {
        log.record(note(&log, "waiting"));
        let _ = log.request_sync();
    }
    let before = disk.ops().len();
    disk.stall(false);
    assert_eq!(log.wait(log.request_sync(), PATIENCE), Ok(true));
    let ops = disk.ops();
    let syncs = ops[before..].iter().filter(|op| **op == Op::Sync);
    assert!(syncs.count() <= 3);
}
