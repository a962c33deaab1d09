//! Logs made here, changed at random: no change passes, nothing panics, and threads make no difference.
#![allow(clippy::unwrap_used, reason = "a failed assumption is a failed test")]

use proptest::prelude::*;
use sha2::{Digest, Sha256};
use theus_core::audit::report::{Fault, Report, Unreadable};
use theus_core::audit::verify::{Options, to_hex, verify, verify_bytes};

/// A log of `count` entries; every one names the one before as durable, the last one ends the session.
fn lines(count: usize) -> Vec<String> {
    let mut prev = "0".repeat(64);
    let mut lines = Vec::new();
    for seq in 0..count {
        let kind = match seq {
            0 => "session_started",
            _ if seq + 1 == count => "session_ended",
            _ => "note",
        };
        let text = format!(
            r#"{{"seq":{seq},"ts":"2026-01-01T00:00:00.000000000Z","mono":{seq},"kind":"{kind}","detail":{{"format":1,"text":"✓ {seq}"}},"synced":{},"prev":"{prev}""#,
            i64::try_from(seq).unwrap() - 1,
        );
        prev = to_hex(&Sha256::digest(&text).into());
        lines.push(format!(r#"{text},"hash":"{prev}"}}"#));
    }
    lines
}

fn joined(lines: &[String]) -> Vec<u8> {
    lines
        .iter()
        .flat_map(|line| [line.as_bytes(), b"\n"].concat())
        .collect()
}

fn judge(bytes: &[u8], threads: usize) -> Result<Report, Unreadable> {
    verify_bytes(
        bytes,
        &Options {
            threads,
            ..Options::default()
        },
    )
}

#[test]
fn threads_make_no_difference() {
    let good = joined(&lines(6_000));
    let mut bad = good.clone();
    let middle = bad.len() / 2;
    bad[middle] ^= 1;
    for bytes in [good, bad] {
        let one = judge(&bytes, 1).unwrap();
        for threads in 2..6 {
            assert_eq!(judge(&bytes, threads).unwrap(), one);
        }
        assert_eq!(one.ok(), one.entries == 6_000);
    }
}

#[derive(Clone, Debug)]
enum Change {
    Flip(prop::sample::Index, u8),
    Cut(prop::sample::Index),
    Remove(prop::sample::Index),
    Repeat(prop::sample::Index, prop::sample::Index),
    Swap(prop::sample::Index),
    Insert(prop::sample::Index, Vec<u8>),
}

fn change() -> impl Strategy<Value = Change> {
    use Change::{Cut, Flip, Insert, Remove, Repeat, Swap};
    prop_oneof![
        (any::<prop::sample::Index>(), 0..8_u8).prop_map(|(at, bit)| Flip(at, bit)),
        any::<prop::sample::Index>().prop_map(Cut),
        any::<prop::sample::Index>().prop_map(Remove),
        any::<(prop::sample::Index, prop::sample::Index)>().prop_map(|(at, to)| Repeat(at, to)),
        any::<prop::sample::Index>().prop_map(Swap),
        (any::<prop::sample::Index>(), any::<Vec<u8>>()).prop_map(|(at, new)| Insert(at, new)),
    ]
}

fn apply(change: &Change, lines: &[String]) -> Vec<u8> {
    let mut lines = lines.to_vec();
    let mut bytes = joined(&lines);
    match change {
        Change::Flip(at, bit) => {
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            return bytes;
        }
        Change::Cut(at) => {
            bytes.truncate(at.index(bytes.len()));
            return bytes;
        }
        Change::Insert(at, new) => {
            let at = at.index(bytes.len());
            bytes.splice(at..at, new.iter().copied());
            return bytes;
        }
        Change::Remove(at) => {
            lines.remove(at.index(lines.len()));
        }
        Change::Repeat(at, to) => {
            let line = lines[at.index(lines.len())].clone();
            lines.insert(to.index(lines.len()), line);
        }
        Change::Swap(at) => {
            let at = at.index(lines.len() - 1);
            lines.swap(at, at + 1);
        }
    }
    joined(&lines)
}

proptest! {
    #![proptest_config(ProptestConfig {
        // More by PROPTEST_CASES.
        cases: ProptestConfig::default().cases.max(2_000),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn no_change_passes(change in change()) {
        let lines = lines(12);
        let original = joined(&lines);
        let bytes = apply(&change, &lines);
        let Ok(report) = judge(&bytes, 1) else {
            // The first entry itself may no longer be one of version 1.
            return Ok(());
        };
        let whole = report.ok() && report.torn.is_none() && report.entries == 12;
        prop_assert_eq!(whole, bytes == original);
        // What is vouched for is the original, byte for byte.
        let vouched = joined(&lines[..usize::try_from(report.entries).unwrap().min(12)]);
        prop_assert!(bytes.starts_with(&vouched));
        // Only the unfinished end of a log that nobody called durable is let pass.
        if report.ok() && !whole {
            prop_assert!(report.entries + 1 >= 12 || report.synced.is_none_or(|s| s < report.entries));
        }
    }

    #[test]
    fn nothing_panics(bytes in any::<Vec<u8>>(), prefix in any::<prop::sample::Index>()) {
        let mut text = joined(&lines(3));
        text.truncate(prefix.index(text.len()));
        text.extend(bytes);
        let _ = judge(&text, 2);
    }
}

#[test]
fn another_first_entry_is_a_rebuilt_log_only_to_a_witness() {
    let whole = joined(&lines(5));
    let report = judge(&whole, 1).unwrap();
    let checkpoint = format!(
        r#"{{"format":1,"log":"a","segment":"000001.jsonl","seq":4,"hash":"{}","time":""}}"#,
        "a".repeat(64)
    );
    let checkpoints = theus_core::audit::checkpoint::Checkpoint::read_all(&checkpoint).unwrap();
    let judged = verify_bytes(
        &whole,
        &Options {
            checkpoints,
            ..Options::default()
        },
    )
    .unwrap();
    assert!(report.ok());
    assert_eq!(judged.problem.unwrap().fault, Fault::Rebuilt);
}

/// What fuzzing starts from, and what it once found: as the target in `rust/fuzz` judges it.
#[test]
fn the_corpus_of_the_fuzzer_is_judged() {
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/corpus/verify");
    let mut count = 0;
    for file in std::fs::read_dir(corpus).unwrap() {
        let data = std::fs::read(file.unwrap().path()).unwrap();
        let (choice, log) = data.split_first().unwrap();
        let key = (choice & 1 == 1).then(|| b"a key for tests, known to everybody".to_vec());
        let [one, three] = [1, 3].map(|threads| {
            let options = Options {
                key: key.clone(),
                threads,
                ..Options::default()
            };
            verify_bytes(log, &options).unwrap()
        });
        assert_eq!(one, three);
        count += 1;
    }
    assert!(count >= 4, "{corpus} has {count} files");
}

#[test]
fn a_verification_ends_when_it_is_told_to() {
    let base = std::env::temp_dir().join(format!("theus-verify-{}", std::process::id()));
    for log in ["one", "two"] {
        std::fs::create_dir_all(base.join(log)).unwrap();
        std::fs::write(base.join(log).join("000001.jsonl"), joined(&lines(10))).unwrap();
    }
    let mut left = 2; // one round for each of these logs
    let mut go_on = || {
        left -= 1;
        left > 0
    };
    let options = Options::default();
    let told = verify(&base, &options, &mut go_on);
    let whole = verify(&base, &options, &mut || true);
    std::fs::remove_dir_all(&base).unwrap();
    assert!(
        matches!(told, Err(Unreadable::Io(_, error)) if error.kind() == std::io::ErrorKind::Interrupted)
    );
    assert_eq!(whole.unwrap().len(), 2);
}
