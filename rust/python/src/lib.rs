//! `theus_nb._core`: the thin Python face of `theus_core`.
//!
//! | module | idea |
//! |---|---|
//! | `engine` | one session: scheduler, unfinished runs, records, one lock |
//! | `admit`, `finish`, `store`, `inspect` | what the engine's methods do: begin, end, look |
//! | `run`, `handle`, `future` | one execution: its life, what users see, the future protocol |
//! | `waiter`, `outcome`, `callbacks` | what awaiting it involves |
//! | `versions` | between Python's dicts and the scheduler's versions |
//! | `here` | on which loop, in which context the calling code is |
//! | `bridge`, `wakeup` | completions on their way to an event loop |
//! | `queue` | worker threads and what they wait on |
//! | `files`, `ticket`, `runtime` | complete files; an operation's result on its way back; tokio's thread |
//! | `signals` | the signal hub |
//! | `fork`, `errors` | refusing forked children; raising `theus_nb.errors` |

// Arguments of Python methods arrive by value, extracted for this one call.
#![allow(clippy::needless_pass_by_value)]

mod admit;
mod bridge;
mod callbacks;
mod engine;
mod errors;
mod files;
mod finish;
mod fork;
mod future;
mod handle;
mod here;
mod inspect;
mod outcome;
mod queue;
mod run;
mod runtime;
mod signals;
mod store;
mod ticket;
mod versions;
mod waiter;
mod wakeup;

use pyo3::prelude::*;

#[pymodule]
fn _core(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<bridge::Bridge>()?;
    module.add_class::<engine::Engine>()?;
    module.add_class::<engine::Known>()?;
    module.add_class::<files::DraftFile>()?;
    module.add_class::<files::FileWriter>()?;
    module.add_class::<files::StagedFile>()?;
    module.add_class::<queue::Lane>()?;
    module.add_class::<queue::WorkQueue>()?;
    module.add_class::<run::Run>()?;
    module.add_class::<signals::SignalHub>()?;
    module.add_class::<signals::Subscription>()?;
    module.add_class::<ticket::Ticket>()?;
    module.add_class::<waiter::Waiter>()?;
    fork::watch(module.py(), module)
}
