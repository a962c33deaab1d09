//! An entry as a line of JSON. Lossless, or it says what it replaced.

use super::chain::{Chain, GENESIS, Hex};
use super::clock::Stamp;
use super::entry::{Entry, Failure, Fingerprint, Value, What};

/// Integers beyond this are written as strings: JavaScript and jq hold no larger ones.
const EXACT: i64 = 1 << 53;

/// Bytes that a detail may take. A line is read up to 16 MiB (`scan::MAX_LINE`), and the rest of it needs room, too.
pub const MAX_DETAIL: usize = 15 << 20;

/// Characters that are kept of a name beside the detail.
const MAX_NAME: usize = 4096;

/// Turns entries into lines and knows the hash of the last one.
#[derive(Debug)]
pub struct Encoder {
    chain: Chain,
    stamp: Stamp,
    prev: Hex,
    /// Number of the next entry.
    seq: u64,
}

impl Encoder {
    /// An encoder at the beginning of a log.
    #[must_use]
    pub fn new(chain: Chain) -> Self {
        Self {
            chain,
            stamp: Stamp::default(),
            prev: GENESIS,
            seq: 0,
        }
    }

    /// Number of the next entry.
    #[must_use]
    pub fn next_seq(&self) -> u64 {
        self.seq
    }

    /// Appends an entry's line.
    ///
    /// `wall` is its time in nanoseconds since 1970. `synced` is given for the first line of a batch: the last
    /// number known to be durable, -1 for none.
    pub fn line(&mut self, entry: &Entry, wall: u64, synced: Option<i64>, out: &mut Vec<u8>) {
        let begin = out.len();
        raw(out, "{\"seq\":");
        number(out, self.seq);
        raw(out, ",\"ts\":\"");
        self.stamp.write(wall, out);
        raw(out, "\",\"mono\":");
        integer(out, entry.mono);
        raw(out, ",\"kind\":\"");
        raw(out, entry.what.name());
        out.push(b'"');
        if entry.run != 0 {
            raw(out, ",\"run\":");
            run(out, entry.run);
        }
        if let Some(process) = &entry.process {
            raw(out, ",\"process\":");
            text(out, clipped(process));
        }
        if let Some(lane) = entry.lane.as_ref().filter(|lane| !lane.is_empty()) {
            raw(out, ",\"lane\":");
            text(out, clipped(lane));
        }
        if entry.cell != 0 {
            raw(out, ",\"cell\":");
            number(out, entry.cell.into());
        }
        detail(out, &entry.what);
        if let Some(synced) = synced {
            raw(out, ",\"synced\":");
            signed(out, synced);
        }
        raw(out, ",\"prev\":\"");
        out.extend_from_slice(&self.prev);
        out.push(b'"');
        self.prev = self.chain.hash(&out[begin..]);
        raw(out, ",\"hash\":\"");
        out.extend_from_slice(&self.prev);
        raw(out, "\"}\n");
        self.seq += 1;
    }
}

/// Appends `,"detail":{…}`, or nothing if there is none.
fn detail(out: &mut Vec<u8>, what: &What) {
    let before = out.len();
    raw(out, ",\"detail\":{");
    let start = out.len();
    match what {
        What::RunStarted {
            parent,
            submitted,
            reads,
        } => {
            if *parent != 0 {
                key(out, start, "parent");
                run(out, *parent);
            }
            key(out, start, "submitted");
            integer(out, *submitted);
            if !reads.is_empty() {
                key(out, start, "reads");
                list(out, reads, |out, (path, version)| {
                    out.push(b'[');
                    text(out, path);
                    out.push(b',');
                    integer(out, *version);
                    out.push(b']');
                });
            }
        }
        What::RunEnded {
            submitted,
            started,
            failure,
            ..
        } => {
            key(out, start, "submitted");
            integer(out, *submitted);
            if *started != 0 {
                key(out, start, "started");
                integer(out, *started);
            }
            if let Some(failure) = failure {
                failed(out, start, failure);
            }
        }
        What::StateCommitted { version, paths } => {
            key(out, start, "version");
            integer(out, *version);
            key(out, start, "paths");
            list(out, paths, fingerprint);
        }
        What::Note {
            text: words,
            replaced,
        } => {
            key(out, start, "text");
            text(out, words);
            if *replaced {
                raw(out, ",\"replaced\":[\"text\"]");
            }
        }
        What::Other { detail, .. } => {
            for (name, field) in detail {
                let begin = out.len();
                named(out, start, name);
                value(out, field);
                if out.len() - start > MAX_DETAIL {
                    // The fields before it are kept: a log's first entry needs them.
                    let length = out.len() - begin;
                    out.truncate(begin);
                    named(out, start, clipped(name));
                    out.push(b'{');
                    too_large(out, length);
                    out.push(b'}');
                }
            }
        }
    }
    if out.len() - start > MAX_DETAIL {
        let length = out.len() - start;
        out.truncate(start);
        too_large(out, length);
    }
    if out.len() == start {
        out.truncate(before);
    } else {
        out.push(b'}');
    }
}

/// Stands for what would have made a line that no verifier reads.
fn too_large(out: &mut Vec<u8>, length: usize) {
    raw(out, "\"too_large\":");
    number(out, length as u64);
}

/// The beginning of a name that is no name any more.
fn clipped(name: &str) -> &str {
    if name.len() <= MAX_NAME {
        return name;
    }
    let end = name.char_indices().nth(MAX_NAME);
    end.map_or(name, |(end, _)| &name[..end])
}

fn failed(out: &mut Vec<u8>, start: usize, failure: &Failure) {
    key(out, start, "error");
    text(out, &failure.error);
    key(out, start, "frames");
    list(out, &failure.frames, |out, (file, line, function)| {
        out.push(b'[');
        text(out, file);
        out.push(b',');
        number(out, (*line).into());
        out.push(b',');
        text(out, function);
        out.push(b']');
    });
    if let Some(hash) = &failure.text_hmac {
        key(out, start, "text_hmac");
        text(out, hash);
    }
    if let Some(message) = &failure.message {
        key(out, start, "message");
        text(out, message);
    }
    if !failure.replaced.is_empty() {
        key(out, start, "replaced");
        list(out, &failure.replaced, |out, name| text(out, name));
    }
    if !failure.cut.is_empty() {
        key(out, start, "cut");
        list(out, &failure.cut, |out, name| text(out, name));
    }
}

fn fingerprint(out: &mut Vec<u8>, print: &Fingerprint) {
    out.push(b'{');
    let start = out.len();
    key(out, start, "path");
    text(out, &print.path);
    key(out, start, "type");
    text(out, &print.kind);
    if let Some(shape) = &print.shape {
        key(out, start, "shape");
        list(out, shape, |out, length| integer(out, *length));
    }
    if let Some(bytes) = print.bytes {
        key(out, start, "bytes");
        integer(out, bytes);
    }
    out.push(b'}');
}

fn value(out: &mut Vec<u8>, value_: &Value) {
    match value_ {
        Value::Null => raw(out, "null"),
        Value::Bool(true) => raw(out, "true"),
        Value::Bool(false) => raw(out, "false"),
        Value::Int(int) if int.abs_diff(0) >= EXACT.unsigned_abs() => {
            out.push(b'"');
            signed(out, *int);
            out.push(b'"');
        }
        Value::Int(int) => signed(out, *int),
        Value::Float(float) if float.is_nan() => raw(out, "\"NaN\""),
        Value::Float(float) if float.is_infinite() => {
            raw(
                out,
                if *float > 0.0 {
                    "\"Infinity\""
                } else {
                    "\"-Infinity\""
                },
            );
        }
        // The shortest digits that read back as the same float.
        Value::Float(float) => raw(out, &format!("{float:?}")),
        Value::Text(string) => text(out, string),
        Value::List(items) => list(out, items, value),
        Value::Map(fields) => {
            out.push(b'{');
            let start = out.len();
            for (name, field) in fields {
                named(out, start, name);
                value(out, field);
            }
            out.push(b'}');
        }
    }
}

fn list<T>(out: &mut Vec<u8>, items: &[T], each: impl Fn(&mut Vec<u8>, &T)) {
    out.push(b'[');
    for (place, item) in items.iter().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        each(out, item);
    }
    out.push(b']');
}

/// A key that needs no escaping, with the comma before it unless it is the first behind `start`.
fn key(out: &mut Vec<u8>, start: usize, name: &str) {
    raw(out, if out.len() == start { "\"" } else { ",\"" });
    raw(out, name);
    raw(out, "\":");
}

fn named(out: &mut Vec<u8>, start: usize, name: &str) {
    if out.len() != start {
        out.push(b',');
    }
    text(out, name);
    out.push(b':');
}

fn run(out: &mut Vec<u8>, run_: u64) {
    raw(out, "\"r");
    number(out, run_);
    out.push(b'"');
}

fn raw(out: &mut Vec<u8>, piece: &str) {
    out.extend_from_slice(piece.as_bytes());
}

/// An integer, as a string where it is too large to be exact everywhere.
fn integer(out: &mut Vec<u8>, value_: u64) {
    if value_ < EXACT.unsigned_abs() {
        number(out, value_);
    } else {
        out.push(b'"');
        number(out, value_);
        out.push(b'"');
    }
}

fn signed(out: &mut Vec<u8>, value_: i64) {
    if value_ < 0 {
        out.push(b'-');
    }
    number(out, value_.unsigned_abs());
}

fn number(out: &mut Vec<u8>, value_: u64) {
    raw(out, itoa::Buffer::new().format(value_));
}

/// A string with its quotes. What needs no escape is copied in one piece.
fn text(out: &mut Vec<u8>, string: &str) {
    out.push(b'"');
    let bytes = string.as_bytes();
    let mut copied = 0;
    for (place, &byte) in bytes.iter().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.extend_from_slice(&bytes[copied..place]);
        copied = place + 1;
        match byte {
            b'"' => raw(out, "\\\""),
            b'\\' => raw(out, "\\\\"),
            b'\n' => raw(out, "\\n"),
            b'\r' => raw(out, "\\r"),
            b'\t' => raw(out, "\\t"),
            _ => raw(out, &format!("\\u{byte:04x}")),
        }
    }
    out.extend_from_slice(&bytes[copied..]);
    out.push(b'"');
}
