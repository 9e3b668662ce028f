//! How many calls may run at once in this process: more while work waits and the process keeps up, fewer while it does
//! not. The rule is pure; [`run`] looks at the clock and the memory.
//!
//! ```text
//!   starved, calm      ──▶ below the knee + 1/4, with a backlog + 1/2; above it + 1/16   at most `dispatcher.slots`
//!   overloaded 3 times ──▶ × 3/4, and that is the knee; held for 3 s                     at least `dispatcher.min_slots`
//!   neither            ──▶ as it is
//! ```
//!
//! Like a TCP sender it finds its bound by leaving it; the hold and the band between calm and overloaded keep it from
//! swinging.

mod memory;

use crate::core::Core;
use std::sync::Arc;
use std::time::Duration;

/// Between two decisions.
const EVERY: Duration = Duration::from_millis(250);
/// Between two looks at how late timers are.
const LOOK: Duration = Duration::from_millis(25);
/// Between two looks at whether anything runs.
const IDLE: Duration = Duration::from_secs(1);
/// A timer that is later than this says that tasks wait for a processor; below it all is well.
const CALM: Duration = Duration::from_millis(30);
const LATE: Duration = Duration::from_millis(100);
/// The part of the memory that must stay free.
const SPARE: f64 = 0.08;
/// Looks in a row that must agree before the bound shrinks.
const SURE: u32 = 3;
/// Decisions after a shrink in which it does not grow.
const HOLD: u32 = 12;
/// A queue whose oldest call waits for so long is behind, however short it is.
const OLD: Duration = Duration::from_secs(1);

/// What was seen since the last decision.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Seen {
    /// Work could not start here for want of a slot.
    pub(crate) starved: bool,
    /// Calls that wait, over all dispatchers, and for how long the oldest one has.
    pub(crate) backlog: u64,
    pub(crate) oldest: Duration,
    /// How late the latest timer was.
    pub(crate) lag: Duration,
    /// The part of the memory that is free, 0 to 1.
    pub(crate) memory_left: f64,
}

/// The bound, and what it remembers.
#[derive(Debug)]
pub(crate) struct Adapt {
    least: usize,
    most: usize,
    now: usize,
    /// Where it was too much the last time.
    knee: usize,
    hot: u32,
    hold: u32,
}

impl Adapt {
    /// Between `least` and `most`; it begins at a quarter of `most`, or at `least` if that is more.
    pub(crate) fn new(least: usize, most: usize) -> Self {
        let most = most.max(1);
        let least = least.clamp(1, most);
        Self { least, most, now: (most / 4).max(least), knee: most, hot: 0, hold: 0 }
    }

    pub(crate) fn bound(&self) -> usize {
        self.now
    }

    /// The bound from now on.
    pub(crate) fn decide(&mut self, seen: &Seen) -> usize {
        let overloaded = seen.lag >= LATE || seen.memory_left < SPARE;
        self.hot = if overloaded { self.hot + 1 } else { 0 };
        self.hold = self.hold.saturating_sub(1);
        if self.hot >= SURE {
            self.hot = 0;
            self.hold = HOLD;
            self.now = (self.now * 3 / 4).max(self.least);
            self.knee = self.now;
        } else if self.hold == 0 && !overloaded && seen.lag <= CALM && seen.starved {
            // A queue that grows old is worth a larger step.
            let behind = seen.backlog > self.now as u64 || seen.oldest >= OLD;
            let step = match (self.now < self.knee, behind) {
                (true, true) => self.now / 2,
                (true, false) => self.now / 4,
                (false, _) => self.now / 16,
            };
            self.now = (self.now + step.max(1)).min(self.most);
        }
        self.now
    }
}

/// Decides until the dispatcher stops.
pub(crate) async fn run(core: Arc<Core>) {
    let mut adapt = Adapt::new(core.config.min_slots, core.config.slots);
    loop {
        if core.slots.in_use() == 0 {
            // Nothing to find out.
            core.slots.was_starved();
            core.ports.metrics.set_slots(adapt.bound(), 0);
            let rest = core.stop.run_until_cancelled(tokio::time::sleep(IDLE));
            if rest.await.is_none() {
                return;
            }
            continue;
        }
        let Some(lag) = core.stop.run_until_cancelled(latest()).await else { return };
        let (backlog, oldest) = core.queues.seen();
        let starved = core.slots.was_starved();
        let seen = Seen { starved, backlog, oldest, lag, memory_left: memory::left() };
        let before = adapt.bound();
        let bound = adapt.decide(&seen);
        if bound != before {
            tracing::info!(before, bound, ?seen, "the number of calls that may run at once changed");
            core.slots.resize(bound);
        }
        core.ports.metrics.set_slots(bound, core.slots.in_use());
    }
}

/// How late the latest of some timers was.
async fn latest() -> Duration {
    let mut lag = Duration::ZERO;
    for _ in 0..EVERY.as_millis() / LOOK.as_millis() {
        let due = tokio::time::Instant::now() + LOOK;
        tokio::time::sleep_until(due).await;
        lag = lag.max(due.elapsed());
    }
    lag
}

#[cfg(test)]
mod tests;
