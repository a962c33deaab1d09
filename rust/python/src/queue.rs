//! The queue in front of worker threads.
//!
//! A thread's loop is written in Python: a daemon thread that runs Python below a Rust frame
//! brings the process down when the interpreter exits, because its stack is unwound from outside.
//! Here only the waiting happens.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use pyo3::prelude::*;

use crate::run::Run;
use crate::{fork, interval};

pub struct Jobs {
    runs: VecDeque<Py<Run>>,
    /// Threads parked in `take`.
    idle: usize,
    /// Threads that exist, parked or busy.
    threads: usize,
    /// How many threads there may be as long as none of them blocks.
    pub workers: usize,
    /// How many of them block on other runs, or were given up: as many more there may be.
    blocked: usize,
    /// Runs that threads have taken so far.
    taken: u64,
    /// Threads that were busy when `computing` was asked last, and what `taken` was then.
    seen: (usize, u64),
    /// Numbers threads for their lanes' names.
    born: u32,
    /// Runs that were given up while their threads went on: number and process.
    pub abandoned: Vec<(u64, String)>,
    closed: bool,
}

impl Jobs {
    fn limit(&self) -> usize {
        self.workers + self.blocked
    }

    /// The next run, if there is one.
    fn take(&mut self) -> Option<Py<Run>> {
        let run = self.runs.pop_front();
        self.taken += u64::from(run.is_some());
        run
    }

    /// Counts one more thread in, if there may be one; the caller starts it after the lock.
    fn reserve_thread(&mut self) -> bool {
        let wanted = self.threads < self.limit() && !self.closed;
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
    /// The switch interval is short for the sake of these threads. Changed while holding the
    /// interpreter, after the job was taken: so it is never put back under a busy thread.
    holds_interval: AtomicBool,
}

impl WorkQueue {
    pub fn jobs(&self) -> MutexGuard<'_, Jobs> {
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

    /// Whether a thread is busy for whose sake the switch interval is short.
    pub fn needs_interval(&self) -> bool {
        let jobs = self.jobs();
        self.holds_interval.load(Ordering::Relaxed) && jobs.threads > jobs.idle && !jobs.closed
    }

    /// Puts the switch interval back, unless a thread is busy.
    pub fn calm_down(&self, py: Python<'_>) -> PyResult<()> {
        if self.needs_interval() {
            return Ok(());
        }
        self.release_interval(py)
    }

    /// Puts the switch interval back.
    pub fn release_interval(&self, py: Python<'_>) -> PyResult<()> {
        if self.holds_interval.swap(false, Ordering::Relaxed) {
            return interval::release(py);
        }
        Ok(())
    }

    /// Makes the switch interval short, once per row of runs.
    pub fn hold_interval(&self, py: Python<'_>) {
        // A look first: most runs of a row only pass here.
        if self.holds_interval.load(Ordering::Relaxed)
            || self.holds_interval.swap(true, Ordering::Relaxed)
        {
            return;
        }
        if let Err(error) = interval::hold(py) {
            // A run is not lost because somebody has replaced functions of sys.
            error.write_unraisable(py, None);
        }
    }

    /// The name of one more lane.
    pub fn next_label(&self) -> Arc<str> {
        let mut jobs = self.jobs();
        jobs.born += 1;
        if self.single {
            return self.name.as_str().into();
        }
        format!("{} {}", self.name, jobs.born).into()
    }

    pub fn is_closed(&self) -> bool {
        self.jobs().closed
    }

    /// The next run, if there is one.
    pub fn pop(&self) -> Option<Py<Run>> {
        self.jobs().take()
    }

    /// How many threads, at least, have been busy with one and the same run since this was asked
    /// before. Threads with short runs do not count.
    pub fn computing(&self) -> usize {
        let mut jobs = self.jobs();
        let busy = jobs.threads.saturating_sub(jobs.idle);
        let now = (busy, jobs.taken);
        let (before, taken) = std::mem::replace(&mut jobs.seen, now);
        let changed = usize::try_from(jobs.taken - taken).unwrap_or(usize::MAX);
        before.min(busy).saturating_sub(changed)
    }

    /// Waits for the next run; None when the thread is to leave. Without the interpreter.
    pub fn next_run(&self) -> Option<Py<Run>> {
        // A forked child has no other threads, and its copy of the lock may be held for ever.
        if self.made_in != fork::generation() {
            return None;
        }
        let mut jobs = self.jobs();
        loop {
            if jobs.closed || jobs.threads > jobs.limit() {
                jobs.threads = jobs.threads.saturating_sub(1);
                return None;
            }
            if let Some(run) = jobs.take() {
                return Some(run);
            }
            jobs.idle += 1;
            jobs = self
                .arrived
                .wait(jobs)
                .unwrap_or_else(PoisonError::into_inner);
            jobs.idle -= 1;
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
                workers: limit,
                blocked: 0,
                taken: 0,
                seen: (0, 0),
                born: 0,
                abandoned: Vec::new(),
                closed: false,
            }),
            arrived: Condvar::new(),
            holds_interval: AtomicBool::new(false),
        }
    }

    /// A thread of this queue is about to block on another run: it may be replaced meanwhile.
    pub fn block(slf: &Bound<'_, Self>) -> PyResult<()> {
        let me = slf.get();
        let spawn = {
            let mut jobs = me.jobs();
            jobs.blocked += 1;
            jobs.idle == 0 && !jobs.runs.is_empty() && jobs.reserve_thread()
        };
        if spawn {
            Self::spawn_thread(slf)
        } else {
            Ok(())
        }
    }

    /// The thread goes on: one thread too many leaves when it has nothing to do.
    pub fn unblock(&self) {
        let mut jobs = self.jobs();
        jobs.blocked = jobs.blocked.saturating_sub(1);
        if jobs.threads > jobs.limit() {
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
        self.jobs().limit()
    }

    /// How many threads there may be as long as none of them blocks. Fewer than there are: those
    /// that have nothing to do leave.
    #[getter]
    fn workers(&self) -> usize {
        self.jobs().workers
    }

    /// Changes that number at once: idle threads leave, busy ones after their run.
    fn resize(slf: &Bound<'_, Self>, workers: usize) -> PyResult<()> {
        let me = slf.get();
        me.jobs().workers = workers;
        me.arrived.notify_all();
        loop {
            let spawn = {
                let mut jobs = me.jobs();
                jobs.runs.len() > jobs.idle && jobs.reserve_thread()
            };
            if !spawn {
                return Ok(());
            }
            Self::spawn_thread(slf)?;
        }
    }
}
