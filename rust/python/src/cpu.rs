//! How much of a run its thread computed.
//!
//! Reading a thread's clock is a system call, up to a microsecond each, and short runs take a few
//! microseconds in all. So it is read for the first run of a process, and then only for processes
//! whose last run was long enough for it not to matter.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::ThreadId;

/// Nanoseconds of a run from which on its process is measured.
const LONG: u64 = 200_000;

/// Whether the runs of one process are measured.
pub struct CpuClock {
    reads: AtomicBool,
}

impl Default for CpuClock {
    fn default() -> Self {
        Self {
            reads: AtomicBool::new(true),
        }
    }
}

impl CpuClock {
    /// Begins to measure, on the thread of the body.
    pub fn start(&self) -> Option<CpuStart> {
        let reads = self.reads.load(Ordering::Relaxed);
        reads.then(CpuStart::now).flatten()
    }

    /// Learns from a run how long runs of this process take.
    pub fn learn(&self, elapsed: u64) {
        let long = elapsed >= LONG;
        if self.reads.load(Ordering::Relaxed) != long {
            self.reads.store(long, Ordering::Relaxed);
        }
    }
}

/// What a thread's clock said when a body began.
pub struct CpuStart {
    thread: ThreadId,
    read: u64,
}

impl CpuStart {
    fn now() -> Option<Self> {
        Some(Self {
            thread: std::thread::current().id(),
            read: thread_time()?,
        })
    }

    /// Nanoseconds computed since; None on another thread, which cannot tell.
    pub fn elapsed(&self) -> Option<u64> {
        if self.thread != std::thread::current().id() {
            return None;
        }
        Some(thread_time()?.saturating_sub(self.read))
    }
}

#[cfg(unix)]
fn thread_time() -> Option<u64> {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).ok()?;
    seconds
        .checked_mul(1_000_000_000)?
        .checked_add(u64::try_from(time.tv_nsec).ok()?)
}

#[cfg(not(unix))]
fn thread_time() -> Option<u64> {
    None
}
