//! The audit log: one chained JSON line per entry, written in groups by one task.
//!
//! | module | idea |
//! |---|---|
//! | [`entry`] | what is recorded, compact, without any text made yet |
//! | [`encode`] | an entry as a line of JSON |
//! | [`chain`] | the hash that ties each line to the one before it |
//! | [`clock`] | monotonic and wall time |
//! | [`storage`] | what the writer needs of a disk; memory; the trait that tests replace |
//! | [`segment`] | the directory of a log, its numbered files, the heads of its neighbours |
//! | [`tail`] | the newest lines, in memory |
//! | [`log`] | what callers hold: record, look, wait |
//! | `shared` | what they have in common with the writer |
//! | `writer` | the task: queue, batch, write, sync, acknowledge |
//!
//! *Written* is what the operating system has: it survives the death of this process. *Synced* is what the disk has
//! confirmed: it survives the loss of power. The two words are kept apart everywhere.

pub mod chain;
pub mod clock;
pub mod encode;
pub mod entry;
pub mod log;
pub mod segment;
mod shared;
pub mod storage;
pub mod tail;
mod writer;

pub use entry::{End, Entry, Failure, Fingerprint, Value, What};
pub use log::{AuditFailed, Log, Options, Position};
