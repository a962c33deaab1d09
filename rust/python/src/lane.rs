//! A worker thread's own end of the queue: it waits for the next run and marks it running.

use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use pyo3::intern;
use pyo3::prelude::*;
use theus_core::span::Status;

use crate::access::Access;
use crate::begin;
use crate::queue::WorkQueue;
use crate::run::{Lane as RunLane, Run};

/// One worker thread's end of a queue.
#[pyclass(frozen, weakref, module = "theus_nb._core")]
pub struct Lane {
    queue: Py<WorkQueue>,
    label: Arc<str>,
    /// When this thread last took the interpreter after having let it go.
    attached: Mutex<Instant>,
    /// The run this thread executes, and the runs that it executes inside of its body.
    pub running: Mutex<Vec<Py<Run>>>,
    /// The interpreter's number for the thread that serves this lane; 0 until it has come.
    pub thread: AtomicU64,
    /// An exception was raised in this thread from outside, and may be pending still.
    pub disturbed: AtomicBool,
}

/// How long a thread may go on taking runs without letting the interpreter go.
const HOLD: Duration = Duration::from_micros(500);

/// `Context.run`, the run, its process, `(args, kwargs, setup)` if there are any, and the run's
/// access if it could be made at once: all that a worker needs to know, in one crossing.
type Job = (
    Py<PyAny>,
    Py<Run>,
    Py<PyAny>,
    Option<Py<PyAny>>,
    Option<Py<Access>>,
);

#[pymethods]
impl Lane {
    #[new]
    fn new(py: Python<'_>, queue: Py<WorkQueue>) -> Self {
        let me = queue.bind(py).get();
        Self {
            label: me.next_label(),
            queue,
            attached: Mutex::new(Instant::now()),
            running: Mutex::new(Vec::new()),
            thread: AtomicU64::new(0),
            disturbed: AtomicBool::new(false),
        }
    }

    /// Name of the lane, as the timeline shows it.
    #[getter]
    fn name(&self) -> &str {
        &self.label
    }

    /// The queue this lane serves.
    #[getter]
    fn queue(&self, py: Python<'_>) -> Py<WorkQueue> {
        self.queue.clone_ref(py)
    }

    /// Waits for the next run and marks it running; None when it is time to leave. The
    /// interpreter is free while waiting.
    fn take(&self, py: Python<'_>) -> PyResult<Option<Job>> {
        self.settle_in(py)?;
        if let Some(run) = self.clear(py) {
            let abandoned = {
                let mut state = run.get().state();
                state.stop_cpu(); // its commit is up to the loop
                state.status == Status::Abandoned
            };
            if abandoned {
                // Given up long ago, and its place taken by another.
                self.queue.get().returned(run.get().number());
            }
        }
        loop {
            // Asked before letting the interpreter go: while it shuts down, a thread that comes
            // back for it is unwound from outside, and must not be below a Rust frame then.
            if self.queue.get().is_closed() {
                return Ok(None);
            }
            let (run, free) = match self.next_at_once() {
                Some(run) => (Some(run), None),
                None => py.detach(|| (self.queue.get().next_run(), Some(Instant::now()))),
            };
            let Some(run) = run else {
                return Ok(None);
            };
            let waited = free.map_or(Duration::ZERO, |free| free.elapsed());
            self.queue.get().hold_interval(py);
            // A run that was cancelled in the queue has an outcome already: nothing to do.
            if !run.get().start_on(&self.label, waited) {
                continue;
            }
            let RunLane::Worker { start, .. } = &run.get().lane else {
                continue;
            };
            let start = start.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some((context, parent)) = start {
                // Made now and not at submission: thousands of queued runs are fewer objects then.
                let enter = context.getattr(py, intern!(py, "run"))?;
                let held = run.clone_ref(py);
                self.running().push(held);
                let process = run.get().process.clone_ref(py);
                let call = run.get().state().call.take();
                let access = begin_at_once(py, &run, parent)?;
                return Ok(Some((enter, run, process, call, access)));
            }
        }
    }
}

/// The access of a run whose inputs are there and need no guarding, if the log has room for it. What is left is done by the
/// body's own thread in Python: a thread that runs Python below a Rust frame must not be unwound.
fn begin_at_once(
    py: Python<'_>,
    run: &Py<Run>,
    parent: Option<Py<Access>>,
) -> PyResult<Option<Py<Access>>> {
    if run.get().engine.get().must_wait() {
        return Ok(None);
    }
    match begin::start(run.get().engine.bind(py), run.bind(py)) {
        Ok(given) if given.plain && given.missing.is_none() => {
            let access = Access::new(run.clone_ref(py), parent, given.reads);
            Py::new(py, access).map(Some)
        }
        // Done again there, and raised there.
        _ => Ok(None),
    }
}

impl Lane {
    /// Takes a run without letting the interpreter go, if this thread took it only just now.
    ///
    /// A thread that lets go after every run hands over to the loop and back each time, which
    /// costs more than a short body. Bounded, because the loop waits meanwhile.
    fn next_at_once(&self) -> Option<Py<Run>> {
        let mut since = self.attached.lock().unwrap_or_else(PoisonError::into_inner);
        if since.elapsed() < HOLD {
            return self.queue.get().pop();
        }
        *since = Instant::now();
        None
    }
}

impl Run {
    /// Marks a queued run as running on a lane; false if it has been ended meanwhile.
    fn start_on(&self, lane: &Arc<str>, waited: Duration) -> bool {
        let now = self.now();
        let mut state = self.state();
        if state.outcome.is_some() || state.status != Status::Queued {
            return false;
        }
        state.status = Status::Running;
        state.started = now;
        state.lane_label = Some(Arc::clone(lane));
        state.waited = u64::try_from(waited.as_nanos()).ok();
        state.cpu_start = self.definition().and_then(|d| d.clock.start());
        true
    }
}
