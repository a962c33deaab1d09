//! What is recorded, before any text is made of it: recording must cost next to nothing.

use std::borrow::Cow;
use std::sync::Arc;

/// A JSON value of an entry's detail. Made for rare entries; the frequent ones have shapes of their own.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// An integer; written as a string where JavaScript could not hold it.
    Int(i64),
    /// A float; NaN and infinities are written as strings.
    Float(f64),
    /// A text.
    Text(String),
    /// A list.
    List(Vec<Value>),
    /// An object. Whoever builds it sees to it that no key comes twice.
    Map(Vec<(String, Value)>),
}

impl Value {
    /// Roughly how many bytes it takes in a line.
    #[must_use]
    pub fn weight(&self) -> usize {
        match self {
            Self::Text(text) => text.len() + 8,
            Self::List(items) => items.iter().map(Self::weight).sum::<usize>() + 8,
            Self::Map(fields) => fields
                .iter()
                .map(|(key, value)| key.len() + value.weight() + 8)
                .sum::<usize>(),
            _ => 8,
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Committed.
    Finished,
    /// With an error.
    Failed,
    /// On request.
    Cancelled,
    /// Given up while its thread goes on.
    Abandoned,
}

/// What is kept of an exception. Never its text, unless the session was told to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Failure {
    /// Name of its type.
    pub error: String,
    /// File, line, function; the innermost last.
    pub frames: Vec<(String, u32, String)>,
    /// Keyed hash of its text, where there is a key.
    pub text_hmac: Option<String>,
    /// Its text, where the session was told to keep it.
    pub message: Option<String>,
    /// Keys whose text could not be written as it was.
    pub replaced: Vec<&'static str>,
    /// Keys of whose text only the beginning is kept.
    pub cut: Vec<&'static str>,
}

impl Failure {
    /// Roughly how much memory it holds on to.
    fn weight(&self) -> usize {
        let frames = self.frames.iter();
        let frames = frames.map(|(file, _, function)| file.len() + function.len() + 56);
        self.message.as_ref().map_or(0, String::len) + frames.sum::<usize>()
    }
}

/// What is kept of a value: never the value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    /// Where it was written.
    pub path: Arc<str>,
    /// Its type.
    pub kind: Cow<'static, str>,
    /// Its lengths by dimension, where the type is known to have them at hand.
    pub shape: Option<Vec<u64>>,
    /// Its size, likewise.
    pub bytes: Option<u64>,
}

/// The kinds of entries.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// A run's body begins.
    RunStarted {
        /// Number of the run in whose body it was started; 0 for none.
        parent: u64,
        /// When it was submitted.
        submitted: u64,
        /// Paths and versions it was given.
        reads: Vec<(Arc<str>, u64)>,
    },
    /// A run ends.
    RunEnded {
        /// How.
        how: End,
        /// When it was submitted.
        submitted: u64,
        /// When its body started; 0 if it never did.
        started: u64,
        /// What went wrong.
        failure: Option<Box<Failure>>,
    },
    /// Values became part of the state.
    StateCommitted {
        /// Their version.
        version: u64,
        /// Where, and what they look like.
        paths: Vec<Fingerprint>,
    },
    /// A remark of the user's.
    Note {
        /// What it says.
        text: String,
        /// Whether some of it was no text and had to be replaced.
        replaced: bool,
    },
    /// Everything that is rare.
    Other {
        /// Name of the kind.
        kind: &'static str,
        /// Its detail; nothing is written for an empty one.
        detail: Vec<(String, Value)>,
    },
}

impl What {
    /// Name of the kind, as written.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::RunStarted { .. } => "run_started",
            Self::RunEnded { how, .. } => match how {
                End::Finished => "run_finished",
                End::Failed => "run_failed",
                End::Cancelled => "run_cancelled",
                End::Abandoned => "run_abandoned",
            },
            Self::StateCommitted { .. } => "state_committed",
            Self::Note { .. } => "note",
            Self::Other { kind, .. } => kind,
        }
    }
}

/// One entry on its way to the log. Its number is its place in the queue.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Nanoseconds since the session began.
    pub mono: u64,
    /// Number of the run concerned; 0 for none.
    pub run: u64,
    /// Execution count of the cell it was submitted from; 0 for none.
    pub cell: u32,
    /// Name of the process concerned.
    pub process: Option<Arc<str>>,
    /// The lane it ran on.
    pub lane: Option<Arc<str>>,
    /// What happened.
    pub what: What,
}

impl Entry {
    /// An entry that concerns no run.
    #[must_use]
    pub fn plain(mono: u64, kind: &'static str, detail: Vec<(String, Value)>) -> Self {
        Self {
            mono,
            run: 0,
            cell: 0,
            process: None,
            lane: None,
            what: What::Other { kind, detail },
        }
    }

    /// Roughly how much memory it holds on to.
    #[must_use]
    pub fn weight(&self) -> usize {
        let more = match &self.what {
            What::Other { detail, .. } => detail
                .iter()
                .map(|(key, value)| key.len() + value.weight())
                .sum(),
            What::Note { text, .. } => text.len(),
            What::StateCommitted { paths, .. } => paths.len() * 64,
            What::RunStarted { reads, .. } => reads.len() * 24,
            What::RunEnded { failure, .. } => failure.as_ref().map_or(0, |f| f.weight()),
        };
        size_of::<Self>() + more
    }
}
