//! The metrics of one function, resolved.

use super::exemplar::{Durations, TraceLabel};
use eventflow_domain::State;
use eventflow_domain::trace::TraceContext;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

#[derive(Debug)]
pub(super) struct Handles {
    pub(super) succeeded: Counter,
    pub(super) failed: Counter,
    pub(super) cancelled: Counter,
    pub(super) duration: Durations,
    pub(super) queue_depth: Gauge,
    pub(super) queue_age: Gauge<f64, AtomicU64>,
    pub(super) in_flight: Gauge,
    pub(super) settle_refused: Counter,
    pub(super) lost: Counter,
    pub(super) adopted: Counter,
    pub(super) retries: Counter,
    pub(super) dead_letters: Counter,
    pub(super) logs_truncated: Counter,
}

/// Counts for one function; cheap to clone, and nothing is looked up or formatted.
#[derive(Debug, Clone)]
pub struct FunctionMetrics(Arc<Handles>);

impl FunctionMetrics {
    pub(super) fn new(handles: Handles) -> Self {
        Self(Arc::new(handles))
    }

    /// An invocation reached a terminal state; other states are not counted.
    pub fn ended(&self, state: State) {
        match state {
            State::Succeeded => self.0.succeeded.inc(),
            State::Failed => self.0.failed.inc(),
            State::Cancelled => self.0.cancelled.inc(),
            State::Queued | State::Running | State::Retrying => return,
        };
    }

    /// A run took this long, whatever came of it. One that is traced is an example of its bucket.
    pub fn ran(&self, duration: Duration, trace: TraceContext) {
        let example = trace.sampled.then(|| TraceLabel::of(trace));
        self.0.duration.observe(duration.as_secs_f64(), example, None);
    }

    /// A run begins; it ends when the guard is dropped.
    pub fn run(&self) -> InFlight {
        self.0.in_flight.inc();
        InFlight(Arc::clone(&self.0))
    }

    /// How many invocations wait, and for how long the oldest has.
    pub fn set_queue(&self, depth: u64, oldest: Duration) {
        self.0.queue_depth.set(i64::try_from(depth).unwrap_or(i64::MAX));
        self.0.queue_age.set(oldest.as_secs_f64());
    }

    /// A result came from an epoch that no longer decides.
    pub fn settle_refused(&self) {
        self.0.settle_refused.inc();
    }

    /// A run was taken over from a worker that was gone.
    pub fn adopted(&self) {
        self.0.adopted.inc();
    }

    /// An attempt's lease expired.
    pub fn lost(&self) {
        self.0.lost.inc();
    }

    /// An attempt after the first was scheduled.
    pub fn retried(&self) {
        self.0.retries.inc();
    }

    /// An invocation became a dead letter.
    pub fn dead_lettered(&self) {
        self.0.dead_letters.inc();
    }

    /// The captured logs of a call reached their limit.
    pub fn log_truncated(&self) {
        self.0.logs_truncated.inc();
    }
}

/// A run that is going on.
#[derive(Debug)]
#[must_use = "the run counts as ended when this is dropped"]
pub struct InFlight(Arc<Handles>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.dec();
    }
}
