//! Which files are a log, which directories hold logs, and what the first entry of a log says.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::checkpoint::Checkpoint;
use super::line::{Hasher, split_hash};
use super::report::Unreadable;
use super::scan::MAX_LINE;

/// Where pruning leaves the heads of logs that it removed.
pub(crate) const PRUNED: &str = "pruned.jsonl";

/// A log's first segment.
pub(crate) const FIRST: &str = "000001.jsonl";

/// What a path turned out to be.
pub(crate) enum Found {
    /// One segment.
    Segment(PathBuf),
    /// A directory with segments, in order.
    Log(PathBuf, Vec<PathBuf>),
    /// A directory with such directories, by name: that is by time.
    Logs(PathBuf, Vec<PathBuf>),
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> Unreadable {
    let path = path.to_owned();
    move |error| Unreadable::Io(path, error)
}

/// Finds out what a path is.
pub(crate) fn find(path: &Path) -> Result<Found, Unreadable> {
    let kind = fs::metadata(path).map_err(io_error(path))?;
    if kind.is_file() {
        return Ok(Found::Segment(path.to_owned()));
    }
    if !kind.is_dir() {
        return Err(Unreadable::NotALog(path.to_owned()));
    }
    let segments = segments(path)?;
    if !segments.is_empty() {
        return Ok(Found::Log(path.to_owned(), segments));
    }
    let mut logs = Vec::new();
    for inner in entries(path)? {
        // What pruning is about to remove has a name with a dot.
        let hidden = name(&inner).starts_with('.');
        // One that cannot be looked into may be a log: whoever verifies it will say so.
        let may_be_log = || !self::segments(&inner).is_ok_and(|segments| segments.is_empty());
        if !hidden && inner.is_dir() && may_be_log() {
            logs.push(inner);
        }
    }
    if logs.is_empty() && !path.join(PRUNED).is_file() {
        return Err(Unreadable::NotALog(path.to_owned()));
    }
    Ok(Found::Logs(path.to_owned(), logs))
}

/// The segments of a log, in order. Other files in its directory are nobody's business.
pub(crate) fn segments(path: &Path) -> Result<Vec<PathBuf>, Unreadable> {
    let is_segment = |path: &PathBuf| is_segment_name(&name(path)) && path.is_file();
    Ok(entries(path)?.into_iter().filter(is_segment).collect())
}

fn entries(path: &Path) -> Result<Vec<PathBuf>, Unreadable> {
    let read = || -> io::Result<Vec<PathBuf>> {
        fs::read_dir(path)?.map(|entry| Ok(entry?.path())).collect()
    };
    let mut found = read().map_err(io_error(path))?;
    found.sort();
    Ok(found)
}

/// `000001.jsonl`: six digits.
pub(crate) fn is_segment_name(name: &str) -> bool {
    name.strip_suffix(".jsonl")
        .is_some_and(|stem| stem.len() == 6 && stem.bytes().all(|byte| byte.is_ascii_digit()))
}

/// The last part of a path.
pub(crate) fn name(path: &Path) -> String {
    let named = path
        .file_name()
        .map(|name| name.to_string_lossy().into_owned());
    // `.` and `..` have no name of their own.
    let resolved = || {
        Some(
            fs::canonicalize(path)
                .ok()?
                .file_name()?
                .to_string_lossy()
                .into_owned(),
        )
    };
    named.or_else(resolved).unwrap_or_default()
}

/// What the first line of a log says, believed as far as it can be read: nothing is verified here.
#[derive(Default)]
pub(crate) struct Start {
    pub(crate) format: Option<u64>,
    /// Whether the log is keyed; none if nothing says so.
    pub(crate) keyed: Option<bool>,
    /// Whether its hash fits without a key.
    pub(crate) fits_unkeyed: bool,
    /// The heads of the logs that were there when this one began.
    pub(crate) heads: Vec<Checkpoint>,
}

impl Start {
    pub(crate) fn read(segment: &Path) -> Result<Self, Unreadable> {
        let mut line = Vec::new();
        let file = File::open(segment).map_err(io_error(segment))?;
        BufReader::new(file.take(MAX_LINE as u64 + 1))
            .read_until(b'\n', &mut line)
            .map_err(io_error(segment))?;
        if line.pop_if(|byte| *byte == b'\n').is_none() {
            return Ok(Self::default());
        }
        Ok(Self::of_line(&line))
    }

    fn of_line(line: &[u8]) -> Self {
        let entry: Map<String, Value> = serde_json::from_slice(line).unwrap_or_default();
        let begins = entry.get("kind").and_then(Value::as_str) == Some("session_started");
        let Some(detail) = entry
            .get("detail")
            .and_then(Value::as_object)
            .filter(|_| begins)
        else {
            return Self::default();
        };
        let heads = detail
            .get("heads")
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        let unkeyed = Hasher::new(None);
        Self {
            format: detail.get("format").and_then(Value::as_u64),
            keyed: detail.get("keyed").and_then(Value::as_bool),
            fits_unkeyed: split_hash(line).is_some_and(|(hash, text)| unkeyed.hash(text) == hash),
            heads: heads
                .filter_map(|head| Checkpoint::from_object(head.as_object()?))
                .collect(),
        }
    }
}

/// The heads of logs that were removed on purpose.
pub(crate) fn pruned(directory: &Path) -> Result<Vec<Checkpoint>, Unreadable> {
    let path = directory.join(PRUNED);
    match fs::read_to_string(&path) {
        Ok(text) => Checkpoint::read_all(&text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(Unreadable::Io(path, error)),
    }
}
