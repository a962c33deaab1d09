//! How fast the audit log is: entries with every field, from one thread, until the disk has confirmed them.
//!
//! `cargo run --release --example audit -- DIRECTORY [ENTRIES]` prints one line of JSON: nanoseconds per entry for
//! recording, for encoding with its hash, and for all of it, durably.
#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::cast_precision_loss)]

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicI32;
use std::time::{Duration, Instant};

use theus_core::audit::chain::Chain;
use theus_core::audit::clock::SystemClock;
use theus_core::audit::encode::Encoder;
use theus_core::audit::segment::Folder;
use theus_core::audit::{End, Entry, Log, Options, What};
use theus_core::runtime::Runtime;

fn entry(number: u64, mono: u64, names: &(Arc<str>, Arc<str>)) -> Entry {
    Entry {
        mono,
        run: number,
        cell: 7,
        process: Some(Arc::clone(&names.0)),
        lane: Some(Arc::clone(&names.1)),
        what: What::RunEnded {
            how: End::Finished,
            submitted: mono,
            started: mono,
            failure: None,
        },
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let base = PathBuf::from(arguments.next().expect("a directory"));
    let count: u64 = arguments.next().map_or(500_000, |n| n.parse().unwrap());
    let names = ("crunch".into(), "worker 2".into());

    let mut encoder = Encoder::new(Chain::new(None));
    let mut lines = Vec::with_capacity(2 << 20);
    let began = Instant::now();
    for number in 1..=count {
        if lines.len() > 1 << 20 {
            lines.clear();
        }
        encoder.line(&entry(number, number, &names), number, None, &mut lines);
    }
    let encoding = began.elapsed();

    let runtime = Runtime::start("audit").unwrap();
    let folder = Folder {
        base,
        name: format!("bench-{}", std::process::id()),
        segment_bytes: 1 << 30,
        ignored: false,
        descriptor: Arc::new(AtomicI32::new(-1)),
    };
    let clock = Arc::new(SystemClock {
        began: Instant::now(),
    });
    let log = Log::start(
        runtime.handle(),
        Box::new(folder),
        clock,
        Options::default(),
    );
    log.record(entry(1, log.now(), &names));
    log.wait(log.request_sync(), Duration::from_secs(60))
        .unwrap();

    let mut recording = Duration::ZERO;
    let began = Instant::now();
    let mut number = 0;
    while number < count {
        if !log.has_room() {
            std::thread::sleep(Duration::from_micros(200));
            continue;
        }
        // In portions, so that looking at the clock does not count.
        let portion = Instant::now();
        for _ in 0..1_000 {
            number += 1;
            log.record(entry(number, log.now(), &names));
        }
        recording += portion.elapsed();
    }
    assert!(
        log.wait(log.request_sync(), Duration::from_secs(60))
            .unwrap()
    );
    let durable = began.elapsed();
    assert_eq!(log.position().dropped, 0);
    let each = |time: Duration| time.as_nanos() as f64 / count as f64;
    println!(
        "{{\"entries\":{count},\"record_ns\":{:.1},\"encode_ns\":{:.1},\"durable_ns\":{:.1}}}",
        each(recording),
        each(encoding),
        each(durable)
    );
}
