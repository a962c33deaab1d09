//! The signal hub's face to Python: values are Python objects, wakers are callables.
//!
//! The lock is held for moves and reference counts only. Wakers are called, and values dropped, after it has been
//! released: both may run anybody's code, which may publish.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use theus_core::signals::{After, Hub, Pattern, Policy, SubscriberId, Taken, Unsent};

use crate::errors::{build, theus_error};
use crate::fork;

type Values = Hub<Py<PyAny>, Py<PyAny>>;

/// How long a subscriber on a loop may go on taking values without letting the loop run.
const HOLD: Duration = Duration::from_millis(5);

/// Topics, and what is on its way to subscribers.
#[pyclass(frozen, weakref, module = "theus_nb._core")]
pub struct SignalHub {
    hub: Mutex<Values>,
    made_in: u32,
}

impl SignalHub {
    fn hub(&self) -> MutexGuard<'_, Values> {
        self.hub.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn wake(py: Python<'_>, wakers: Vec<Py<PyAny>>) {
    for waker in wakers {
        if let Err(error) = waker.call0(py) {
            error.write_unraisable(py, Some(waker.bind(py)));
        }
    }
}

fn act(py: Python<'_>, after: After<Py<PyAny>, Py<PyAny>>) {
    wake(py, after.wakes);
    drop(after.garbage);
}

fn closed(py: Python<'_>) -> PyErr {
    let message = "the signal hub is closed, its session has ended: make a new Session()";
    theus_error(py, "SignalClosedError", message)
}

#[pymethods]
impl SignalHub {
    #[new]
    fn new(history: usize) -> Self {
        Self {
            hub: Mutex::new(Hub::new(history)),
            made_in: fork::generation(),
        }
    }

    /// Publishes a value; returns how many subscribers hear the topic.
    fn publish(&self, py: Python<'_>, topic: &str, value: Py<PyAny>) -> PyResult<usize> {
        fork::check(py, self.made_in)?;
        let sent = self.hub().publish(topic, value, |v| v.clone_ref(py));
        match sent {
            Ok((receivers, after)) => {
                act(py, after);
                Ok(receivers)
            }
            Err(_) => Err(closed(py)),
        }
    }

    /// Does the same where every blocking subscriber has room: `(receivers, None)`. Otherwise
    /// `(0, subscriber)` names one that has none.
    fn offer(
        &self,
        py: Python<'_>,
        topic: &str,
        value: Py<PyAny>,
    ) -> PyResult<(usize, Option<u64>)> {
        fork::check(py, self.made_in)?;
        let sent = self.hub().offer(topic, value, |v| v.clone_ref(py));
        match sent {
            Ok((receivers, after)) => {
                act(py, after);
                Ok((receivers, None))
            }
            Err(Unsent::Full(id, _)) => Ok((0, Some(id.0))),
            Err(Unsent::Closed(_)) => Err(closed(py)),
        }
    }

    /// Has a waker called when a subscriber has room; false if it has, or is gone.
    fn wait_for_room(&self, subscriber: u64, waker: Py<PyAny>) -> bool {
        let refused = self.hub().wait_for_room(SubscriberId(subscriber), waker);
        refused.is_ok()
    }

    /// Forgets a waker of a publisher.
    fn forget(&self, subscriber: u64, waker: &Bound<'_, PyAny>) {
        let dropped = self.hub().forget(SubscriberId(subscriber), |w| w.is(waker));
        drop(dropped);
    }

    /// How many values of each topic are kept for subscribers to come.
    #[getter]
    fn history(&self) -> usize {
        self.hub().history()
    }

    #[setter]
    fn set_history(&self, history: usize) {
        let garbage = self.hub().set_history(history);
        drop(garbage);
    }

    /// Publishes nothing any more; subscribers take what they have, and end.
    fn close(&self, py: Python<'_>) {
        let after = self.hub().close();
        act(py, after);
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        // Locked means that this very thread is inside one of the short sections above; leaving
        // the values out of one collection only keeps them alive until the next.
        let Ok(hub) = self.hub.try_lock() else {
            return Ok(());
        };
        for held in hub.values().chain(hub.wakers()) {
            visit.call(held)?;
        }
        Ok(())
    }

    fn __clear__(&self) {
        let after = self.hub().clear();
        drop(after);
    }
}

/// One subscriber; `theus_nb.signals` builds its waiting on top.
#[pyclass(frozen, subclass, weakref, module = "theus_nb._core")]
pub struct Subscription {
    hub: Py<SignalHub>,
    id: SubscriberId,
    /// When the loop has been let run last.
    breath: Mutex<Instant>,
}

#[pymethods]
impl Subscription {
    #[new]
    #[pyo3(signature = (hub, pattern, maxsize, lag, history))]
    fn new(
        py: Python<'_>,
        hub: Py<SignalHub>,
        pattern: &str,
        maxsize: usize,
        lag: &str,
        history: usize,
    ) -> PyResult<Self> {
        fork::check(py, hub.get().made_in)?;
        let policy = match lag {
            "skip" => Policy::Skip,
            "block" => Policy::Block,
            _ => Policy::Raise,
        };
        let pattern = Pattern::parse(pattern);
        let share = |value: &Py<PyAny>| value.clone_ref(py);
        let id = hub
            .get()
            .hub()
            .subscribe(pattern, maxsize, policy, history, share);
        Ok(Self {
            hub,
            id,
            breath: Mutex::new(Instant::now()),
        })
    }

    /// Takes the next value, or returns `nothing` if there is none at present.
    ///
    /// With `pause`, returns that instead of a value when the loop has waited for long enough.
    #[pyo3(signature = (nothing, pause = None))]
    fn take(
        &self,
        py: Python<'_>,
        nothing: Py<PyAny>,
        pause: Option<Py<PyAny>>,
    ) -> PyResult<Py<PyAny>> {
        fork::check(py, self.hub.get().made_in)?;
        if let Some(pause) = pause {
            let mut breath = self.breath.lock().unwrap_or_else(PoisonError::into_inner);
            if breath.elapsed() >= HOLD {
                *breath = Instant::now();
                return Ok(pause);
            }
        }
        let (taken, wakers) = self.hub.get().hub().take(self.id);
        wake(py, wakers);
        match taken {
            Taken::Value(value) => Ok(value),
            Taken::Empty => Ok(nothing),
            Taken::Closed => Err(theus_error(
                py,
                "SignalClosedError",
                "the subscription has ended: nothing will come any more",
            )),
            Taken::Lagged(missed) => Err(lagged(py, missed)),
        }
    }

    /// The loop has been let run just now.
    fn rested(&self) {
        *self.breath.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// Has a waker called when there is something to take; false if there is already.
    fn wait(&self, waker: Py<PyAny>) -> bool {
        let refused = self.hub.get().hub().wait(self.id, waker);
        refused.is_ok()
    }

    /// Forgets a waker.
    fn forget(&self, waker: &Bound<'_, PyAny>) {
        let dropped = self.hub.get().hub().forget(self.id, |w| w.is(waker));
        drop(dropped);
    }

    /// Ends it; what is queued is dropped, whoever waits is told.
    fn close(&self, py: Python<'_>) {
        if self.hub.get().made_in != fork::generation() {
            return; // the parent's; a thread of its may have held the lock at the fork
        }
        let after = self.hub.get().hub().unsubscribe(self.id);
        act(py, after);
    }

    /// Whether nothing will come beyond what is queued.
    #[getter]
    fn closed(&self) -> bool {
        self.hub.get().hub().is_closed(self.id)
    }

    /// Values that wait to be taken.
    #[getter]
    fn pending(&self) -> usize {
        self.hub.get().hub().look(self.id).map_or(0, |look| look.0)
    }

    /// Values lost so far.
    #[getter]
    fn lost(&self) -> u64 {
        self.hub.get().hub().look(self.id).map_or(0, |look| look.1)
    }

    /// The topic of the value taken last.
    #[getter]
    fn topic(&self) -> Option<String> {
        let look = self.hub.get().hub().look(self.id)?;
        look.2.map(|topic| topic.to_string())
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.hub)
    }
}

impl Drop for Subscription {
    /// Nobody can take from it any more.
    fn drop(&mut self) {
        Python::try_attach(|py| self.close(py));
    }
}

fn lagged(py: Python<'_>, missed: u64) -> PyErr {
    let message = format!(
        "{missed} values were lost because they came faster than they were taken; go on with the \
         next, or subscribe with a larger maxsize=, lag=\"skip\", or lag=\"block\" and publishers \
         that use await theus.signals.send(...)"
    );
    let fields = PyDict::new(py);
    match fields.set_item("missed", missed) {
        Ok(()) => build(py, "LaggedError", &message, &fields),
        Err(error) => error,
    }
}
