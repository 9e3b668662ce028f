//! Waiting before the next try of something that failed for a cause that passes.

use rand::RngExt as _;
use std::time::Duration;

/// Doubles from `first` to `longest`, spread by a half downwards so that many do not try at the same moment.
#[derive(Debug, Clone)]
pub(crate) struct Backoff {
    first: Duration,
    longest: Duration,
    next: Duration,
}

impl Backoff {
    pub(crate) fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, next: first }
    }

    /// For a store or a bus: 50 ms to 5 s.
    pub(crate) fn of_a_port() -> Self {
        Self::new(Duration::from_millis(50), Duration::from_secs(5))
    }

    /// How long to wait now.
    pub(crate) fn pause(&mut self) -> Duration {
        let pause = self.next.mul_f64(rand::rng().random_range(0.5..=1.0));
        self.next = self.next.saturating_mul(2).min(self.longest);
        pause
    }

    pub(crate) async fn wait(&mut self) {
        tokio::time::sleep(self.pause()).await;
    }

    /// It worked: start over.
    pub(crate) fn reset(&mut self) {
        self.next = self.first;
    }
}
