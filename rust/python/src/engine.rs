//! The engine: one session's scheduler, its unfinished runs and its records, under one lock.
//!
//! Every method follows one pattern: build the Python objects, take the lock, change everything,
//! release it, then act on the effects (queue what became ready, settle what was doomed, drop
//! old values). No Python code runs under the lock: making an object may start the collector,
//! and a finalizer may call back in here.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use theus_core::feed::Feed;
use theus_core::span::Spans;
use theus_core::{NumberHasher, Scheduler};

use crate::access::Access;
use crate::audit::AuditLog;
use crate::begin::Given;
use crate::bridge::Bridge;
use crate::definition::{Definition, Known};
use crate::errors::theus_error;
use crate::here::copy_context;
use crate::queue::WorkQueue;
use crate::run::{Lane, Run};
use crate::watch::Watching;
use crate::{admit, begin, feed, finish, fork, store};

/// A value of the session's state: shared, so that a reader costs one atomic increment and no
/// interpreter lock.
pub type Value = Arc<Held>;

/// A Python object in the state, and where it came from.
pub struct Held {
    pub object: Py<PyAny>,
    /// None for what was assigned outside of any run, and for the causes of failures.
    pub origin: Option<Arc<Origin>>,
}

/// What the values of one commit have in common.
pub struct Origin {
    pub definition: Arc<Definition>,
    pub run: u64,
    pub at: u64,
    /// Versions of the inputs the run was given: path, version.
    pub reads: Vec<(Arc<str>, u64)>,
}

pub struct Core {
    pub scheduler: Scheduler<Value>,
    /// Unfinished runs. Whoever removes a run from here ends it; nobody else may.
    pub runs: HashMap<u64, Entry, BuildHasherDefault<NumberHasher>>,
    pub spans: Spans,
    pub closed: bool,
}

/// An unfinished run, held strongly: a started run must not vanish because nobody kept it.
pub struct Entry {
    pub run: Py<Run>,
    pub definition: Arc<Definition>,
    pub parent: Option<u64>,
    /// What the run was given when it began.
    pub reads: Vec<(Arc<str>, u64)>,
}

/// Orders, records and ends the runs of one session.
#[pyclass(frozen, weakref, module = "theus_nb._core")]
pub struct Engine {
    core: Mutex<Core>,
    /// What the timeline reads.
    pub feed: Feed,
    /// The Python side: makes exceptions, finds bridges, commits on the loop's thread.
    pub hooks: Py<PyAny>,
    /// Returns the access of the process we are in, or None.
    pub current: Py<PyAny>,
    pub began: Instant,
    pub made_in: u32,
    pub watching: Watching,
    loop_label: Arc<str>,
    /// Names assignments outside of runs in the records.
    pub state_label: Arc<str>,
    /// Where everything is recorded for good, if it is.
    pub audit: Option<Py<AuditLog>>,
}

impl Engine {
    pub fn core(&self) -> MutexGuard<'_, Core> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nanoseconds since the session began; never 0, which means "not yet".
    pub fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_nanos())
            .unwrap_or(u64::MAX)
            .max(1)
    }

    /// The name of the loop's lane.
    pub fn loop_label(&self) -> Arc<str> {
        Arc::clone(&self.loop_label)
    }

    /// Refuses a forked child and a closed session.
    pub fn check(&self, py: Python<'_>) -> PyResult<()> {
        fork::check(py, self.made_in)?;
        if self.core().closed {
            let message = "the session is closed: make a new Session(), or reload the extension";
            return Err(theus_error(py, "SessionClosedError", message));
        }
        self.check_audit(py)
    }
}

#[pymethods]
impl Engine {
    /// Args:
    ///     hooks: the Python side of the engine.
    ///     current: returns the access of the process we are in, or None.
    ///     records: how many finished runs to remember.
    ///     audit: where to record them for good.
    #[new]
    #[pyo3(signature = (hooks, current, records, audit = None))]
    fn new(
        hooks: Py<PyAny>,
        current: Py<PyAny>,
        records: usize,
        audit: Option<Py<AuditLog>>,
    ) -> Self {
        Self {
            core: Mutex::new(Core {
                scheduler: Scheduler::new(),
                runs: HashMap::default(),
                spans: Spans::new(records),
                closed: false,
            }),
            feed: Feed::new(feed::CHANGES),
            hooks,
            current,
            // One clock for both, so that times in the log and in the records are the same.
            began: audit
                .as_ref()
                .map_or_else(Instant::now, |audit| audit.get().began),
            audit,
            made_in: fork::generation(),
            watching: Watching::new(),
            loop_label: "loop".into(),
            state_label: "theus.state".into(),
        }
    }

    /// Makes a process known; what is returned stands for it.
    ///
    /// Args:
    ///     name: the process's name, for the records.
    ///     `source_hash`: of the process's source, for provenance.
    ///     inputs: `(path, optional)` in declared order.
    ///     outputs: likewise.
    ///     function: what it returns is laid over its outputs (a cell's value is not).
    ///     gated: its runs take turns, see the hooks `arrive` and `leave`.
    #[allow(clippy::too_many_arguments)] // the fields of a definition
    fn define(
        &self,
        py: Python<'_>,
        name: &str,
        source_hash: &str,
        inputs: Vec<(String, bool)>,
        outputs: Vec<(String, bool)>,
        function: bool,
        gated: bool,
    ) -> PyResult<Known> {
        self.check(py)?;
        let names = (name, source_hash);
        let known = Definition::new(py, self, names, inputs, outputs, (function, gated));
        Ok(Known(Arc::new(known)))
    }

    /// Submits a run to a queue of worker threads.
    ///
    /// Args:
    ///     definition: what `define` returned.
    ///     process: the process object, kept by the run.
    ///     bridge: leads to the loop on which the outcome is delivered.
    ///     queue: the workers to run it.
    ///     call: `(args, kwargs, setup)`, or None for none; `setup` is called in the worker
    ///         before the body.
    ///     parent: access of the run in whose body we are.
    #[allow(clippy::too_many_arguments)] // one crossing of the boundary instead of two
    fn submit(
        slf: &Bound<'_, Self>,
        definition: PyRef<'_, Known>,
        process: Py<PyAny>,
        bridge: Py<Bridge>,
        queue: Py<WorkQueue>,
        call: Option<Py<PyAny>>,
        parent: Option<Py<Access>>,
    ) -> PyResult<Py<Run>> {
        queue.get().check(slf.py())?;
        let above = parent
            .as_ref()
            .map(|access| access.get().run().get().number());
        let start = Mutex::new(Some((copy_context(slf.py())?, parent)));
        let lane = Lane::Worker { queue, start };
        let run = Self::new_run(slf, process, bridge, lane, call, None)?;
        admit::admit(slf, &definition.0, &run, above, false)?;
        Ok(run.unbind())
    }

    /// Admits a run that the caller itself executes, on the loop or in its own worker thread,
    /// and starts it if all its inputs are there.
    ///
    /// Args:
    ///     definition: what `define` returned.
    ///     process: the process object, kept by the run.
    ///     bridge: leads to the loop of the caller.
    ///     task: the task in which the body will run; cancelling the run cancels it.
    ///     parent: access of the run in whose body we are.
    ///     awaited: whether the parent waits for the new run.
    ///     lane: name of the worker lane whose thread executes it, if it is not the loop.
    ///
    /// Returns:
    ///     The run's access if it was started; else the run: it waits, its inputs have to be
    ///     guarded, or it has failed already.
    #[allow(clippy::too_many_arguments)] // one crossing of the boundary instead of three
    fn admit(
        slf: &Bound<'_, Self>,
        definition: PyRef<'_, Known>,
        process: Py<PyAny>,
        bridge: Py<Bridge>,
        task: Option<Py<PyAny>>,
        parent: Option<Py<Access>>,
        awaited: bool,
        lane: Option<&str>,
    ) -> PyResult<Py<PyAny>> {
        let py = slf.py();
        let run = Self::new_run(slf, process, bridge, Lane::Loop, None, task)?;
        if let Some(lane) = lane {
            run.get().state().lane_label = Some(lane.into());
        }
        let above = parent
            .as_ref()
            .map(|access| access.get().run().get().number());
        admit::admit(slf, &definition.0, &run, above, awaited)?;
        let (ready, submitted) = {
            let state = run.get().state();
            (state.ready, state.submitted)
        };
        // Where bodies wait for room in the log, the caller sees to that and begins it then.
        if !ready || slf.get().must_wait() {
            return Ok(run.into_any().unbind());
        }
        // Started in the same moment: one look at the clock.
        run.get().started_here(submitted);
        let failure = match begin::start(slf, &run) {
            Ok(Given {
                missing: Some(path),
                ..
            }) => begin::missing(slf, &run, &path),
            Ok(given) if given.plain => {
                let access = Access::new(run.unbind(), parent, given.reads);
                return Ok(Py::new(py, access)?.into_any());
            }
            Ok(_) => return Ok(run.into_any().unbind()),
            Err(error) => error,
        };
        // The handle tells, as it does for a run that had to wait first.
        let error = failure.into_value(py).into_bound(py);
        finish::fail(slf, &run, error.as_any(), awaited)?;
        Ok(run.into_any().unbind())
    }

    /// Starts a ready run: its access, with the values of its inputs as they stand in the state.
    ///
    /// Raises:
    ///     `MissingInputError`: a required input was never written (made by the hooks).
    fn begin(
        slf: &Bound<'_, Self>,
        run: &Bound<'_, Run>,
        parent: Option<Py<Access>>,
    ) -> PyResult<Access> {
        begin::begin(slf, run, parent)
    }

    /// Commits a run and ends it. False if it had been ended meanwhile: nothing was committed.
    #[pyo3(signature = (run, value, writes = None, tell = None))]
    fn finish(
        slf: &Bound<'_, Self>,
        run: &Bound<'_, Run>,
        value: Py<PyAny>,
        writes: Option<&Bound<'_, PyDict>>,
        tell: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<bool> {
        finish::commit(slf, run, value, writes, tell)
    }

    /// Ends a run with an exception: it commits nothing, its required outputs are failed.
    #[pyo3(signature = (run, error, *, reported = false))]
    fn fail(
        slf: &Bound<'_, Self>,
        run: &Bound<'_, Run>,
        error: &Bound<'_, PyAny>,
        reported: bool,
    ) -> PyResult<bool> {
        finish::fail(slf, run, error, reported)
    }

    /// Ends a run whose body was stopped by a cancellation.
    fn cancelled(slf: &Bound<'_, Self>, run: &Bound<'_, Run>) -> PyResult<bool> {
        finish::cancelled(slf, run)
    }

    /// Takes a run back that never started, as if it had not been submitted.
    fn withdraw(
        slf: &Bound<'_, Self>,
        run: &Bound<'_, Run>,
        error: &Bound<'_, PyAny>,
    ) -> PyResult<bool> {
        finish::withdraw(slf, run, error)
    }

    /// Publishes values in the middle of a run; readers that wait for them go on.
    fn publish(
        slf: &Bound<'_, Self>,
        run: &Bound<'_, Run>,
        writes: &Bound<'_, PyDict>,
    ) -> PyResult<u64> {
        finish::publish(slf, run, writes)
    }

    /// Writes (or, without a value, removes) a path outside of any run.
    #[pyo3(signature = (path, value = None, *, remove = false))]
    fn put(
        slf: &Bound<'_, Self>,
        path: &str,
        value: Option<Py<PyAny>>,
        remove: bool,
    ) -> PyResult<u64> {
        store::put(slf, path, value, remove)
    }

    /// Refuses everything from here on. Unfinished runs can still end.
    fn close(&self) {
        self.core().closed = true;
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.hooks)?;
        visit.call(&self.current)?;
        self.watching.traverse(&visit)?;
        // See Waiter: a lock held by this very thread only postpones the collection.
        let Ok(core) = self.core.try_lock() else {
            return Ok(());
        };
        for entry in core.runs.values() {
            visit.call(&entry.run)?;
        }
        Ok(())
    }
}

impl Engine {
    pub fn new_run<'py>(
        slf: &Bound<'py, Self>,
        process: Py<PyAny>,
        bridge: Py<Bridge>,
        lane: Lane,
        call: Option<Py<PyAny>>,
        task: Option<Py<PyAny>>,
    ) -> PyResult<Bound<'py, Run>> {
        let now = slf.get().now();
        let engine = slf.clone().unbind();
        let (logged, from_cell) = slf.get().room();
        Bound::new(
            slf.py(),
            Run::new(
                engine, process, bridge, lane, call, task, now, logged, from_cell,
            ),
        )
    }
}
