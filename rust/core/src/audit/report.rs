//! What a verification found.

use std::fmt;
use std::path::PathBuf;

/// What is wrong. Each is named after what most likely happened, seen from the first place that does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A line's hash does not fit its bytes, or an entry does not follow the one before it: one of them was replaced.
    Edited,
    /// Sequence numbers are skipped.
    Missing,
    /// An entry stands there again.
    Duplicated,
    /// An entry stands further down than it belongs.
    Reordered,
    /// A line stands between two entries that follow each other, or two entries claim one place.
    Inserted,
    /// The segment does not continue the one before it, or a segment is not there.
    WrongSegment,
    /// The hash fits, but the line is no entry of this version (duplicate keys, keys out of order, …).
    Malformed,
    /// The log ends before an entry that a checkpoint or a later log has seen.
    Truncated,
    /// An entry that a checkpoint or a later log has seen has another hash now: the chain was built anew.
    Rebuilt,
    /// A log that a later log has seen, or that a checkpoint names, is not there.
    MissingLog,
    /// A key was given, and the log was written without one.
    Unkeyed,
    /// A key was given, and it fits no entry at all.
    WrongKey,
    /// The session ended in order, and yet a run began to write files and its log does not say that it finished.
    UnfinishedCommit,
}

impl Fault {
    /// The word for it, as Python and the command line say it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Edited => "edited",
            Self::Missing => "missing",
            Self::Duplicated => "duplicated",
            Self::Reordered => "reordered",
            Self::Inserted => "inserted",
            Self::WrongSegment => "wrong segment",
            Self::Malformed => "malformed",
            Self::Truncated => "truncated",
            Self::Rebuilt => "rebuilt",
            Self::MissingLog => "missing log",
            Self::Unkeyed => "unkeyed",
            Self::WrongKey => "wrong key",
            Self::UnfinishedCommit => "unfinished commit",
        }
    }
}

/// A place in a log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The segment's file name; empty where there is none.
    pub segment: String,
    /// Counted from 1; 0 where there is none.
    pub line: u64,
    /// Where the line begins in its segment, in bytes.
    pub offset: u64,
}

/// The first thing that is wrong with a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What it is.
    pub fault: Fault,
    /// The first sequence number that cannot be trusted.
    pub seq: u64,
    /// Where it was noticed.
    pub place: Place,
    /// A sentence with the particulars.
    pub text: String,
}

/// The end of a log that was being written when the process or the machine stopped. Nobody was told it was durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Torn {
    /// The first sequence number that is not there.
    pub seq: u64,
    /// Where what cannot be read begins.
    pub place: Place,
}

/// The last entry that is vouched for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Its sequence number.
    pub seq: u64,
    /// Its hash.
    pub hash: [u8; 32],
    /// The segment it lies in.
    pub segment: String,
}

/// A run that announced writing files, and of which the log says no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfinished {
    /// Where it announced it.
    pub seq: u64,
    /// The run's number, if it was one.
    pub run: Option<u64>,
    /// The files it named.
    pub files: Vec<String>,
}

/// What was found out about one log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The log's name: that of its directory, or of the segment where only that was given.
    pub log: String,
    /// How many entries fit, from the first.
    pub entries: u64,
    /// The last of them.
    pub head: Option<Head>,
    /// How many segments there are.
    pub segments: usize,
    /// Whether every hash was checked with a key.
    pub keyed: bool,
    /// Whether the last line is a `session_ended`.
    pub ended: bool,
    /// The newest sequence number that the log itself calls durable.
    pub synced: Option<u64>,
    /// What is wrong, if anything is.
    pub problem: Option<Problem>,
    /// The torn end, if it has one; that is no problem.
    pub torn: Option<Torn>,
    /// Runs that began to write files and of which nothing more is said.
    pub unfinished: Vec<Unfinished>,
    /// The highest sequence number that something outside this log confirms.
    pub confirmed: Option<u64>,
    /// Removed on purpose, with a record of it in `pruned.jsonl`; nothing could be checked.
    pub pruned: bool,
    /// Why nothing could be said about it; only among other logs, alone this is an error.
    pub unreadable: Option<String>,
}

impl Report {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn ok(&self) -> bool {
        self.problem.is_none() && self.unreadable.is_none()
    }
}

/// Why nothing could be verified at all.
#[derive(Debug)]
pub enum Unreadable {
    /// The system could not read it.
    Io(PathBuf, std::io::Error),
    /// There is no log at this path.
    NotALog(PathBuf),
    /// The file is something else.
    Foreign(PathBuf),
    /// Another version of the format.
    Version(PathBuf, u64),
    /// The log is keyed, and no key was given.
    KeyNeeded(PathBuf),
    /// No hash fits, and nothing says whether the log is keyed.
    NothingFits(PathBuf),
    /// A checkpoint that is none.
    Checkpoint(String),
}

impl Unreadable {
    /// Whether somebody asked for the end.
    pub(crate) fn is_interrupted(&self) -> bool {
        matches!(self, Self::Io(_, error) if error.kind() == std::io::ErrorKind::Interrupted)
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(path, error) => write!(f, "'{}' cannot be read: {error}", path.display()),
            Self::NotALog(path) => write!(
                f,
                "'{}' is no audit log: give a segment (000001.jsonl), a directory with segments, or a directory of such \
                 directories",
                path.display()
            ),
            Self::Foreign(path) => write!(
                f,
                "'{}' is not a file of an audit log: none of its lines is an entry",
                path.display()
            ),
            Self::Version(path, version) => write!(
                f,
                "'{}' is written in format version {version}, and this theus_nb knows version 1: use the theus_nb that \
                 wrote it, or a newer one",
                path.display()
            ),
            Self::KeyNeeded(path) => write!(
                f,
                "'{}' is keyed: nothing can be said about it without its key (--key-file FILE, or key= in Python)",
                path.display()
            ),
            Self::NothingFits(path) => write!(
                f,
                "no hash in '{}' fits, and its first entry, which would say whether the log is keyed, is not there: give \
                 the key if it has one (--key-file FILE, or key= in Python), otherwise every line was changed",
                path.display()
            ),
            Self::Checkpoint(text) => write!(f, "the checkpoint cannot be used: {text}"),
        }
    }
}

impl std::error::Error for Unreadable {}
