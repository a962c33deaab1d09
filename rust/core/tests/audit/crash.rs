//! Whatever a crash leaves of unsynced writes: a prefix of the log, with everything acknowledged in it.

use theus_core::audit::Options;

use crate::disk::{Disk, Op, PATIENCE, bytes, last, note, read, runtime, start};

#[test]
fn every_crash_image_is_a_prefix_with_everything_acknowledged() {
    let runtime = runtime();
    let disk = Disk::default();
    let options = Options {
        batch_bytes: 700, // a few lines
        ..Options::default()
    };
    let log = start(&runtime, &disk, options);
    for round in 0..20 {
        for _ in 0..=round {
            log.record(note(&log, "something happened"));
        }
        let acknowledged = log.request_sync();
        assert_eq!(log.wait(acknowledged, PATIENCE), Ok(true));
        assert!(
            last(&disk.durable()) >= acknowledged,
            "synced before it is said"
        );
    }
    log.close(Vec::new());
    assert_eq!(log.wait_end(PATIENCE), Ok(true));

    let ops = disk.ops();
    assert!(ops.len() > 40, "{} operations", ops.len());
    // Checked once, line by line: a part from the front of this needs only be counted.
    let whole = bytes(&ops);
    read(&whole);
    let mut lines = vec![0_i64];
    for byte in &whole {
        lines.push(lines[lines.len() - 1] + i64::from(*byte == b'\n'));
    }
    for crash in 0..=ops.len() {
        let before = &ops[..crash];
        let synced = before.iter().rposition(|op| *op == Op::Sync).unwrap_or(0);
        let (safe, written) = (bytes(&before[..synced]).len(), bytes(before).len());
        // Of what was written after the last sync any part may be there, as long as it is a part from the front.
        for kept in safe..=written {
            assert!(lines[safe] <= lines[kept] && lines[kept] <= lines[written]);
        }
        // What a batch says of the past was true when it was written.
        if let Some(said) = said_synced(&ops, crash) {
            assert!(said < lines[safe], "{said} said to be synced");
        }
    }
}

/// The `synced` that the batch of an operation carries.
fn said_synced(ops: &[Op], at: usize) -> Option<i64> {
    let Some(Op::Append(batch)) = ops.get(at) else {
        return None;
    };
    let first = batch.split(|byte| *byte == b'\n').next().unwrap();
    let first: serde_json::Value = serde_json::from_slice(first).unwrap();
    Some(first["synced"].as_i64().expect("each batch carries it"))
}

#[test]
fn entries_are_synced_without_being_asked() {
    let runtime = runtime();
    let disk = Disk::default();
    let log = start(&runtime, &disk, Options::default());
    let number = log.record(note(&log, "alone")).unwrap();
    assert_eq!(log.wait(i64::try_from(number).unwrap(), PATIENCE), Ok(true));
    assert_eq!(last(&disk.durable()), 1);
}

#[test]
fn a_log_without_entries_leaves_no_trace() {
    let runtime = runtime();
    let disk = Disk::default();
    let log = start(&runtime, &disk, Options::default());
    assert_eq!(log.request_sync(), -1);
    log.close(Vec::new());
    assert_eq!(log.wait_end(PATIENCE), Ok(true));
    assert_eq!(disk.calls(), 0);
}
