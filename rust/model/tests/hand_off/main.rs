//! The hand-off between those who record and the one who writes, in thousands of orders of their steps.
//!
//! A wake-up that is lost shows as an order that does not end, an acknowledgement that comes too early as a note that
//! the disk does not have.

mod disk;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use shuttle::thread;
use theus_model::audit::{Log, Options};

use disk::{Disk, PATIENCE, in_orders, note, on_demand, pause, start};

fn end(log: &Log) {
    pause();
    log.close(Vec::new());
    assert_eq!(log.wait_end(PATIENCE), Ok(true));
}

/// Notes of one recorder, in the order of the lines.
fn of(recorder: usize, notes: &[String]) -> Vec<String> {
    let prefix = format!("{recorder}.");
    let own = notes.iter().filter(|name| name.starts_with(&prefix));
    own.cloned().collect()
}

fn names(recorder: usize, count: usize) -> Vec<String> {
    (0..count).map(|at| format!("{recorder}.{at}")).collect()
}

#[test]
fn what_is_acknowledged_is_on_the_disk() {
    in_orders(20_000, || {
        let disk = Disk::default();
        let log = start(&disk, on_demand());
        let recorders: Vec<_> = (0..3)
            .map(|recorder| {
                let (log, disk) = (log.clone(), disk.clone());
                thread::spawn(move || {
                    for count in 1..=2 {
                        log.record(note(format!("{recorder}.{}", count - 1)))
                            .unwrap();
                        pause();
                        let last = log.request_sync();
                        assert_eq!(log.wait(last, PATIENCE), Ok(true));
                        let synced = disk.synced_notes();
                        assert_eq!(of(recorder, &synced), names(recorder, count));
                    }
                })
            })
            .collect();
        for recorder in recorders {
            recorder.join().unwrap();
        }
        end(&log);
        assert_eq!(disk.synced_notes().len(), 6);
    });
}

#[test]
fn callbacks_are_called_once_whatever_else_happens() {
    in_orders(20_000, || {
        let disk = Disk::default();
        let log = start(&disk, on_demand());
        let told = Arc::new(AtomicUsize::new(0));
        let recorders: Vec<_> = (0..2)
            .map(|recorder| {
                let (log, told, disk) = (log.clone(), Arc::clone(&told), disk.clone());
                thread::spawn(move || {
                    let recorded = log.record(note(format!("{recorder}.0"))).is_some();
                    pause();
                    log.when_synced(move |result| {
                        assert_eq!(result, Ok(()));
                        let count = usize::from(recorded);
                        assert_eq!(of(recorder, &disk.synced_notes()), names(recorder, count));
                        told.fetch_add(1, Ordering::SeqCst);
                    });
                })
            })
            .collect();
        // Beside them: a log that is closed takes nothing more, and tells all the same.
        end(&log);
        for recorder in recorders {
            recorder.join().unwrap();
        }
        assert_eq!(told.load(Ordering::SeqCst), 2);
    });
}

#[test]
fn what_nobody_waits_for_is_synced_in_its_time() {
    // More than the others: an entry that comes while the writer falls asleep takes an unlikely order.
    in_orders(100_000, || {
        let disk = Disk::default();
        let options = Options {
            sync_every: std::time::Duration::ZERO,
            ..Options::default()
        };
        let log = start(&disk, options);
        let last = (0..3).map(|at| {
            pause();
            log.record(note(format!("0.{at}")))
        });
        let last = last.last();
        let last = i64::try_from(last.flatten().unwrap()).unwrap();
        // Waits without asking for it.
        assert_eq!(log.wait(last, PATIENCE), Ok(true));
        assert_eq!(disk.synced_notes(), names(0, 3));
        end(&log);
    });
}

#[test]
fn what_was_taken_before_the_end_is_written_and_what_was_not_is_told() {
    in_orders(20_000, || {
        let disk = Disk::default();
        let log = start(&disk, on_demand());
        let recorders: Vec<_> = (0..2)
            .map(|recorder| {
                let log = log.clone();
                thread::spawn(move || {
                    let recorded = (0..3).map(|at| log.record(note(format!("{recorder}.{at}"))));
                    recorded.flatten().count()
                })
            })
            .collect();
        end(&log);
        for (recorder, taken) in recorders.into_iter().enumerate() {
            let taken = taken.join().unwrap();
            assert_eq!(of(recorder, &disk.synced_notes()), names(recorder, taken));
        }
    });
}

#[test]
fn who_is_refused_hears_of_room_and_is_counted() {
    in_orders(20_000, || {
        let disk = Disk::default();
        let options = Options {
            capacity: 2,
            ..on_demand()
        };
        let log = start(&disk, options);
        let recorders: Vec<_> = (0..2)
            .map(|recorder| {
                let log = log.clone();
                thread::spawn(move || {
                    let mut refused = 0;
                    for at in 0..3 {
                        while log.offer(note(format!("{recorder}.{at}"))).is_none() {
                            refused += 1;
                            let (tell, told) = shuttle::sync::mpsc::channel();
                            log.when_room(move || tell.send(()).unwrap());
                            told.recv().unwrap();
                        }
                    }
                    refused
                })
            })
            .collect();
        let refused: u64 = recorders.into_iter().map(|one| one.join().unwrap()).sum();
        end(&log);
        assert_eq!(log.position().dropped, refused);
        for recorder in 0..2 {
            assert_eq!(of(recorder, &disk.synced_notes()), names(recorder, 3));
        }
    });
}

#[test]
fn a_disk_that_fails_is_left_alone_and_everybody_hears_of_it() {
    // Opening it, writing to it, syncing it, and later.
    for call in 0..6 {
        in_orders(5_000, move || {
            let disk = Disk::failing_at(call);
            let log = start(&disk, on_demand());
            let recorders: Vec<_> = (0..2)
                .map(|recorder| {
                    let (log, disk) = (log.clone(), disk.clone());
                    thread::spawn(move || {
                        let mut sound = 0;
                        for at in 0..2 {
                            log.record(note(format!("{recorder}.{at}"))).unwrap();
                            let last = log.request_sync();
                            match log.wait(last, PATIENCE) {
                                Ok(synced) => assert!(synced),
                                Err(_) => assert!(disk.has_failed()),
                            }
                            let synced = of(recorder, &disk.synced_notes()).len();
                            if log.wait(last, PATIENCE).is_ok() {
                                sound = at + 1;
                                assert!(synced >= sound);
                            }
                        }
                        sound
                    })
                })
                .collect();
            for recorder in recorders {
                recorder.join().unwrap();
            }
            log.close(Vec::new());
            assert_eq!(log.wait_end(PATIENCE).is_err(), disk.has_failed());
            assert!(log.settle(PATIENCE));
        });
    }
}

#[test]
fn who_looks_sees_every_entry_recorded_before() {
    in_orders(20_000, || {
        let disk = Disk::default();
        let log = start(&disk, on_demand());
        let lookers: Vec<_> = (0..2)
            .map(|recorder| {
                let log = log.clone();
                thread::spawn(move || {
                    for at in 0..2 {
                        let name = format!("{recorder}.{at}");
                        log.record(note(name.as_str())).unwrap();
                        assert!(log.settle(PATIENCE));
                        let lines = log.lines(-1, 100);
                        assert!(lines.iter().any(|line| line.contains(&name)));
                    }
                })
            })
            .collect();
        for looker in lookers {
            looker.join().unwrap();
        }
        end(&log);
        assert_eq!(disk.written_notes().len(), 4);
    });
}
