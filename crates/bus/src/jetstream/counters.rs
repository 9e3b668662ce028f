//! What happened so far, for metrics.

use std::sync::atomic::{AtomicU64, Ordering};

#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) published: Counter,
    pub(super) duplicates: Counter,
    pub(super) delivered: Counter,
    pub(super) redelivered: Counter,
    pub(super) poison: Counter,
    pub(super) live_dropped: Counter,
    pub(super) events_dropped: Counter,
    pub(super) disconnects: Counter,
    pub(super) repairs: Counter,
}

#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    pub(super) fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Counted since the start of this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Confirmed by the server.
    pub published: u64,
    /// Of those, the ones the server knew already.
    pub duplicates: u64,
    pub delivered: u64,
    /// Of those, the ones that were delivered before, to whomever.
    pub redelivered: u64,
    /// Messages that could not be read and were taken off the stream.
    pub poison: u64,
    /// Live news that were dropped before they left, or could not be read.
    pub live_dropped: u64,
    /// CloudEvents that were dropped.
    pub events_dropped: u64,
    pub disconnects: u64,
    /// Drifts of stream configuration that were set right.
    pub repairs: u64,
}

impl Counters {
    pub(super) fn counts(&self) -> Counts {
        Counts {
            published: self.published.get(),
            duplicates: self.duplicates.get(),
            delivered: self.delivered.get(),
            redelivered: self.redelivered.get(),
            poison: self.poison.get(),
            live_dropped: self.live_dropped.get(),
            events_dropped: self.events_dropped.get(),
            disconnects: self.disconnects.get(),
            repairs: self.repairs.get(),
        }
    }
}
