//! Spans: when a run was submitted, started and ended, on which lane, and how.
//!
//! The newest are kept in a ring for the timeline and for `theus.runs`. They hold no values, so
//! that a record never keeps a large result alive.

use std::collections::VecDeque;
use std::sync::Arc;

/// Where a run stands, or how it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Submitted; an input is not there yet.
    Waiting,
    /// Ready; no worker has taken it yet.
    Queued,
    /// Its body is executing.
    Running,
    /// Committed.
    Finished,
    /// Ended with an error; nothing was committed.
    Failed,
    /// Stopped on request; nothing was committed.
    Cancelled,
    /// Given up on while its thread goes on; whatever that thread returns is dropped.
    Abandoned,
    /// One attempt that failed; the run was tried again.
    Retried,
}

impl Status {
    /// The word shown to users.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Finished => "finished",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Abandoned => "abandoned",
            Self::Retried => "retried",
        }
    }
}

/// One finished run. Times are nanoseconds since the session began.
#[derive(Clone, Debug)]
pub struct Span {
    /// Number of the run.
    pub run: u64,
    /// Number of the run in whose body it was started, if any.
    pub parent: Option<u64>,
    /// Name of the process.
    pub process: Arc<str>,
    /// Name of the lane; empty if it never reached one.
    pub lane: Arc<str>,
    /// How it ended.
    pub status: Status,
    /// When it was submitted.
    pub submitted: u64,
    /// When its body started; 0 if it never did.
    pub started: u64,
    /// When it ended.
    pub ended: u64,
    /// How long its worker thread computed, where that was measured.
    pub cpu: Option<u64>,
    /// How long its worker thread waited for the interpreter before the body began.
    pub waited: Option<u64>,
}

/// The newest spans, oldest first.
#[derive(Debug)]
pub struct Spans {
    ring: VecDeque<Span>,
    limit: usize,
    dropped: u64,
}

impl Spans {
    /// A ring that keeps the newest `limit` spans.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            ring: VecDeque::with_capacity(limit.min(1024)),
            limit,
            dropped: 0,
        }
    }

    /// Adds a span; the oldest goes when the ring is full.
    pub fn push(&mut self, span: Span) {
        if self.ring.len() >= self.limit {
            self.ring.pop_front();
            self.dropped += 1;
        }
        self.ring.push_back(span);
    }

    /// The spans kept, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Span> {
        self.ring.iter()
    }

    /// How many were dropped to keep the ring bounded.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(run: u64) -> Span {
        Span {
            run,
            parent: None,
            process: "p".into(),
            lane: "loop".into(),
            status: Status::Finished,
            submitted: 1,
            started: 2,
            ended: 3,
            cpu: None,
            waited: None,
        }
    }

    #[test]
    fn the_ring_keeps_the_newest_and_counts_the_rest() {
        let mut spans = Spans::new(2);
        for run in 1..=5 {
            spans.push(span(run));
        }
        assert_eq!(spans.iter().map(|s| s.run).collect::<Vec<_>>(), [4, 5]);
        assert_eq!(spans.dropped(), 3);
    }
}
