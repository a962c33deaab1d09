//! The engine: one session's scheduler, its unfinished runs and its records, under one lock.
//!
//! Every method follows one pattern: build the Python objects, take the lock, change everything,
//! release it, then act on the effects (queue what became ready, settle what was doomed, drop
//! old values). No Python code runs under the lock: making an object may start the collector,
//! and a finalizer may call back in here.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};
use theus_core::feed::Feed;
use theus_core::span::Spans;
use theus_core::{Access, ContractId, NodeId, Scheduler, Ticket};

use crate::bridge::Bridge;
use crate::errors::theus_error;
use crate::here::copy_context;
use crate::queue::WorkQueue;
use crate::run::{Lane, Run};
use crate::{admit, feed, finish, fork, store};

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

/// A process as the scheduler knows it.
pub struct Definition {
    pub name: Arc<str>,
    pub source_hash: Box<str>,
    pub contract: ContractId,
    /// Input paths in declared order, and whether each is optional.
    pub inputs: Vec<(Arc<str>, Py<PyString>, bool)>,
    /// Output paths with the scheduler's numbers for them.
    pub outputs: Vec<(Py<PyString>, NodeId)>,
}

/// What `define` returns; a process keeps it, and it goes with the process.
#[pyclass(frozen, name = "Definition", module = "theus_nb._core")]
pub struct Known(Arc<Definition>);

pub struct Core {
    pub scheduler: Scheduler<Value>,
    /// Unfinished runs. Whoever removes a run from here ends it; nobody else may.
    pub runs: HashMap<u64, Entry>,
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
    /// Context variable holding the context of the process we are in.
    pub current: Py<PyAny>,
    began: Instant,
    made_in: u32,
    loop_label: Arc<str>,
    /// Names assignments outside of runs in the records.
    pub state_label: Arc<str>,
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
        Ok(())
    }

    /// A waiter went away before its run ended.
    pub fn forget_wait(&self, waiter: u64, target: u64) {
        self.core()
            .scheduler
            .await_end(Ticket(waiter), Ticket(target));
    }
}

#[pymethods]
impl Engine {
    /// Args:
    ///     hooks: the Python side of the engine.
    ///     current: the context variable that holds the running process's context.
    ///     records: how many finished runs to remember.
    #[new]
    fn new(hooks: Py<PyAny>, current: Py<PyAny>, records: usize) -> Self {
        Self {
            core: Mutex::new(Core {
                scheduler: Scheduler::new(),
                runs: HashMap::new(),
                spans: Spans::new(records),
                closed: false,
            }),
            feed: Feed::new(feed::CHANGES),
            hooks,
            current,
            began: Instant::now(),
            made_in: fork::generation(),
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
    fn define(
        &self,
        py: Python<'_>,
        name: &str,
        source_hash: &str,
        inputs: Vec<(String, bool)>,
        outputs: Vec<(String, bool)>,
    ) -> PyResult<Known> {
        self.check(py)?;
        let access = |(path, optional): &(String, bool)| Access {
            path: path.clone(),
            optional: *optional,
        };
        let reads: Vec<_> = inputs.iter().map(access).collect();
        let writes: Vec<_> = outputs.iter().map(access).collect();
        let keys = inputs
            .into_iter()
            .map(|(path, optional)| {
                (
                    path.as_str().into(),
                    PyString::new(py, &path).unbind(),
                    optional,
                )
            })
            .collect();
        let paths: Vec<_> = writes
            .iter()
            .map(|a| PyString::new(py, &a.path).unbind())
            .collect();
        let mut core = self.core();
        let contract = core.scheduler.compile(&reads, &writes);
        let nodes: Vec<_> = writes
            .iter()
            .map(|a| core.scheduler.node(&a.path))
            .collect();
        Ok(Known(Arc::new(Definition {
            name: name.into(),
            source_hash: source_hash.into(),
            contract,
            inputs: keys,
            outputs: paths.into_iter().zip(nodes).collect(),
        })))
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
    ///     parent: the run in whose body we are.
    #[allow(clippy::too_many_arguments)] // one crossing of the boundary instead of two
    fn submit(
        slf: &Bound<'_, Self>,
        definition: PyRef<'_, Known>,
        process: Py<PyAny>,
        bridge: Py<Bridge>,
        queue: Py<WorkQueue>,
        call: Option<Py<PyAny>>,
        parent: Option<PyRef<'_, Run>>,
    ) -> PyResult<Py<Run>> {
        let context = Mutex::new(Some(copy_context(slf.py())?));
        let lane = Lane::Worker { queue, context };
        let run = Self::new_run(slf, process, bridge, lane, call, None)?;
        admit::admit(slf, &definition.0, &run, parent.map(|p| p.number()), false)?;
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
    ///     parent: the run in whose body we are.
    ///     awaited: whether the parent waits for the new run.
    ///     lane: name of the worker lane whose thread executes it, if it is not the loop.
    ///
    /// Returns:
    ///     The run, whether it was started, and then its inputs as from `begin`.
    #[allow(clippy::too_many_arguments)] // one crossing of the boundary instead of three
    fn admit(
        slf: &Bound<'_, Self>,
        definition: PyRef<'_, Known>,
        process: Py<PyAny>,
        bridge: Py<Bridge>,
        task: Option<Py<PyAny>>,
        parent: Option<PyRef<'_, Run>>,
        awaited: bool,
        lane: Option<&str>,
    ) -> PyResult<(Py<Run>, bool, Option<Py<PyDict>>)> {
        let run = Self::new_run(slf, process, bridge, Lane::Loop, None, task)?;
        run.get().state().lane_label = lane.map(Into::into);
        admit::admit(
            slf,
            &definition.0,
            &run,
            parent.map(|p| p.number()),
            awaited,
        )?;
        let (ready, submitted) = {
            let state = run.get().state();
            (state.ready, state.submitted)
        };
        if !ready {
            return Ok((run.unbind(), false, None));
        }
        if run
            .get()
            .definition()
            .is_some_and(|known| known.inputs.is_empty())
        {
            // Nothing to be bound, and nothing the scheduler would have to know about the start.
            run.get().started_here(submitted);
            run.get().feed(None);
            return Ok((run.unbind(), true, None));
        }
        match finish::begin(slf, &run) {
            Ok(inputs) => Ok((run.unbind(), true, inputs)),
            Err(error) => {
                // The handle tells, as it does for a run that had to wait first.
                let error = error.into_value(slf.py()).into_bound(slf.py());
                finish::fail(slf, &run, error.as_any(), awaited)?;
                Ok((run.unbind(), false, None))
            }
        }
    }

    /// Starts a ready run: the values of its inputs, by path. Inputs never written are left out.
    ///
    /// Raises:
    ///     `MissingInputError`: a required input was never written (made by the hooks).
    fn begin(slf: &Bound<'_, Self>, run: &Bound<'_, Run>) -> PyResult<Option<Py<PyDict>>> {
        finish::begin(slf, run)
    }

    /// Commits a run and ends it. False if it had been ended meanwhile: nothing was committed.
    #[pyo3(signature = (run, value, writes = None))]
    fn finish(
        slf: &Bound<'_, Self>,
        run: &Bound<'_, Run>,
        value: Py<PyAny>,
        writes: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<bool> {
        finish::commit(slf, run, value, writes)
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
    fn new_run<'py>(
        slf: &Bound<'py, Self>,
        process: Py<PyAny>,
        bridge: Py<Bridge>,
        lane: Lane,
        call: Option<Py<PyAny>>,
        task: Option<Py<PyAny>>,
    ) -> PyResult<Bound<'py, Run>> {
        let now = slf.get().now();
        let engine = slf.clone().unbind();
        Bound::new(
            slf.py(),
            Run::new(engine, process, bridge, lane, call, task, now),
        )
    }
}
