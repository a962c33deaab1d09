//! The queue in front of worker threads, and a thread's own end of it.
//!
//! The thread's loop is written in Python: a daemon thread that runs Python below a Rust frame
//! brings the process down when the interpreter exits, because its stack is unwound from outside.
//! Here only the waiting happens.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use pyo3::intern;
use pyo3::prelude::*;
use theus_core::span::Status;

use crate::fork;
use crate::run::{Lane as RunLane, Run};

struct Jobs {
    runs: VecDeque<Py<Run>>,
    /// Threads parked in `take`.
    idle: usize,
    /// Threads that exist, parked or busy.
    threads: usize,
    /// How many threads there may be; grows while some of them block on other runs.
    limit: usize,
    /// Numbers threads for their lanes' names.
    born: u32,
    closed: bool,
}

impl Jobs {
    /// Counts one more thread in, if there may be one; the caller starts it after the lock.
    fn reserve_thread(&mut self) -> bool {
        let wanted = self.threads < self.limit && !self.closed;
        if wanted {
            self.threads += 1;
        }
        wanted
    }
}

/// Runs that are ready, for the threads of one kind of lane.
#[pyclass(frozen, module = "theus_nb._core")]
pub struct WorkQueue {
    name: String,
    single: bool,
    /// `spawn(queue)` starts one more thread; called without any lock held.
    spawn: Py<PyAny>,
    made_in: u32,
    jobs: Mutex<Jobs>,
    arrived: Condvar,
}

impl WorkQueue {
    fn jobs(&self) -> MutexGuard<'_, Jobs> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a run at the end of the queue and sees to it that a thread comes for it.
    pub fn push(slf: &Bound<'_, Self>, run: Py<Run>) -> PyResult<()> {
        let me = slf.get();
        let spawn = {
            let mut jobs = me.jobs();
            jobs.runs.push_back(run);
            if jobs.runs.len() <= jobs.idle {
                me.arrived.notify_one();
                false
            } else {
                // Every idle thread has been called for an earlier run already.
                jobs.reserve_thread()
            }
        };
        if spawn {
            Self::spawn_thread(slf)
        } else {
            Ok(())
        }
    }

    fn spawn_thread(slf: &Bound<'_, Self>) -> PyResult<()> {
        let me = slf.get();
        let started = me.spawn.call1(slf.py(), (slf,));
        if started.is_err() {
            me.jobs().threads -= 1;
        }
        started.map(drop)
    }
}

#[pymethods]
impl WorkQueue {
    #[new]
    #[pyo3(signature = (name, limit, spawn))]
    fn new(name: String, limit: usize, spawn: Py<PyAny>) -> Self {
        Self {
            single: limit == 1,
            name,
            spawn,
            made_in: fork::generation(),
            jobs: Mutex::new(Jobs {
                runs: VecDeque::new(),
                idle: 0,
                threads: 0,
                limit,
                born: 0,
                closed: false,
            }),
            arrived: Condvar::new(),
        }
    }

    /// A thread of this queue is about to block on another run: it may be replaced meanwhile.
    pub fn block(slf: &Bound<'_, Self>) -> PyResult<()> {
        let me = slf.get();
        let spawn = {
            let mut jobs = me.jobs();
            jobs.limit += 1;
            jobs.idle == 0 && !jobs.runs.is_empty() && jobs.reserve_thread()
        };
        if spawn {
            Self::spawn_thread(slf)
        } else {
            Ok(())
        }
    }

    /// The thread goes on: one thread too many leaves when it has nothing to do.
    fn unblock(&self) {
        let mut jobs = self.jobs();
        jobs.limit -= 1;
        if jobs.threads > jobs.limit {
            self.arrived.notify_one();
        }
    }

    /// Lets idle threads leave and refuses new ones; runs still queued are returned.
    fn close(&self) -> Vec<Py<Run>> {
        let mut jobs = self.jobs();
        jobs.closed = true;
        self.arrived.notify_all();
        jobs.runs.drain(..).collect()
    }

    /// Threads that exist, busy or idle.
    #[getter]
    fn threads(&self) -> usize {
        self.jobs().threads
    }

    /// How many threads there may be at present.
    #[getter]
    fn limit(&self) -> usize {
        self.jobs().limit
    }

    #[setter]
    fn set_limit(&self, limit: usize) {
        self.jobs().limit = limit;
    }
}

/// One worker thread's end of a queue.
#[pyclass(frozen, module = "theus_nb._core")]
pub struct Lane {
    queue: Py<WorkQueue>,
    label: Arc<str>,
    /// When this thread last took the interpreter after having let it go.
    attached: Mutex<Instant>,
    /// The run this thread executes.
    running: Mutex<Option<Py<Run>>>,
}

/// How long a thread may go on taking runs without letting the interpreter go.
const HOLD: Duration = Duration::from_micros(500);

/// `Context.run`, the run, its process, and `(args, kwargs, setup)` if there are any: all that a
/// worker needs to know, in one crossing.
type Job = (Py<PyAny>, Py<Run>, Py<PyAny>, Option<Py<PyAny>>);

#[pymethods]
impl Lane {
    #[new]
    fn new(py: Python<'_>, queue: Py<WorkQueue>) -> Self {
        let me = queue.bind(py).get();
        let label = {
            let mut jobs = me.jobs();
            jobs.born += 1;
            if me.single {
                me.name.clone()
            } else {
                format!("{} {}", me.name, jobs.born)
            }
        };
        Self {
            label: label.into(),
            queue,
            attached: Mutex::new(Instant::now()),
            running: Mutex::new(None),
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
        let last = self
            .running
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if last.is_some_and(|run| run.get().state().status == Status::Abandoned) {
            self.queue.get().unblock(); // given up long ago, and its place taken by another
        }
        loop {
            // Asked before letting the interpreter go: while it shuts down, a thread that comes
            // back for it is unwound from outside, and must not be below a Rust frame then.
            if self.queue.get().jobs().closed {
                return Ok(None);
            }
            let Some(run) = self
                .next_at_once()
                .or_else(|| py.detach(|| self.next_run()))
            else {
                return Ok(None);
            };
            // A run that was cancelled in the queue has an outcome already: nothing to do.
            if !run.get().start_on(&self.label) {
                continue;
            }
            run.get().feed(None);
            let RunLane::Worker { context, .. } = &run.get().lane else {
                continue;
            };
            let context = context
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take();
            if let Some(context) = context {
                // Made now and not at submission: thousands of queued runs are fewer objects then.
                let enter = context.getattr(py, intern!(py, "run"))?;
                let held = run.clone_ref(py);
                *self.running.lock().unwrap_or_else(PoisonError::into_inner) = Some(held);
                let process = run.get().process.clone_ref(py);
                let call = run.get().state().call.take();
                return Ok(Some((enter, run, process, call)));
            }
        }
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
            return self.queue.get().jobs().runs.pop_front();
        }
        *since = Instant::now();
        None
    }

    fn next_run(&self) -> Option<Py<Run>> {
        let queue = self.queue.get();
        // A forked child has no other threads, and its copy of the lock may be held for ever.
        if queue.made_in != fork::generation() {
            return None;
        }
        let mut jobs = queue.jobs();
        loop {
            if jobs.closed || jobs.threads > jobs.limit {
                jobs.threads = jobs.threads.saturating_sub(1);
                return None;
            }
            if let Some(run) = jobs.runs.pop_front() {
                return Some(run);
            }
            jobs.idle += 1;
            jobs = queue
                .arrived
                .wait(jobs)
                .unwrap_or_else(PoisonError::into_inner);
            jobs.idle -= 1;
        }
    }
}

impl Run {
    /// Marks a queued run as running on a lane; false if it has been ended meanwhile.
    fn start_on(&self, lane: &Arc<str>) -> bool {
        let now = self.now();
        let mut state = self.state();
        if state.outcome.is_some() || state.status != Status::Queued {
            return false;
        }
        state.status = Status::Running;
        state.started = now;
        state.lane_label = Some(Arc::clone(lane));
        true
    }
}
