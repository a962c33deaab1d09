//! `theus_nb._core`: the thin Python face of `theus_core`.
//!
//! | module | idea |
//! |---|---|
//! | `engine` | one session: scheduler, unfinished runs, records, one lock |
//! | `admit`, `replace`, `begin`, `finish`, `store`, `inspect` | what the engine's methods do |
//! | `run`, `handle`, `future` | one execution: its life, what users see, the future protocol |
//! | `attempts`, `interrupt`, `abandoned` | limits, further attempts; stopping a thread, or not |
//! | `access`, `context`, `layout` | what a body reads and writes, as far as it is declared |
//! | `definition` | what a process is to one engine |
//! | `waiter`, `outcome`, `callbacks`, `unseen` | what awaiting it involves; failures nobody awaited |
//! | `versions` | between Python's dicts and the scheduler's versions |
//! | `here` | on which loop, in which context the calling code is |
//! | `bridge`, `wakeup` | completions on their way to an event loop |
//! | `cpu` | how much of a run its thread computed |
//! | `queue`, `lane` | worker threads and what they wait on |
//! | `feed` | what the timeline reads |
//! | `audit`, `recording` | the log's face to Python; what the engine tells it |
//! | `detail`, `fingerprint` | plain values in an entry; what is said of any other |
//! | `verify` | the proof of an audit log |
//! | `files`, `ticket`, `runtime` | complete files; an operation's result on its way back; tokio's thread |
//! | `signals` | the signal hub |
//! | `watch`, `interval` | who blocks the loop; how long threads keep the interpreter |
//! | `fork`, `errors` | refusing forked children; raising `theus_nb.errors` |

// Arguments of Python methods arrive by value, extracted for this one call.
#![allow(clippy::needless_pass_by_value)]

mod abandoned;
mod access;
mod admit;
mod attempts;
mod audit;
mod begin;
mod bridge;
mod callbacks;
mod context;
mod cpu;
mod definition;
mod detail;
mod engine;
mod errors;
mod feed;
mod files;
mod fingerprint;
mod finish;
mod fork;
mod future;
mod handle;
mod here;
mod inspect;
mod interrupt;
mod interval;
mod lane;
mod layout;
mod outcome;
mod queue;
mod recording;
mod replace;
mod run;
mod runtime;
mod signals;
mod store;
mod ticket;
mod unseen;
mod verify;
mod versions;
mod waiter;
mod wakeup;
mod watch;

use pyo3::prelude::*;

#[pymodule]
fn _core(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<access::Access>()?;
    module.add_class::<audit::AuditLog>()?;
    module.add_class::<bridge::Bridge>()?;
    module.add_class::<context::Branch>()?;
    module.add_class::<context::Context>()?;
    module.add_class::<engine::Engine>()?;
    module.add_class::<definition::Known>()?;
    module.add_class::<feed::Feed>()?;
    module.add_class::<files::DraftFile>()?;
    module.add_class::<files::FileWriter>()?;
    module.add_class::<files::StagedFile>()?;
    module.add_class::<lane::Lane>()?;
    module.add_class::<queue::WorkQueue>()?;
    module.add_class::<run::Run>()?;
    module.add_class::<signals::SignalHub>()?;
    module.add_class::<signals::Subscription>()?;
    module.add_class::<ticket::Ticket>()?;
    module.add_class::<waiter::Waiter>()?;
    module.add_function(wrap_pyfunction!(verify::verify_logs, module)?)?;
    fork::watch(module.py(), module)
}
