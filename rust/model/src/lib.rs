//! The audit log of `theus_core`, compiled from the same sources over locks, threads and a tokio whose every step a
//! scheduler decides. The tests run it in thousands of orders; an order in which everybody waits is an error.
//!
//! What the audit log needs is passed on by name: [`sync`] here takes the place of the core's module of that name, and
//! `Cargo.toml` gives shuttle's tokio the name of the real one.
#![allow(dead_code)] // what only the bindings use

#[path = "../../core/src/audit/mod.rs"]
pub mod audit;

/// Locks and waits of the hand-off.
mod sync {
    use std::pin::pin;
    use std::task::Poll;
    use std::time::Duration;

    use shuttle::rand::Rng;

    pub(crate) use shuttle::sync::atomic::AtomicBool;
    pub(crate) use shuttle::sync::{Condvar, Mutex, MutexGuard};

    /// A wait that lasts longer does not end by itself: whoever relies on it is found waiting for ever.
    const LONG: Duration = Duration::from_secs(1);

    /// Waits for a future, and for its time where that is short: it is over whenever the scheduler says so.
    pub(crate) async fn timeout<F: Future>(patience: Duration, future: F) -> Result<F::Output, ()> {
        let mut future = pin!(future);
        std::future::poll_fn(|context| match future.as_mut().poll(context) {
            Poll::Ready(value) => Poll::Ready(Ok(value)),
            Poll::Pending if patience >= LONG => Poll::Pending,
            Poll::Pending => {
                // While time passes, the others take their steps.
                shuttle::thread::yield_now();
                if shuttle::rand::thread_rng().gen_bool(0.3) {
                    return Poll::Ready(Err(()));
                }
                context.waker().wake_by_ref();
                Poll::Pending
            }
        })
        .await
    }
}
