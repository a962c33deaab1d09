//! One line of a segment: is it an entry of format version 1, and does its hash fit its bytes.
//!
//! Each line is judged by itself, so lines can be judged on all processors at once; how they follow each other is the
//! business of [`judge`](super::judge).

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use super::json::{MAX_DEPTH, Reason, Scanner};

/// The hash of an entry.
pub(crate) type Hash = [u8; 32];

/// `,"hash":"` + 64 digits + `"}`: where the hashed bytes end.
const HASH_PART: usize = 75;
/// `,"prev":"` + 64 digits + `"`.
const PREV_PART: usize = 74;

/// How entries are hashed.
#[derive(Clone)]
pub(crate) enum Hasher {
    Plain,
    // Keyed once: each entry clones the state after the key's own two blocks. Boxed, it is large.
    Keyed(Box<Hmac<Sha256>>),
}

impl Hasher {
    pub(crate) fn new(key: Option<&[u8]>) -> Self {
        // HMAC takes keys of any length, so the error cannot happen; without a key is then the honest answer.
        match key.map(Hmac::<Sha256>::new_from_slice) {
            Some(Ok(keyed)) => Self::Keyed(Box::new(keyed)),
            _ => Self::Plain,
        }
    }

    pub(crate) fn hash(&self, bytes: &[u8]) -> Hash {
        match self {
            Self::Plain => Sha256::digest(bytes).into(),
            Self::Keyed(keyed) => {
                let mut mac = keyed.clone();
                mac.update(bytes);
                mac.finalize().into_bytes().into()
            }
        }
    }
}

/// Files that a run began to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Intent {
    pub(crate) files: Vec<String>,
}

/// The kinds that mean something to a verifier.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Plain,
    SessionEnded,
    RunEnded,
    FileWritten,
    CommitIntent(Box<Intent>),
}

/// What a line turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// An entry, and its hash fits.
    Entry,
    /// Its hash fits, but it is no entry of this version.
    Malformed(Reason),
    /// Its hash does not fit, or it has none.
    Edited,
    /// Its end is missing: the segment ends before the line does.
    Unfinished,
}

/// A judged line.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) form: Form,
    /// Whether it was meant to be an entry; a file without any such line is no log.
    pub(crate) familiar: bool,
    /// Its sequence number, where it can be read.
    pub(crate) seq: Option<u64>,
    pub(crate) prev: Hash,
    pub(crate) hash: Hash,
    /// What was durable when the line was written; only an [`Form::Entry`] has any.
    pub(crate) synced: Option<i64>,
    pub(crate) kind: Kind,
    pub(crate) run: Option<u64>,
    /// Where it begins in its segment, in bytes.
    pub(crate) offset: u64,
}

impl Line {
    fn broken(form: Form, bytes: &[u8], offset: u64) -> Self {
        let mut scanner = Scanner::new(bytes);
        let seq = if scanner.take(b"{\"seq\":") {
            scanner.natural().ok()
        } else {
            None
        };
        Self {
            form,
            familiar: familiar(bytes),
            seq,
            prev: [0; 32],
            hash: [0; 32],
            synced: None,
            kind: Kind::Plain,
            run: None,
            offset,
        }
    }

    /// A line whose end is missing.
    pub(crate) fn unfinished(bytes: &[u8], offset: u64) -> Self {
        Self::broken(Form::Unfinished, bytes, offset)
    }

    /// A line that is longer than any entry may be.
    pub(crate) fn too_long(bytes: &[u8], offset: u64) -> Self {
        Self::broken(Form::Edited, bytes, offset)
    }

    /// Judges a complete line, given without its line end.
    pub(crate) fn judge(bytes: &[u8], offset: u64, hasher: &Hasher) -> Self {
        let Some((hash, covered)) = split_hash(bytes) else {
            return Self::broken(Form::Edited, bytes, offset);
        };
        if hasher.hash(covered) != hash {
            return Self::broken(Form::Edited, bytes, offset);
        }
        match read(covered) {
            Ok(fields) => Self {
                form: Form::Entry,
                familiar: true,
                seq: Some(fields.seq),
                prev: fields.prev,
                hash,
                synced: fields.synced,
                kind: fields.kind,
                run: fields.run,
                offset,
            },
            Err(reason) => Self::broken(Form::Malformed(reason), bytes, offset),
        }
    }

    pub(crate) fn is_entry(&self) -> bool {
        self.form == Form::Entry
    }
}

/// A hole (bytes that never reached the disk read as zeros) belongs to a log, too.
fn familiar(bytes: &[u8]) -> bool {
    let start = &b"{\"seq\":"[..bytes.len().min(7)];
    bytes.starts_with(start) || bytes.starts_with(&[0]) || split_hash(bytes).is_some()
}

/// The hash that a line names, and the bytes it is about.
pub(crate) fn split_hash(line: &[u8]) -> Option<(Hash, &[u8])> {
    let (hashed, rest) = line.split_at_checked(line.len().checked_sub(HASH_PART)?)?;
    let digits = rest.strip_prefix(b",\"hash\":\"")?.strip_suffix(b"\"}")?;
    Some((hex(digits)?, hashed))
}

/// Reads 64 lowercase hexadecimal digits.
///
/// Without a branch per digit: nobody can predict those, and they cost more than the hash itself.
pub(crate) fn hex(digits: &[u8]) -> Option<Hash> {
    let digits: &[u8; 64] = digits.try_into().ok()?;
    let is_digit = |digit: u8| digit.wrapping_sub(b'0') < 10;
    let is_letter = |digit: u8| digit.wrapping_sub(b'a') < 6;
    // '0' is 0x30 and 'a' is 0x61: the low half counts from 0 or from 1, bit 6 tells letters.
    let value = |digit: u8| (digit & 15) + 9 * (digit >> 6);
    let good = digits.iter().fold(true, |good, digit| {
        good & (is_digit(*digit) | is_letter(*digit))
    });
    let mut hash = [0; 32];
    for (byte, pair) in hash.iter_mut().zip(digits.as_chunks::<2>().0) {
        *byte = value(pair[0]) << 4 | value(pair[1]);
    }
    good.then_some(hash)
}

/// Writes a hash as 64 hexadecimal digits.
#[must_use]
pub fn to_hex(hash: &[u8; 32]) -> String {
    let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or('0');
    hash.iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}

struct Fields {
    seq: u64,
    prev: Hash,
    synced: Option<i64>,
    kind: Kind,
    run: Option<u64>,
}

/// Reads the bytes that a hash covers: the keys in their one order, and nothing else.
fn read(hashed: &[u8]) -> Result<Fields, Reason> {
    check_text(hashed)?;
    let mut scanner = Scanner::new(hashed);
    let seq = required(&mut scanner, b"{\"seq\":", Scanner::natural)?;
    required(&mut scanner, b",\"ts\":", timestamp)?;
    required(&mut scanner, b",\"mono\":", Scanner::natural)?;
    let kind = required(&mut scanner, b",\"kind\":", kind_name)?;
    let run = optional(&mut scanner, b",\"run\":", Scanner::string)?;
    optional(&mut scanner, b",\"process\":", Scanner::string)?;
    optional(&mut scanner, b",\"lane\":", Scanner::string)?;
    optional(&mut scanner, b",\"cell\":", Scanner::natural)?;
    let from = scanner.position();
    let detail = optional(&mut scanner, b",\"detail\":", |s| s.object(MAX_DEPTH))?;
    let detail = detail.map(|()| &hashed[from + b",\"detail\":".len()..scanner.position()]);
    let synced = optional(&mut scanner, b",\"synced\":", durable)?;
    let rest = &hashed[scanner.position()..];
    let prev = rest
        .strip_prefix(b",\"prev\":\"")
        .and_then(|rest| rest.strip_suffix(b"\""))
        .filter(|_| rest.len() == PREV_PART)
        .and_then(hex)
        .ok_or("its keys are not those of an entry, in their order")?;
    if synced.is_some_and(|synced| synced >= seq.cast_signed()) {
        return Err("it calls itself durable before it was written");
    }
    let kind = match kind {
        b"session_ended" => Kind::SessionEnded,
        b"run_finished" | b"run_failed" | b"run_cancelled" | b"run_abandoned" => Kind::RunEnded,
        b"file_written" => Kind::FileWritten,
        b"commit_intent" => Kind::CommitIntent(Box::new(intent(detail))),
        _ => Kind::Plain,
    };
    Ok(Fields {
        seq,
        prev,
        synced,
        kind,
        run: run.and_then(run_number),
    })
}

/// A line holds valid UTF-8 without control characters: strings escape them, and nothing else has any.
fn check_text(bytes: &[u8]) -> Result<(), Reason> {
    // A fold over all bytes is what the compiler makes wide instructions of.
    if bytes.iter().fold(u8::MAX, |least, byte| least.min(*byte)) < b' ' {
        return Err("it has a control character that is not escaped");
    }
    std::str::from_utf8(bytes)
        .map(|_| ())
        .map_err(|_| "it is not UTF-8")
}

fn required<'a, T>(
    scanner: &mut Scanner<'a>,
    key: &[u8],
    read: impl FnOnce(&mut Scanner<'a>) -> Result<T, Reason>,
) -> Result<T, Reason> {
    optional(scanner, key, read)?.ok_or("its keys are not those of an entry, in their order")
}

fn optional<'a, T>(
    scanner: &mut Scanner<'a>,
    key: &[u8],
    read: impl FnOnce(&mut Scanner<'a>) -> Result<T, Reason>,
) -> Result<Option<T>, Reason> {
    if scanner.take(key) {
        read(scanner).map(Some)
    } else {
        Ok(None)
    }
}

/// `2026-11-23T01:02:03.123456789Z`, with digits where this one has some.
fn timestamp(scanner: &mut Scanner<'_>) -> Result<(), Reason> {
    const SHAPE: &[u8] = b"0000-00-00T00:00:00.000000000Z";
    let found = scanner.string()?;
    let fits = |(byte, shape): (&u8, &u8)| match shape {
        b'0' => byte.is_ascii_digit(),
        other => byte == other,
    };
    if found.len() == SHAPE.len() && found.iter().zip(SHAPE).all(fits) {
        return Ok(());
    }
    Err("its time is not written as in this format")
}

fn kind_name<'a>(scanner: &mut Scanner<'a>) -> Result<&'a [u8], Reason> {
    let name = scanner.string()?;
    if name.is_empty()
        || !name
            .iter()
            .all(|byte| byte.is_ascii_lowercase() || *byte == b'_')
    {
        return Err("its kind is not a word");
    }
    Ok(name)
}

/// A sequence number, or -1 for none.
fn durable(scanner: &mut Scanner<'_>) -> Result<i64, Reason> {
    if scanner.take(b"-1") {
        Ok(-1)
    } else {
        scanner.natural().map(u64::cast_signed)
    }
}

fn run_number(name: &[u8]) -> Option<u64> {
    std::str::from_utf8(name.strip_prefix(b"r")?)
        .ok()?
        .parse()
        .ok()
}

/// The files that a `commit_intent` names: strings, or objects with a `path`.
fn intent(detail: Option<&[u8]>) -> Intent {
    let detail: serde_json::Value = detail
        .and_then(|text| serde_json::from_slice(text).ok())
        .unwrap_or_default();
    let name = |file: &serde_json::Value| {
        let path = file.as_str().or_else(|| file.get("path")?.as_str());
        path.unwrap_or("?").to_owned()
    };
    let files = detail.get("files").and_then(serde_json::Value::as_array);
    Intent {
        files: files
            .map(|files| files.iter().map(name).collect())
            .unwrap_or_default(),
    }
}
