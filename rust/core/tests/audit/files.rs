//! Real files: directories, rotation, neighbours.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};

use theus_core::audit::segment::{Folder, head, heads};
use theus_core::audit::{Log, Options};

use crate::disk::{PATIENCE, Ticks, note, read, runtime};

/// A directory of this test's own, removed at its end.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("theus-audit-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn folder(&self, name: &str, segment_bytes: u64) -> Folder {
        Folder {
            base: self.0.clone(),
            name: name.to_owned(),
            segment_bytes,
            ignored: false,
            descriptor: Arc::new(AtomicI32::new(-1)),
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn log(runtime: &theus_core::runtime::Runtime, folder: Folder, options: Options) -> Log {
    Log::start(runtime.handle(), Box::new(folder), Ticks::new(), options)
}

#[test]
fn a_log_goes_on_in_numbered_files_and_the_chain_crosses_them() {
    let (runtime, scratch) = (runtime(), Scratch::new());
    let options = Options {
        batch_bytes: 1_000,
        ..Options::default()
    };
    let log = log(&runtime, scratch.folder("one", 4_000), options);
    for _ in 0..100 {
        log.record(note(
            &log,
            "a line of some length, so that a few of them fill a file",
        ));
    }
    log.close(Vec::new());
    assert_eq!(log.wait_end(PATIENCE), Ok(true));
    let mut names: Vec<_> = fs::read_dir(scratch.0.join("one"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert!(names.len() > 5, "{names:?}");
    assert_eq!(names[0], "000001.jsonl");
    let parts: Vec<_> = names
        .iter()
        .map(|name| fs::read(scratch.0.join("one").join(name)).unwrap())
        .collect();
    assert!(
        parts
            .iter()
            .all(|part| part.len() <= 5_000 && part.ends_with(b"\n"))
    );
    assert_eq!(read(&parts.concat()).len(), 102);
    let head = head(&scratch.0.join("one")).unwrap();
    assert_eq!((head.seq, head.end), (Some(101), "ended"));
    assert_eq!(&head.segment, names.last().unwrap());
}

#[test]
fn the_first_entry_names_the_neighbours_and_how_they_ended() {
    let (runtime, scratch) = (runtime(), Scratch::new());
    for name in ["a-ended", "b-open", "c-torn"] {
        let log = log(&runtime, scratch.folder(name, 1 << 20), Options::default());
        log.record(note(&log, "x"));
        assert_eq!(log.wait(log.request_sync(), PATIENCE), Ok(true));
        if name == "a-ended" {
            log.close(Vec::new());
            assert_eq!(log.wait_end(PATIENCE), Ok(true));
        }
    }
    let torn = scratch.0.join("c-torn").join("000001.jsonl");
    let mut bytes = fs::read(&torn).unwrap();
    bytes.extend_from_slice(b"{\"seq\":2,\"ts\":");
    fs::write(&torn, bytes).unwrap();
    fs::create_dir(scratch.0.join("d-empty")).unwrap();
    fs::write(scratch.0.join("d-empty").join("000001.jsonl"), "").unwrap();
    fs::create_dir(scratch.0.join("something else")).unwrap();
    fs::write(scratch.0.join("a file"), "x").unwrap();

    let found = heads(&scratch.0);
    let summary: Vec<_> = found
        .iter()
        .map(|head| (head.log.as_str(), head.seq, head.end))
        .collect();
    let expected = [
        ("a-ended", Some(2), "ended"),
        ("b-open", Some(1), "open"),
        ("c-torn", Some(1), "torn"),
        ("d-empty", None, "open"),
    ];
    assert_eq!(summary, expected);
    let log = log(&runtime, scratch.folder("e", 1 << 20), Options::default());
    log.record(note(&log, "x"));
    assert_eq!(log.wait(log.request_sync(), PATIENCE), Ok(true));
    let first = read(&fs::read(scratch.0.join("e").join("000001.jsonl")).unwrap()).remove(0);
    assert_eq!(first["kind"], "session_started");
    assert_eq!(first["detail"]["heads"][0]["hash"], found[0].hash.as_str());
    assert_eq!(first["detail"]["heads"].as_array().unwrap().len(), 4);
}

#[test]
fn a_log_is_created_exclusively() {
    let (runtime, scratch) = (runtime(), Scratch::new());
    fs::create_dir(scratch.0.join("taken")).unwrap();
    let log = log(
        &runtime,
        scratch.folder("taken", 1 << 20),
        Options::default(),
    );
    log.record(note(&log, "x"));
    assert!(log.wait(log.request_sync(), PATIENCE).is_err());
    assert_eq!(fs::read_dir(scratch.0.join("taken")).unwrap().count(), 0);
}

#[test]
fn nothing_is_created_before_the_first_entry() {
    let (runtime, scratch) = (runtime(), Scratch::new());
    let mut folder = scratch.folder("late", 1 << 20);
    folder.base = scratch.0.join("deep").join("down");
    folder.ignored = true;
    let descriptor = Arc::clone(&folder.descriptor);
    let log = log(&runtime, folder, Options::default());
    assert!(!scratch.0.join("deep").exists());
    log.record(note(&log, "x"));
    assert_eq!(log.wait(log.request_sync(), PATIENCE), Ok(true));
    let ignore = fs::read_to_string(scratch.0.join("deep/down/.gitignore")).unwrap();
    assert_eq!(ignore, "*\n");
    assert!(descriptor.load(Ordering::SeqCst) >= 0);
    log.close(Vec::new());
    assert_eq!(log.wait_end(PATIENCE), Ok(true));
    assert_eq!(descriptor.load(Ordering::SeqCst), -1);
}
