//! Who waits for the disk or for room is told once, whatever becomes of the log.

use std::sync::mpsc;

use theus_core::audit::{AuditFailed, Log, Options};

use crate::disk::{Disk, PATIENCE, note, runtime, start};

type Told = mpsc::Receiver<Result<(), AuditFailed>>;

fn synced(log: &Log) -> Told {
    let (tell, told) = mpsc::channel();
    log.when_synced(move |result| tell.send(result).unwrap());
    told
}

fn room(log: &Log) -> mpsc::Receiver<()> {
    let (tell, told) = mpsc::channel();
    log.when_room(move || tell.send(()).unwrap());
    told
}

/// Fills the queue while the disk does not answer.
fn fill(log: &Log) {
    // The writer takes the queue once more at a time of its own, and waits for the disk then.
    for _ in 0..3 {
        while log.offer(note(log, "meanwhile")).is_some() {}
    }
    assert!(!log.has_room());
}

#[test]
fn all_who_wait_for_one_sync_are_told() {
    let runtime = runtime();
    let disk = Disk::default();
    let log = start(&runtime, &disk, Options::default());
    log.record(note(&log, "first"));
    assert_eq!(synced(&log).recv_timeout(PATIENCE), Ok(Ok(())));
    disk.stall(true);
    let told: Vec<Told> = (0..100)
        .map(|_| {
            log.record(note(&log, "waits"));
            synced(&log)
        })
        .collect();
    disk.wait_until_stuck();
    assert!(told.iter().all(|told| told.try_recv().is_err()));
    disk.stall(false);
    for told in told {
        assert_eq!(told.recv_timeout(PATIENCE), Ok(Ok(())));
    }
    assert_eq!(log.position().synced, 101);
}

#[test]
fn who_waits_for_a_disk_that_fails_is_told_why() {
    let runtime = runtime();
    let disk = Disk::failing_at(1, 5);
    let log = start(&runtime, &disk, Options::default());
    log.record(note(&log, "lost"));
    assert!(synced(&log).recv_timeout(PATIENCE).unwrap().is_err());
    // And so is who comes later.
    assert!(synced(&log).try_recv().unwrap().is_err());
}

#[test]
fn room_is_told_when_the_disk_answers() {
    let runtime = runtime();
    let disk = Disk::default();
    let options = Options {
        capacity: 100,
        ..Options::default()
    };
    let log = start(&runtime, &disk, options);
    assert_eq!(room(&log).try_recv(), Ok(()));
    disk.stall(true);
    fill(&log);
    let waiting = [room(&log), room(&log)];
    assert!(waiting.iter().all(|told| told.try_recv().is_err()));
    disk.stall(false);
    for told in waiting {
        assert_eq!(told.recv_timeout(PATIENCE), Ok(()));
    }
}

#[test]
fn nobody_waits_for_room_in_a_log_that_is_closed() {
    let runtime = runtime();
    let disk = Disk::default();
    let options = Options {
        capacity: 100,
        ..Options::default()
    };
    let log = start(&runtime, &disk, options);
    disk.stall(true);
    fill(&log);
    let waiting = room(&log);
    log.close(Vec::new());
    assert_eq!(waiting.try_recv(), Ok(()));
    assert_eq!(room(&log).try_recv(), Ok(()));
    disk.stall(false);
    assert_eq!(log.wait_end(PATIENCE), Ok(true));
}
