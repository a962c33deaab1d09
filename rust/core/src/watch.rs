//! Noticing that an event loop is blocked: when to ping it, what a late answer means.
//!
//! No clock and no thread in here: whoever uses it calls [`Watch::tick`] with the time, about
//! once a [`PERIOD`], and does what comes back.

/// Nanoseconds since whatever the caller counts from.
pub type Nanos = u64;

const MILLISECOND: Nanos = 1_000_000;

/// Between two ticks. Forty wake-ups per second while runs are active, none otherwise.
pub const PERIOD: Nanos = 25 * MILLISECOND;

/// A ping that took longer than this makes a block.
pub const LIMIT: Nanos = 100 * MILLISECOND;

/// A ping that is unanswered for so long is worth a look at what the loop does; early enough
/// that a block just above the limit has been looked at when it ends.
pub const LATE: Nanos = 70 * MILLISECOND;

/// Without runs for so long there is nothing to watch.
pub const CALM: Nanos = 100 * MILLISECOND;

/// A tick that comes so much too late says that nobody in this process got on, the loop or not.
pub const STALL: Nanos = 50 * MILLISECOND;

/// What the caller does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Wait for the next tick.
    Wait,
    /// Send a ping, then wait for the next tick.
    Ping,
    /// Look at what the loop does right now; it has not answered since `start`.
    Look {
        /// When the ping was sent.
        start: Nanos,
    },
    /// The loop was blocked, and has gone on meanwhile.
    Blocked {
        /// When the ping was sent: the block began then or a little earlier.
        start: Nanos,
        /// When it was answered.
        end: Nanos,
    },
    /// No run has been there for a while: stop ticking.
    Park,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// No ping is on its way.
    Quiet,
    Asked {
        sent: Nanos,
        looked: bool,
    },
    /// The loop is not running at present; the ping waits for it.
    Away,
    /// A block is over. The next ping has to come back before it is judged: only then has the
    /// loop resumed what had become due meanwhile.
    Settling {
        start: Nanos,
        end: Nanos,
        sent: Nanos,
    },
}

/// The state of one watched loop.
#[derive(Debug)]
pub struct Watch {
    phase: Phase,
    ticked: Nanos,
    active: Nanos,
}

impl Watch {
    /// Begins to watch.
    #[must_use]
    pub fn new(now: Nanos) -> Self {
        Self {
            phase: Phase::Quiet,
            ticked: now,
            active: now,
        }
    }

    /// The caller was busy elsewhere (looking, reporting): that was no stall.
    pub fn resume(&mut self, now: Nanos) {
        self.ticked = now;
    }

    /// What was looked at is not running: nobody is blocked, and its answer means nothing.
    pub fn excuse(&mut self) {
        self.phase = Phase::Away;
    }

    /// Judges the moment.
    ///
    /// `active` tells whether runs were there since the last tick, `answered` when the newest ping
    /// was answered, if it was.
    pub fn tick(&mut self, now: Nanos, active: bool, answered: Option<Nanos>) -> Step {
        let stalled = now.saturating_sub(self.ticked) > PERIOD + STALL;
        self.ticked = now;
        if active {
            self.active = now;
        }
        match self.phase {
            Phase::Quiet => self.ask(now),
            Phase::Asked { sent, looked } => match answered {
                // The whole process stood still: the loop is not to blame.
                _ if stalled && !looked => {
                    self.phase = Phase::Quiet;
                    self.ask(now)
                }
                Some(end) if end.saturating_sub(sent) > LIMIT => {
                    self.phase = Phase::Settling {
                        start: sent,
                        end,
                        sent: now,
                    };
                    Step::Ping
                }
                Some(_) => self.ask(now),
                None if !looked && now.saturating_sub(sent) >= LATE => {
                    self.phase = Phase::Asked { sent, looked: true };
                    Step::Look { start: sent }
                }
                None => Step::Wait,
            },
            Phase::Away if answered.is_some() || now.saturating_sub(self.active) >= CALM => {
                self.ask(now)
            }
            Phase::Away => Step::Wait,
            Phase::Settling { start, end, sent } => {
                if answered.is_some() {
                    self.phase = Phase::Quiet;
                } else if now.saturating_sub(sent) > LATE {
                    // The next block has begun already; its ping is the one on its way.
                    self.phase = Phase::Asked {
                        sent,
                        looked: false,
                    };
                } else {
                    return Step::Wait;
                }
                Step::Blocked { start, end }
            }
        }
    }

    fn ask(&mut self, now: Nanos) -> Step {
        if now.saturating_sub(self.active) >= CALM {
            self.phase = Phase::Quiet;
            return Step::Park;
        }
        self.phase = Phase::Asked {
            sent: now,
            looked: false,
        };
        Step::Ping
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A loop that answers pings, or is blocked, on a clock that only moves by hand.
    struct Bench {
        watch: Watch,
        now: Nanos,
        sent: Option<Nanos>,
        answered: Option<Nanos>,
        blocked: bool,
        active: bool,
    }

    impl Bench {
        fn new() -> Self {
            Self {
                watch: Watch::new(0),
                now: 0,
                sent: None,
                answered: None,
                blocked: false,
                active: true,
            }
        }

        fn pass(&mut self, time: Nanos) -> Step {
            self.now += time;
            let step = self.watch.tick(self.now, self.active, self.answered);
            if step == Step::Ping {
                self.sent = Some(self.now);
                self.answered = None;
            }
            if !self.blocked {
                self.answer();
            }
            step
        }

        fn answer(&mut self) {
            self.answered = self.answered.or(self.sent.map(|_| self.now));
        }

        /// Ticks until something other than waiting and pinging is to be done.
        fn until_news(&mut self) -> Step {
            for _ in 0..1_000 {
                match self.pass(PERIOD) {
                    Step::Wait | Step::Ping => {}
                    step => return step,
                }
            }
            panic!("nothing happened");
        }
    }

    #[test]
    fn a_loop_that_answers_is_pinged_once_a_period() {
        let mut bench = Bench::new();
        for _ in 0..100 {
            assert_eq!(bench.pass(PERIOD), Step::Ping);
        }
    }

    #[test]
    fn a_block_is_looked_at_once_and_judged_after_the_loop_went_on() {
        let mut bench = Bench::new();
        bench.blocked = true;
        assert_eq!(bench.pass(PERIOD), Step::Ping);
        let start = bench.now;
        assert_eq!(bench.until_news(), Step::Look { start });
        assert!(bench.now - start < LIMIT, "looked at before it counts");
        for _ in 0..20 {
            assert_eq!(bench.pass(PERIOD), Step::Wait);
        }
        bench.blocked = false;
        bench.answer();
        let end = bench.now;
        assert_eq!(bench.pass(PERIOD), Step::Ping, "has it gone on?");
        assert_eq!(bench.pass(PERIOD), Step::Blocked { start, end });
        assert_eq!(bench.pass(PERIOD), Step::Ping);
    }

    #[test]
    fn a_late_answer_within_the_limit_is_no_block() {
        let mut bench = Bench::new();
        bench.blocked = true;
        bench.pass(PERIOD);
        let start = bench.now;
        assert_eq!(bench.until_news(), Step::Look { start });
        bench.now = start + LIMIT;
        bench.blocked = false;
        bench.answer();
        assert_eq!(bench.pass(0), Step::Ping);
        bench.active = false;
        assert_eq!(bench.until_news(), Step::Park);
    }

    #[test]
    fn a_second_block_right_after_the_first_is_one_of_its_own() {
        let mut bench = Bench::new();
        bench.blocked = true;
        bench.pass(PERIOD);
        let first = bench.now;
        assert_eq!(bench.until_news(), Step::Look { start: first });
        bench.pass(LIMIT - LATE);
        bench.answer();
        let end = bench.now;
        assert_eq!(
            bench.pass(PERIOD),
            Step::Ping,
            "answered late: has it gone on?"
        );
        let second = bench.now;
        assert_eq!(bench.until_news(), Step::Blocked { start: first, end });
        assert_eq!(bench.until_news(), Step::Look { start: second });
    }

    #[test]
    fn a_process_that_stood_still_blames_nobody() {
        let mut bench = Bench::new();
        bench.blocked = true;
        assert_eq!(bench.pass(PERIOD), Step::Ping);
        bench.now += LIMIT + STALL;
        bench.answer();
        bench.blocked = false;
        assert_eq!(bench.pass(PERIOD), Step::Ping);
        bench.active = false;
        assert_eq!(bench.until_news(), Step::Park);
    }

    #[test]
    fn a_long_look_is_no_stall() {
        let mut bench = Bench::new();
        bench.blocked = true;
        bench.pass(PERIOD);
        let start = bench.now;
        assert_eq!(bench.until_news(), Step::Look { start });
        bench.now += 10 * LIMIT;
        bench.watch.resume(bench.now);
        bench.answer();
        let end = bench.now;
        bench.blocked = false;
        assert_eq!(bench.until_news(), Step::Blocked { start, end });
    }

    #[test]
    fn a_loop_that_does_not_run_is_excused_until_it_does() {
        let mut bench = Bench::new();
        bench.blocked = true;
        assert!(matches!(bench.until_news(), Step::Look { .. }));
        bench.watch.excuse();
        for _ in 0..100 {
            assert_eq!(bench.pass(PERIOD), Step::Wait);
        }
        bench.blocked = false;
        bench.answer();
        assert_eq!(bench.pass(PERIOD), Step::Ping);
        bench.blocked = true;
        bench.pass(PERIOD);
        assert!(matches!(bench.until_news(), Step::Look { .. }));
        bench.watch.excuse();
        bench.active = false;
        assert_eq!(bench.until_news(), Step::Park);
    }

    #[test]
    fn without_runs_it_parks_and_not_in_the_middle_of_a_block() {
        let mut bench = Bench::new();
        bench.pass(PERIOD);
        bench.active = false;
        let last = bench.now;
        assert_eq!(bench.until_news(), Step::Park);
        assert!(bench.now - last >= CALM);
        bench.active = true;
        bench.blocked = true;
        bench.pass(PERIOD);
        bench.active = false;
        assert!(matches!(bench.until_news(), Step::Look { .. }));
        for _ in 0..20 {
            assert_eq!(bench.pass(PERIOD), Step::Wait);
        }
    }
}
