//! The proof of an audit log, for Python.

use std::path::PathBuf;

use pyo3::prelude::*;
use pyo3::types::PyDict;
use theus_core::audit::checkpoint::Checkpoint;
use theus_core::audit::report::{Place, Report, Unreadable};
use theus_core::audit::verify::{Options, to_hex, verify};

use crate::errors::{run_error, theus_error};
use crate::run::Run;

#[pyfunction]
#[pyo3(signature = (path, *, key, checkpoints, run = None))]
pub fn verify_logs(
    py: Python<'_>,
    path: PathBuf,
    key: Option<Vec<u8>>,
    checkpoints: Option<String>,
    run: Option<Py<Run>>,
) -> PyResult<Vec<Bound<'_, PyDict>>> {
    // Signals are the main thread's.
    let main = py.import("threading")?.call_method0("main_thread")?;
    let ident: u64 = main.getattr("ident")?.extract()?;
    let here: u64 = py
        .import("threading")?
        .call_method0("get_ident")?
        .extract()?;
    let must_stop = || run.as_ref().is_some_and(|run| run.get().must_stop());
    let mut interrupt = None;
    let mut stopped = false;
    let mut go_on = || {
        if ident == here {
            interrupt = Python::attach(|py| py.check_signals().err());
        }
        stopped = must_stop();
        interrupt.is_none() && !stopped
    };
    let work = || -> Result<Vec<Report>, Unreadable> {
        let checkpoints = match checkpoints {
            Some(text) => Checkpoint::read_all(&text)?,
            None => Vec::new(),
        };
        verify(
            &path,
            &Options {
                key,
                checkpoints,
                threads: 0,
            },
            &mut go_on,
        )
    };
    let judged = py.detach(work);
    if let Some(interrupt) = interrupt {
        return Err(interrupt);
    }
    if let (true, Some(run)) = (stopped, &run) {
        let run = run.get();
        run.tell(py)?;
        let (name, number) = (run.name(py), run.number());
        let message = format!("run r{number} of '{name}' was cancelled while it verified a log");
        return Err(run_error(
            py,
            "RunCancelledError",
            &message,
            &name,
            Some(number),
        ));
    }
    let reports = judged.map_err(|e| theus_error(py, "UnreadableLogError", &e.to_string()))?;
    reports
        .into_iter()
        .map(|report| to_dict(py, report))
        .collect()
}

fn flat(place: Place) -> (String, u64, u64) {
    (place.segment, place.line, place.offset)
}

fn to_dict(py: Python<'_>, report: Report) -> PyResult<Bound<'_, PyDict>> {
    let fields = PyDict::new(py);
    let head = report
        .head
        .map(|head| (head.seq, to_hex(&head.hash), head.segment));
    let torn = report.torn.map(|torn| (torn.seq, flat(torn.place)));
    let problem = report.problem.map(|problem| {
        (
            problem.fault.word(),
            problem.seq,
            flat(problem.place),
            problem.text,
        )
    });
    let unfinished = report.unfinished.into_iter();
    let unfinished: Vec<_> = unfinished
        .map(|open| (open.seq, open.run, open.files))
        .collect();
    fields.set_item("log", report.log)?;
    fields.set_item("entries", report.entries)?;
    fields.set_item("head", head)?;
    fields.set_item("segments", report.segments)?;
    fields.set_item("keyed", report.keyed)?;
    fields.set_item("ended", report.ended)?;
    fields.set_item("synced", report.synced)?;
    fields.set_item("problem", problem)?;
    fields.set_item("torn", torn)?;
    fields.set_item("unfinished", unfinished)?;
    fields.set_item("confirmed", report.confirmed)?;
    fields.set_item("pruned", report.pruned)?;
    fields.set_item("unreadable", report.unreadable)?;
    Ok(fields)
}
