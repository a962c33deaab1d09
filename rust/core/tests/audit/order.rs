//! One total order, in which each thread finds its own.

use std::collections::HashMap;
use std::thread;

use theus_core::audit::clock::Clock;
use theus_core::audit::{Log, Options};

use crate::disk::{Disk, PATIENCE, Ticks, bytes, note, read, runtime, start};

#[test]
fn eight_threads_keep_their_order_in_one_sequence_without_gaps() {
    const THREADS: usize = 8;
    const EACH: usize = 2_000;
    let runtime = runtime();
    let disk = Disk::default();
    let log = start(&runtime, &disk, Options::default());
    thread::scope(|scope| {
        for number in 0..THREADS {
            let log = &log;
            scope.spawn(move || {
                for count in 0..EACH {
                    assert!(
                        log.record(note(log, &format!("{number} {count}")))
                            .is_some()
                    );
                }
            });
        }
    });
    log.close(Vec::new());
    assert_eq!(log.wait_end(PATIENCE), Ok(true));
    let entries = read(&bytes(&disk.ops())); // checks numbers and chain
    assert_eq!(entries.len(), THREADS * EACH + 2);
    let mut seen: HashMap<String, usize> = HashMap::new();
    for entry in &entries[1..entries.len() - 1] {
        let text = entry["detail"]["text"].as_str().unwrap();
        let (thread, count) = text.split_once(' ').unwrap();
        let expected = seen.entry(thread.to_owned()).or_default();
        assert_eq!(count.parse::<usize>().unwrap(), *expected);
        *expected += 1;
    }
}

#[test]
fn the_wall_clock_may_be_set_back_and_the_monotonic_one_goes_on() {
    let runtime = runtime();
    let disk = Disk::default();
    let clock = Ticks::new();
    let log = Log::start(
        runtime.handle(),
        Box::new(disk.clone()),
        clock.clone(),
        Options::default(),
    );
    for _ in 0..5 {
        log.record(note(&log, "tick"));
        assert_eq!(log.wait(log.request_sync(), PATIENCE), Ok(true));
        clock.set_back(3_600_000_000_000);
        assert!(clock.wall() > 0);
    }
    let entries = read(&bytes(&disk.ops()));
    let monos: Vec<u64> = entries
        .iter()
        .map(|e| e["mono"].as_u64().unwrap())
        .collect();
    assert!(monos.is_sorted());
    let walls: Vec<&str> = entries.iter().map(|e| e["ts"].as_str().unwrap()).collect();
    assert!(walls[1] > walls[5], "{walls:?}");
}
