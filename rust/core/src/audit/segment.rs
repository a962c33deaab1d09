//! The directory of a log, its numbered files, and the heads of the logs beside it.
//!
//! A log is created exclusively, written by one session and never touched again; so no lock is needed, which a forked
//! child would keep and a closed descriptor would lose.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use super::storage::{Opened, Place, Storage};

/// No line is longer; what is longer is refused when it is recorded.
pub const MAX_LINE: u64 = 16 << 20;

/// Where a log ends that was there before this one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Name of its directory.
    pub log: String,
    /// Name of its last file.
    pub segment: String,
    /// Number of its last complete entry, if there is one.
    pub seq: Option<u64>,
    /// Hash of that entry; empty if there is none.
    pub hash: String,
    /// `"ended"`, `"torn"` (the last line is incomplete) or `"open"` (running, or died between two lines).
    pub end: &'static str,
}

/// The descriptor of a log's open file, for a forked child to close; -1 while there is none.
pub type Descriptor = Arc<AtomicI32>;

/// A directory in which logs lie side by side.
#[derive(Clone, Debug)]
pub struct Folder {
    /// The directory; made if it is missing.
    pub base: PathBuf,
    /// Name of the new log.
    pub name: String,
    /// Bytes after which the next file is begun, at the end of a batch.
    pub segment_bytes: u64,
    /// Whether to keep the logs out of version control: for a directory nobody asked for by name.
    pub ignored: bool,
    /// Told about the open file.
    pub descriptor: Descriptor,
}

impl Place for Folder {
    fn open(&mut self) -> io::Result<Opened> {
        fs::create_dir_all(&self.base)?;
        if self.ignored {
            ignore(&self.base)?;
        }
        let heads = heads(&self.base);
        let directory = self.base.join(&self.name);
        fs::create_dir(&directory)?;
        let mut files = Files {
            directory,
            number: 0,
            file: None,
            length: 0,
            limit: self.segment_bytes,
            descriptor: Arc::clone(&self.descriptor),
        };
        files.next()?;
        sync_directory(&self.base)?;
        Ok(Opened {
            storage: Box::new(files),
            heads,
        })
    }
}

/// Writes a `.gitignore` that names everything, unless there is one.
fn ignore(base: &Path) -> io::Result<()> {
    let path = base.join(".gitignore");
    match OpenOptions::new().write(true).create_new(true).open(path) {
        Ok(mut file) => file.write_all(b"*\n"),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// A name in a directory is as durable as the directory.
fn sync_directory(path: &Path) -> io::Result<()> {
    if cfg!(unix) {
        File::open(path)?.sync_all()?;
    }
    Ok(())
}

/// The numbered files of one log.
struct Files {
    directory: PathBuf,
    number: u32,
    file: Option<File>,
    length: u64,
    limit: u64,
    descriptor: Descriptor,
}

impl Files {
    /// Closes the present file and begins the next one.
    fn next(&mut self) -> io::Result<()> {
        if let Some(file) = &self.file {
            file.sync_data()?;
        }
        // Taken back before the number can be given to another file.
        self.descriptor.store(-1, Ordering::SeqCst);
        self.file = None;
        self.number += 1;
        let path = self.directory.join(format!("{:06}.jsonl", self.number));
        let file = OpenOptions::new()
            .append(true)
            .create_new(true)
            .open(path)?;
        self.descriptor.store(raw(&file), Ordering::SeqCst);
        self.file = Some(file);
        self.length = 0;
        sync_directory(&self.directory)
    }
}

#[cfg(unix)]
fn raw(file: &File) -> i32 {
    use std::os::fd::AsRawFd;
    file.as_raw_fd()
}

#[cfg(not(unix))]
fn raw(_file: &File) -> i32 {
    -1
}

impl Storage for Files {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let more = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if self.length > 0 && self.length.saturating_add(more) > self.limit {
            self.next()?;
        }
        match &mut self.file {
            Some(file) => file.write_all(bytes)?,
            None => return Err(io::Error::other("the log's file is closed")),
        }
        self.length += more;
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        match &self.file {
            Some(file) => file.sync_data(),
            None => Ok(()),
        }
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        self.descriptor.store(-1, Ordering::SeqCst);
    }
}

/// The heads of the logs in a directory, by name. What is no log, or cannot be read, is passed over.
#[must_use]
pub fn heads(base: &Path) -> Vec<Head> {
    let Ok(entries) = fs::read_dir(base) else {
        return Vec::new();
    };
    let mut found: Vec<Head> = entries
        .filter_map(|entry| head(&entry.ok()?.path()))
        .collect();
    found.sort_by(|a, b| a.log.cmp(&b.log));
    found
}

/// The head of one log; None if the directory holds no segment.
#[must_use]
pub fn head(directory: &Path) -> Option<Head> {
    let mut segments: Vec<String> = fs::read_dir(directory)
        .ok()?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        // Opening a pipe would wait for whoever writes to it.
        .filter(|name| is_segment(name) && directory.join(name).is_file())
        .collect();
    segments.sort();
    let log = directory.file_name()?.to_str()?.to_owned();
    let mut torn = false;
    let mut last = segments.last()?.clone();
    // A session that died right after beginning a file has left its last entry in the one before.
    for segment in segments.iter().rev() {
        let (line, rest) = last_line(&directory.join(segment)).ok()?;
        torn = torn || rest;
        last.clone_from(segment);
        let Some((seq, hash, ended)) = line.as_deref().and_then(parse) else {
            continue;
        };
        let end = if torn {
            "torn"
        } else if ended {
            "ended"
        } else {
            "open"
        };
        return Some(Head {
            log,
            segment: last,
            seq: Some(seq),
            hash,
            end,
        });
    }
    Some(Head {
        log,
        segment: last,
        seq: None,
        hash: String::new(),
        end: if torn { "torn" } else { "open" },
    })
}

fn is_segment(name: &str) -> bool {
    name.strip_suffix(".jsonl")
        .is_some_and(|stem| stem.len() >= 6 && stem.bytes().all(|b| b.is_ascii_digit()))
}

/// The last complete line of a file, and whether an incomplete one follows it.
fn last_line(path: &Path) -> io::Result<(Option<String>, bool)> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    let mut window = 16 << 10;
    loop {
        let start = length.saturating_sub(window);
        file.seek(SeekFrom::Start(start))?;
        let mut bytes = Vec::new();
        Read::by_ref(&mut file)
            .take(length - start)
            .read_to_end(&mut bytes)?;
        let torn = bytes.last().is_some_and(|byte| *byte != b'\n');
        let end = bytes.iter().rposition(|byte| *byte == b'\n');
        let begin = end.and_then(|end| bytes[..end].iter().rposition(|byte| *byte == b'\n'));
        match (begin, end) {
            (Some(begin), Some(end)) => {
                return Ok((String::from_utf8(bytes[begin + 1..end].to_vec()).ok(), torn));
            }
            (None, Some(end)) if start == 0 => {
                return Ok((String::from_utf8(bytes[..end].to_vec()).ok(), torn));
            }
            _ if start == 0 => return Ok((None, torn)),
            // Two lines fit in any case; a file without them is none of ours.
            _ if window > 2 * MAX_LINE => return Ok((None, torn)),
            _ => window *= 4,
        }
    }
}

/// Number, hash and whether this is the end of a session, from a line as this version writes it.
fn parse(line: &str) -> Option<(u64, String, bool)> {
    let rest = line.strip_prefix("{\"seq\":")?;
    let (seq, rest) = rest.split_once(',')?;
    let hash = line.strip_suffix("\"}")?.rsplit_once(",\"hash\":\"")?.1;
    let (_, rest) = rest.split_once("\"kind\":\"")?;
    let ended = rest.starts_with("session_ended\"");
    (hash.len() == 64).then(|| seq.parse().ok().map(|seq| (seq, hash.to_owned(), ended)))?
}
