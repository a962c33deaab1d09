//! Everything that can go wrong, in one enum.

use std::fmt;

use crate::scheduler::Ticket;

/// Why a call was refused. A refused call has changed nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// A path would hold a value and have children: `path` was to be written while `other`, above or beneath it,
    /// holds a value or is about to be given one by an earlier run.
    Shape {
        /// The path that was declared or written.
        path: String,
        /// The path it clashes with.
        other: String,
    },
    /// A run wrote `path`, which none of its declared outputs covers.
    Undeclared {
        /// The path that was written.
        path: String,
    },
    /// The ticket is not that of an unfinished run (any more).
    NotRunning {
        /// The ticket that was given.
        ticket: Ticket,
    },
    /// The run cannot start: it still waits for an input.
    NotReady {
        /// The ticket that was given.
        ticket: Ticket,
    },
    /// The contract or path id was made by another scheduler.
    UnknownId,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shape { path, other } => write!(
                f,
                "a path holds a value or has children, never both: '{path}' clashes with '{other}'"
            ),
            Self::Undeclared { path } => {
                write!(f, "'{path}' was written but no declared output covers it")
            }
            Self::NotRunning { ticket } => write!(f, "run {} is not unfinished", ticket.number()),
            Self::NotReady { ticket } => {
                write!(f, "run {} still waits for an input", ticket.number())
            }
            Self::UnknownId => f.write_str("the id was made by another scheduler"),
        }
    }
}

impl std::error::Error for Error {}

/// A refused call together with the values it was given: the caller keeps them, or drops them outside its lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused<T> {
    /// Why.
    pub error: Error,
    /// What was handed in, untouched.
    pub given: T,
}

impl<T> fmt::Display for Refused<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl<T: fmt::Debug> std::error::Error for Refused<T> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}
