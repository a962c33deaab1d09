//! The audit log: JSON lines, each chained to the one before by its hash. `docs/audit-format.md` is the specification.
//!
//! | module | idea |
//! |---|---|
//! | [`verify`] | the proof: one log, or a directory of logs that name each other's heads |
//! | [`report`] | what a verification found, where, and what is wrong |
//! | [`checkpoint`] | a sequence number with its hash, kept elsewhere: what a truncated log cannot satisfy |
//! | `line`, `json` | one line: is it an entry, does its hash fit |
//! | `scan` | a segment as lines, hashed on all processors, in bounded memory |
//! | `judge` | every link between lines, and the name of what broke the first one |
//! | `logs` | which files are a log, which directories hold logs, what their first entries say |

pub mod checkpoint;
mod json;
mod judge;
mod line;
mod logs;
pub mod report;
mod scan;
pub mod verify;
