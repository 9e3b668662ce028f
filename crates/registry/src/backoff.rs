//! Pauses between attempts of background work, and one line in the log for each outage.

use eventflow_domain::Error;
use eventflow_domain::error::Chain;
use rand::RngExt as _;
use std::time::Duration;

const FIRST: Duration = Duration::from_millis(100);
const MOST: Duration = Duration::from_secs(5);

#[derive(Debug, Default)]
pub(crate) struct Backoff {
    next: Duration,
}

impl Backoff {
    /// To be waited before the next attempt: nothing unless the last one failed.
    pub(crate) fn pause(&self) -> Duration {
        self.next.mul_f64(rand::rng().random_range(0.5..=1.0))
    }

    pub(crate) fn failed(&mut self, failed: &'static str, error: &Error) {
        if self.next.is_zero() {
            tracing::warn!(error = %Chain(error), "{failed}");
        }
        self.next = (self.next * 2).clamp(FIRST, MOST);
    }

    pub(crate) fn succeeded(&mut self, again: &'static str) {
        if !self.next.is_zero() {
            tracing::info!("{again}");
        }
        self.next = Duration::ZERO;
    }
}
