//! A clock that goes when it is told to.

use eventflow_domain::Timestamp;
use eventflow_domain::ports::Clock;
use parking_lot::Mutex;
use std::time::Duration;

/// Starts at a fixed time; [`ManualClock::advance`] moves it.
#[derive(Debug)]
pub struct ManualClock(Mutex<Duration>);

impl ManualClock {
    /// 2026-01-01T00:00:00Z.
    pub const START: Timestamp = Timestamp::from_millis(1_767_225_600_000);

    pub fn advance(&self, by: Duration) {
        *self.0.lock() += by;
    }
}

impl Default for ManualClock {
    fn default() -> Self {
        Self(Mutex::new(Duration::ZERO))
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Self::START + *self.0.lock()
    }

    fn monotonic(&self) -> Duration {
        *self.0.lock()
    }
}
