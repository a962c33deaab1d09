//! The core of `theus_nb`: what orders runs and holds the versions they read. It knows no Python.
//!
//! | module | idea |
//! |---|---|
//! | [`scheduler`] | [`Scheduler`]: admits runs, says when one may start, holds the versioned values |
//! | [`contract`] | what a run declares to read and write, compiled once |
//! | [`path`] | dotted paths interned into a tree of [`NodeId`]s |
//! | [`place`] | [`Place`]: a position in the serial order that every execution must look like |
//! | [`audit`] | the audit log: chained entries, written in groups, and the proof that nobody has changed them |
//! | [`files`] | files that are complete, old or new, and durable |
//! | [`signals`] | values published under topics, to bounded subscribers |
//! | [`span`] | the records of runs that the timeline shows |
//! | [`watch`] | when an event loop counts as blocked |
//! | [`feed`] | what has become of runs since somebody last asked |
//! | `sync` | locks and waits of the audit log's hand-off, for the model of it to replace |
//! | [`runtime`] | the one tokio runtime, on a thread of its own |
//! | [`error`] | [`Error`], and [`Refused`], which hands back the values of a refused call |
//!
//! The promise: whatever runs concurrently, the state ends as if the top-level runs had been executed one after
//! another in the order in which they were submitted, and no run waits for anything but the runs that produce its
//! inputs (and, for what it may change in place, the earlier readers of the same version).
//!
//! Nothing here locks, blocks or drops a value by itself: the caller puts one lock around the [`Scheduler`] and
//! drops what comes back in [`Effects::garbage`] after having released it, for a value's destructor may run
//! anybody's code.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod audit;
pub mod contract;
pub mod error;
pub mod feed;
pub mod files;
pub mod path;
pub mod place;
pub mod runtime;
pub mod scheduler;
pub mod signals;
pub mod span;
mod sync;
pub mod watch;

pub use contract::{Access, ContractId};
pub use error::{Error, Refused};
pub use path::NodeId;
pub use place::Place;
pub use scheduler::{
    Accepted, Admission, Admitted, Cause, Doom, Effects, End, Entry, Input, NumberHasher, Present,
    Scheduler, Ticket,
};
