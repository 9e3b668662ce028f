//! Wall and monotonic time out of tokio's, which tests stop.

use eventflow_domain::Timestamp;
use eventflow_domain::ports::Clock;
use eventflow_testkit::ManualClock;
use parking_lot::Mutex;
use std::time::Duration;
use tokio::time::Instant;

#[derive(Debug)]
pub(super) struct VirtualClock {
    begun: Instant,
    slept: Mutex<Duration>,
}

impl VirtualClock {
    pub(super) fn new() -> Self {
        Self { begun: Instant::now(), slept: Mutex::default() }
    }

    /// The machine was asleep: the wall clock went on and no timer did.
    pub(super) fn sleep(&self, asleep: Duration) {
        *self.slept.lock() += asleep;
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        ManualClock::START + self.begun.elapsed() + *self.slept.lock()
    }

    fn monotonic(&self) -> Duration {
        self.begun.elapsed()
    }
}
