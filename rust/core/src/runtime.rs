//! The one tokio runtime: current-thread, on a named thread of its own.
//!
//! The audit writer and file writes run here; nothing on it ever touches Python. One thread, because a task handed to it
//! is there in 20-30 microseconds where a pool takes twice as long, and because what it waits for is a disk.

use std::future::Future;
use std::io;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// A tokio runtime that lives until it is dropped or [`shutdown`](Runtime::shutdown).
///
/// A forked child has the object and not the thread: it must [`forget`](std::mem::forget) it and start another.
#[derive(Debug)]
pub struct Runtime {
    handle: Handle,
    /// Dropped to let the thread leave.
    stop: Option<oneshot::Sender<()>>,
    /// Hears when the thread has left.
    left: mpsc::Receiver<()>,
    thread: Option<JoinHandle<()>>,
}

impl Runtime {
    /// Starts the thread; it is parked while there is nothing to do.
    ///
    /// # Errors
    /// The system refused a thread, or the descriptors that tokio waits on.
    pub fn start(name: &str) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        let (leaving, left) = mpsc::channel::<()>();
        let thread = std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || {
                // Ends when the sender is dropped; what the tasks have not finished by then is dropped.
                let _ = runtime.block_on(stopped);
                // Blocking work that hangs on a disk must not keep the process from exiting.
                runtime.shutdown_background();
                drop(leaving);
            })?;
        Ok(Self {
            handle,
            stop: Some(stop),
            left,
            thread: Some(thread),
        })
    }

    /// Hands a future to the thread; it runs until it ends or the runtime does.
    pub fn spawn<F>(&self, future: F) -> tokio::task::JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.handle.spawn(future)
    }

    /// The tokio handle, for timers and blocking work.
    #[must_use]
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Ends the runtime; returns whether its thread has left within `patience`.
    ///
    /// What must be finished is awaited before this is called: tasks are dropped where they stand.
    #[allow(clippy::must_use_candidate)] // not everybody minds
    pub fn shutdown(mut self, patience: Duration) -> bool {
        self.stop.take();
        let left = !matches!(
            self.left.recv_timeout(patience),
            Err(mpsc::RecvTimeoutError::Timeout)
        );
        if let (true, Some(thread)) = (left, self.thread.take()) {
            return thread.join().is_ok();
        }
        left
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_future_runs_on_the_named_thread() {
        let runtime = Runtime::start("theus test").expect("threads are to be had");
        let (tell, told) = mpsc::channel();
        runtime.spawn(async move {
            let name = std::thread::current().name().map(str::to_owned);
            tell.send(name).expect("somebody listens");
        });
        let name = told.recv_timeout(Duration::from_secs(10));
        assert_eq!(name.expect("it ran"), Some("theus test".to_owned()));
        assert!(runtime.shutdown(Duration::from_secs(10)));
    }

    #[test]
    fn shutting_down_drops_what_has_not_finished() {
        let runtime = Runtime::start("theus test").expect("threads are to be had");
        let (held, gone) = oneshot::channel::<()>();
        runtime.spawn(async move {
            let _held = held;
            std::future::pending::<()>().await;
        });
        assert!(runtime.shutdown(Duration::from_secs(10)));
        assert!(gone.blocking_recv().is_err());
    }
}
