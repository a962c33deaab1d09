//! Whatever is recorded, the line is JSON, in the agreed order, and says the same.

use std::sync::Arc;

use proptest::prelude::*;
use theus_core::audit::chain::Chain;
use theus_core::audit::encode::{Encoder, MAX_DETAIL};
use theus_core::audit::verify::{Options, verify_bytes};
use theus_core::audit::{End, Entry, Failure, Fingerprint, Value, What};

const ORDER: [&str; 12] = [
    "seq", "ts", "mono", "kind", "run", "process", "lane", "cell", "detail", "synced", "prev",
    "hash",
];

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        (-5_i64..5).prop_map(|n| Value::Int((1 << 53) + n)),
        any::<f64>().prop_map(Value::Float),
        Just(Value::Float(f64::NAN)),
        Just(Value::Float(f64::NEG_INFINITY)),
        any::<String>().prop_map(Value::Text),
        "[\\x00-\\x1f\"\\\\\u{7f}\u{2028}\u{fffd}]{0,6}".prop_map(Value::Text),
    ];
    leaf.prop_recursive(3, 20, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::List),
            prop::collection::btree_map(any::<String>(), inner, 0..4)
                .prop_map(|map| Value::Map(map.into_iter().collect())),
        ]
    })
}

fn what() -> impl Strategy<Value = What> {
    let text = any::<String>;
    let path = || any::<String>().prop_map(Arc::<str>::from);
    let print = (
        path(),
        any::<String>(),
        prop::option::of(prop::collection::vec(any::<u64>(), 0..3)),
        prop::option::of(any::<u64>()),
    )
        .prop_map(|(path, kind, shape, bytes)| Fingerprint {
            path,
            kind: kind.into(),
            shape,
            bytes,
        });
    let failure = (
        text(),
        prop::collection::vec((text(), any::<u32>(), text()), 0..3),
        prop::option::of(text()),
    )
        .prop_map(|(error, frames, message)| Failure {
            error,
            frames,
            message,
            ..Failure::default()
        });
    prop_oneof![
        (
            any::<u64>(),
            any::<u64>(),
            prop::collection::vec((path(), any::<u64>()), 0..3)
        )
            .prop_map(|(parent, submitted, reads)| What::RunStarted {
                parent,
                submitted,
                reads
            }),
        (any::<u64>(), any::<u64>(), prop::option::of(failure)).prop_map(
            |(submitted, started, failure)| What::RunEnded {
                how: End::Failed,
                submitted,
                started,
                failure: failure.map(Box::new)
            }
        ),
        (any::<u64>(), prop::collection::vec(print, 0..3))
            .prop_map(|(version, paths)| What::StateCommitted { version, paths }),
        (text(), any::<bool>()).prop_map(|(text, replaced)| What::Note { text, replaced }),
        prop::collection::btree_map(any::<String>(), value(), 0..4).prop_map(|map| What::Other {
            kind: "note",
            detail: map.into_iter().collect()
        }),
    ]
}

fn entry() -> impl Strategy<Value = Entry> {
    let name = || prop::option::of(any::<String>().prop_map(Arc::<str>::from));
    (
        0..1_u64 << 53,
        any::<u64>(),
        any::<u32>(),
        name(),
        name(),
        what(),
    )
        .prop_map(|(mono, run, cell, process, lane, what)| Entry {
            mono,
            run,
            cell,
            process,
            lane,
            what,
        })
}

/// What a value is to look like once it has been read back.
fn expected(value: &Value) -> serde_json::Value {
    match value {
        Value::Null => serde_json::Value::Null,
        Value::Bool(bool) => (*bool).into(),
        Value::Int(int) if int.unsigned_abs() >= 1 << 53 => int.to_string().into(),
        Value::Int(int) => (*int).into(),
        Value::Float(float) if float.is_nan() => "NaN".into(),
        Value::Float(float) if *float == f64::INFINITY => "Infinity".into(),
        Value::Float(float) if *float == f64::NEG_INFINITY => "-Infinity".into(),
        // The shortest digits that mean this float: serde_json's reader is off by one bit now and then.
        Value::Float(float) => serde_json::from_str(&format!("{float:?}")).unwrap(),
        Value::Text(text) => text.as_str().into(),
        Value::List(items) => items.iter().map(expected).collect(),
        Value::Map(fields) => fields
            .iter()
            .map(|(key, value)| (key.clone(), expected(value)))
            .collect(),
    }
}

/// The top-level keys of a line in their order.
fn keys(line: &str) -> Vec<String> {
    let (mut depth, mut found, mut rest) = (0, Vec::new(), line);
    while let Some(first) = rest.chars().next() {
        match first {
            '{' | '[' => depth += 1,
            '}' | ']' => depth -= 1,
            '"' => {
                let mut stream = serde_json::Deserializer::from_str(rest).into_iter::<String>();
                let text = stream.next().unwrap().unwrap();
                rest = &rest[stream.byte_offset()..];
                if depth == 1 && rest.starts_with(':') {
                    found.push(text);
                }
                continue;
            }
            _ => {}
        }
        rest = &rest[first.len_utf8()..];
    }
    found
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_line_is_json_with_its_keys_in_order_and_nothing_lost(entry in entry(), synced in prop::option::of(-1_i64..100)) {
        let mut out = Vec::new();
        let mut encoder = Encoder::new(Chain::new(None));
        encoder.line(&entry, 1_700_000_000_000_000_000, synced, &mut out);
        let line = std::str::from_utf8(&out).unwrap();
        let one_line = line.ends_with("\"}\n") && line.matches('\n').count() == 1;
        prop_assert!(one_line);
        let read: serde_json::Value = serde_json::from_str(line).unwrap();
        let found = keys(line);
        let known: Vec<&str> = ORDER.iter().copied().filter(|key| found.iter().any(|f| f == key)).collect();
        prop_assert_eq!(&found, &known);
        prop_assert_eq!(&read["mono"], entry.mono);
        prop_assert_eq!(read["synced"].as_i64(), synced);
        prop_assert_eq!(read["process"].as_str(), entry.process.as_deref());
        if let What::Note { text, .. } = &entry.what {
            prop_assert_eq!(&read["detail"]["text"], text);
        }
        if let What::Other { detail, .. } = &entry.what {
            let map: serde_json::Value = detail.iter().map(|(k, v)| (k.clone(), expected(v))).collect();
            let empty = serde_json::Value::Object(serde_json::Map::new());
            prop_assert_eq!(read.get("detail").unwrap_or(&empty), &map);
        }
    }
}

#[test]
fn a_line_looks_like_this() {
    let mut out = Vec::new();
    let mut encoder = Encoder::new(Chain::new(None));
    let entry = Entry {
        mono: 12,
        run: 7,
        cell: 3,
        process: Some("crunch".into()),
        lane: Some("worker 2".into()),
        what: What::StateCommitted {
            version: 7,
            paths: vec![Fingerprint {
                path: "domain.raw".into(),
                kind: "numpy.ndarray[<f8]".into(),
                shape: Some(vec![3, 4]),
                bytes: Some(96),
            }],
        },
    };
    encoder.line(&entry, 1_000_000_012, Some(-1), &mut out);
    let expected = concat!(
        r#"{"seq":0,"ts":"1970-01-01T00:00:01.000000012Z","mono":12,"kind":"state_committed","run":"r7","#,
        r#""process":"crunch","lane":"worker 2","cell":3,"detail":{"version":7,"paths":[{"path":"domain.raw","#,
        r#""type":"numpy.ndarray[<f8]","shape":[3,4],"bytes":96}]},"synced":-1,"prev":"00"#,
    );
    assert!(
        out.starts_with(expected.as_bytes()),
        "{}",
        String::from_utf8_lossy(&out)
    );
}

/// What a log with one entry says of it: encoded, and then verified.
fn verified(entry: &Entry) -> serde_json::Value {
    let mut out = Vec::new();
    Encoder::new(Chain::new(None)).line(entry, 0, None, &mut out);
    let report = verify_bytes(&out, &Options::default()).unwrap();
    assert!(
        report.problem.is_none() && report.torn.is_none(),
        "{report:?}"
    );
    serde_json::from_slice(&out).unwrap()
}

#[test]
fn no_entry_is_too_long_to_be_verified_and_the_cut_is_said() {
    let huge = || "\u{1}".repeat(3 << 20); // six times as long when it is escaped
    let failure = Failure {
        error: "ValueError".to_owned(),
        message: Some(huge()),
        ..Failure::default()
    };
    let what = What::RunEnded {
        how: End::Failed,
        submitted: 1,
        started: 1,
        failure: Some(Box::new(failure)),
    };
    let mut entry = Entry::plain(0, "note", Vec::new());
    entry.what = what;
    entry.process = Some(huge().into());
    entry.lane = Some(huge().into());
    let read = verified(&entry);
    assert!(read["detail"]["too_large"].as_u64().unwrap() > MAX_DETAIL as u64);
    assert_eq!(read["process"].as_str().unwrap().len(), 4096);

    let detail = vec![
        ("format".to_owned(), Value::Int(1)),
        ("heads".to_owned(), Value::Text(huge())),
        ("last".to_owned(), Value::Int(2)),
    ];
    let read = verified(&Entry::plain(0, "session_started", detail));
    let detail = &read["detail"];
    assert_eq!((&detail["format"], &detail["last"]), (&1.into(), &2.into()));
    assert!(detail["heads"]["too_large"].is_u64());

    let read = verified(&Entry::plain(0, "note", vec![(huge(), Value::Null)]));
    assert!(read["detail"].is_object());
}
