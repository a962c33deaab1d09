//! A run takes the place of an earlier one that has not ended: a background cell executed again.

use std::sync::Mutex;

use pyo3::prelude::*;

use crate::admit;
use crate::bridge::Bridge;
use crate::definition::Known;
use crate::engine::Engine;
use crate::here::copy_context;
use crate::queue::WorkQueue;
use crate::run::{Lane, Run};

#[pymethods]
impl Engine {
    /// Submits a run that takes the place of an unfinished one, which the caller then cancels.
    ///
    /// Args:
    ///     old: the run whose place is taken; if it has ended, this is an ordinary submission.
    ///     definition: what `define` returned.
    ///     process: the process object, kept by the run.
    ///     bridge: leads to the loop on which the outcome is delivered.
    ///     queue: the workers to run it; None if the caller executes it on the loop.
    ///     call: `(args, kwargs, setup)` for a worker, or None.
    #[allow(clippy::too_many_arguments)] // one crossing of the boundary instead of two
    fn replace(
        slf: &Bound<'_, Self>,
        old: PyRef<'_, Run>,
        definition: PyRef<'_, Known>,
        process: Py<PyAny>,
        bridge: Py<Bridge>,
        queue: Option<Py<WorkQueue>>,
        call: Option<Py<PyAny>>,
    ) -> PyResult<Py<Run>> {
        let lane = match queue {
            Some(queue) => {
                queue.get().check(slf.py())?;
                let start = Mutex::new(Some((copy_context(slf.py())?, None)));
                Lane::Worker { queue, start }
            }
            None => Lane::Loop,
        };
        let run = Self::new_run(slf, process, bridge, lane, call, None)?;
        let number = Some(old.number());
        admit::admit_at(slf, &definition.0, &run, None, false, number)?;
        Ok(run.unbind())
    }
}
