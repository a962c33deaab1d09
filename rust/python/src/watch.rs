//! Watching the loop: a thread that pings it while runs are there, and sleeps otherwise.
//!
//! The thread belongs to Python and only waits in here, like the lanes: see `queue`. Pinging needs
//! no interpreter; it is asked for only when the loop is late, and to put the switch interval back.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use theus_core::watch::{Nanos, PERIOD, Step, Watch};

use crate::bridge::{Bridge, Ping};
use crate::engine::Engine;
use crate::fork;
use crate::interval;
use crate::queue::WorkQueue;

struct State {
    /// None while parked.
    watch: Option<Watch>,
    bridge: Option<Py<Bridge>>,
    ping: Arc<Ping>,
    /// How many completions had been waiting when the ping before was answered.
    waiting: usize,
    has_thread: bool,
    closed: bool,
    /// How many threads the switch interval is divided among.
    sharing: usize,
}

/// The watching part of an engine.
pub struct Watching {
    /// Starts the thread, and the queues whose threads it keeps an eye on; set once.
    served: OnceLock<(Py<PyAny>, Vec<Py<WorkQueue>>)>,
    /// The thread ticks, or is about to: all that admission has to look at.
    awake: AtomicBool,
    /// A run was admitted since the last tick.
    touched: AtomicBool,
    /// Runs that have not ended. Counted apart, because this thread must not take the engine's
    /// lock: it would do so without holding the interpreter, and a fork would copy it locked.
    pub unfinished: AtomicUsize,
    state: Mutex<State>,
    changed: Condvar,
}

/// What the thread wakes up for.
enum News {
    Late {
        start: Nanos,
    },
    Blocked {
        start: Nanos,
        end: Nanos,
        waiting: usize,
    },
    /// So many threads compute, more or fewer than before.
    Crowd(usize),
    Calm,
}

/// `(what, bridge, start, end, waiting, delay)`; see the stub.
type Row = (&'static str, Py<Bridge>, Nanos, Nanos, usize, Nanos);

impl Watching {
    pub fn new() -> Self {
        Self {
            served: OnceLock::new(),
            awake: AtomicBool::new(false),
            touched: AtomicBool::new(false),
            unfinished: AtomicUsize::new(0),
            state: Mutex::new(State {
                watch: None,
                bridge: None,
                ping: Arc::default(),
                waiting: 0,
                has_thread: false,
                closed: false,
                sharing: 1,
            }),
            changed: Condvar::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A run is being admitted. A store and a load, unless nobody was watching.
    pub fn touch(&self, py: Python<'_>) {
        self.touched.store(true, Ordering::SeqCst);
        if self.awake.load(Ordering::SeqCst) {
            return;
        }
        let Some((spawn, _)) = self.served.get() else {
            return;
        };
        {
            let mut state = self.state();
            if state.closed {
                return;
            }
            self.awake.store(true, Ordering::SeqCst);
            self.changed.notify_one();
            if std::mem::replace(&mut state.has_thread, true) {
                return;
            }
        }
        if let Err(error) = spawn.call0(py) {
            // No thread to be had: being watched is not worth a run. The next one tries again.
            self.awake.store(false, Ordering::SeqCst);
            self.state().has_thread = false;
            error.write_unraisable(py, Some(spawn.bind(py)));
        }
    }

    pub fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        if let Some((spawn, queues)) = self.served.get() {
            visit.call(spawn)?;
            for queue in queues {
                visit.call(queue)?;
            }
        }
        match self.state.try_lock() {
            Ok(state) => visit.call(&state.bridge),
            Err(_) => Ok(()),
        }
    }

    fn computing(&self) -> usize {
        let each = self.queues().iter().map(|queue| queue.get().computing());
        each.sum::<usize>().max(1)
    }

    fn queues(&self) -> &[Py<WorkQueue>] {
        self.served.get().map_or(&[], |(_, queues)| queues)
    }
}

impl Engine {
    /// Sleeps and pings until there is something to tell Python; None to leave.
    fn wait_for_news(&self) -> Option<News> {
        let me = &self.watching;
        let mut state = me.state();
        loop {
            if state.closed {
                return None;
            }
            let parked = state.watch.is_none();
            if parked && !me.awake.load(Ordering::SeqCst) {
                state = me
                    .changed
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            if parked {
                state.watch = Some(Watch::new(self.now()));
            } else {
                let tick = Duration::from_nanos(PERIOD);
                let waited = me.changed.wait_timeout(state, tick);
                state = waited.unwrap_or_else(PoisonError::into_inner).0;
                if state.closed {
                    return None;
                }
            }
            let active = me.touched.swap(false, Ordering::SeqCst)
                || me.unfinished.load(Ordering::Relaxed) > 0;
            match self.step(&mut state, active) {
                Step::Wait => {}
                Step::Ping => {
                    let ping = Arc::<Ping>::default();
                    let last = std::mem::replace(&mut state.ping, Arc::clone(&ping));
                    state.waiting = last.answer.get().map_or(0, |(_, waiting)| *waiting);
                    let sent = state
                        .bridge
                        .as_ref()
                        .is_some_and(|bridge| bridge.get().ping(Arc::clone(&ping)));
                    if !sent {
                        // A loop that cannot be pinged counts as answering.
                        let _ = ping.answer.set((Instant::now(), 0));
                    }
                }
                Step::Look { start } => return Some(News::Late { start }),
                Step::Blocked { start, end } => {
                    let waiting = state.waiting;
                    return Some(News::Blocked {
                        start,
                        end,
                        waiting,
                    });
                }
                // A thread that was given up on still computes: the interval stays short for it.
                Step::Park if me.queues().iter().any(|queue| queue.get().needs_interval()) => {}
                Step::Park => return Some(News::Calm),
            }
            let computing = me.computing();
            if computing != state.sharing {
                state.sharing = computing;
                return Some(News::Crowd(computing));
            }
        }
    }

    fn step(&self, state: &mut State, active: bool) -> Step {
        let now = self.now();
        let answered = state.ping.answer.get().map(|(at, _)| {
            let elapsed = at.saturating_duration_since(self.began);
            Nanos::try_from(elapsed.as_nanos()).unwrap_or(Nanos::MAX)
        });
        match &mut state.watch {
            Some(watch) => watch.tick(now, active, answered),
            None => Step::Wait,
        }
    }

    /// No run for a while: the interval is put back, and the thread sleeps until the next one.
    fn calm_down(&self, py: Python<'_>) -> PyResult<()> {
        for queue in self.watching.queues() {
            queue.get().calm_down(py)?;
        }
        let mut state = self.watching.state();
        self.watching.awake.store(false, Ordering::SeqCst);
        state.watch = None;
        state.sharing = 1;
        // Admitted just now, when the thread still seemed to be awake.
        if self.watching.touched.load(Ordering::SeqCst) {
            self.watching.awake.store(true, Ordering::SeqCst);
        }
        Ok(())
    }
}

#[pymethods]
impl Engine {
    /// Has the session's loop watched.
    ///
    /// Args:
    ///     spawn: starts the thread that calls `watch_next`, when the first run is admitted.
    ///     queues: whose threads make the switch interval short.
    fn watch(&self, spawn: Py<PyAny>, queues: Vec<Py<WorkQueue>>) {
        let _ = self.watching.served.set((spawn, queues));
    }

    /// The loop to watch, from here on.
    fn watch_loop(&self, bridge: Py<Bridge>) {
        if self.made_in != fork::generation() {
            return; // the thread that may have held the lock does not exist here
        }
        let before = {
            let mut state = self.watching.state();
            // What the loop before has not answered is nothing to this one.
            let _ = state.ping.answer.set((Instant::now(), 0));
            state.bridge.replace(bridge)
        };
        drop(before);
    }

    /// Waits until the loop is late or was blocked. In the watching thread.
    fn watch_next(&self, py: Python<'_>) -> PyResult<Option<Row>> {
        if let Some(watch) = &mut self.watching.state().watch {
            watch.resume(self.now());
        }
        loop {
            // See Lane::take: asked before letting the interpreter go.
            if self.watching.state().closed || self.made_in != fork::generation() {
                return Ok(None);
            }
            let (news, at) = py.detach(|| (self.wait_for_news(), self.now()));
            let delay = self.now().saturating_sub(at);
            let (what, start, end, waiting) = match news {
                None => return Ok(None),
                Some(News::Calm) => {
                    self.calm_down(py)?;
                    continue;
                }
                Some(News::Crowd(threads)) => {
                    interval::share(py, threads)?;
                    continue;
                }
                Some(News::Late { start }) => ("late", start, at, 0),
                Some(News::Blocked {
                    start,
                    end,
                    waiting,
                }) => ("blocked", start, end, waiting),
            };
            let state = self.watching.state();
            if let Some(bridge) = &state.bridge {
                let bridge = bridge.clone_ref(py);
                return Ok(Some((what, bridge, start, end, waiting, delay)));
            }
        }
    }

    /// The loop is not running: nobody is blocked.
    fn watch_excuse(&self) {
        if let Some(watch) = &mut self.watching.state().watch {
            watch.excuse();
        }
    }

    /// Has the thread leave, and puts the switch interval back.
    fn watch_close(&self, py: Python<'_>) -> PyResult<()> {
        if self.made_in != fork::generation() {
            return Ok(());
        }
        self.watching.state().closed = true;
        self.watching.changed.notify_all();
        for queue in self.watching.queues() {
            queue.get().release_interval(py)?;
        }
        Ok(())
    }
}
