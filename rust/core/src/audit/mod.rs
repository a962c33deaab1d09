//! The audit log: one chained JSON line per entry, written in groups by one task, and proven afterwards.
//! `docs/audit-format.md` is the specification.
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
//! | [`verify`] | the proof: one log, or a directory of logs that name each other's heads |
//! | [`report`] | what a verification found, where, and what is wrong |
//! | [`checkpoint`] | a sequence number with its hash, kept elsewhere: what a truncated log cannot satisfy |
//! | `line`, `json` | one line: is it an entry, does its hash fit |
//! | `scan` | a segment as lines, hashed on all processors, in bounded memory |
//! | `judge` | every link between lines, and the name of what broke the first one |
//! | `logs` | which files are a log, which directories hold logs, what their first entries say |
//!
//! *Written* is what the operating system has: it survives the death of this process. *Synced* is what the disk has
//! confirmed: it survives the loss of power. The two words are kept apart everywhere.

pub mod chain;
pub mod checkpoint;
pub mod clock;
pub mod encode;
pub mod entry;
mod json;
mod judge;
mod line;
pub mod log;
mod logs;
pub mod report;
mod scan;
pub mod segment;
mod shared;
pub mod storage;
pub mod tail;
pub mod verify;
mod writer;

pub use entry::{End, Entry, Failure, Fingerprint, Value, What};
pub use log::{AuditFailed, Log, Options, Position};
