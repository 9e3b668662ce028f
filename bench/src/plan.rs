//! How long and how often is measured.

use std::fmt;
use std::time::Duration;

#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) name: &'static str,
    /// A/B pairs of each comparison.
    pub(crate) pairs: usize,
    /// Each side of a pair.
    pub(crate) round: Duration,
    /// Of each side, before the first pair.
    pub(crate) warm_up: Duration,
    /// Starts of a server, where a start is measured.
    pub(crate) starts: usize,
    /// Between the end of the load and the look at the memory.
    pub(crate) rest: Duration,
    /// How often a full queue is worked off.
    pub(crate) drains: usize,
    /// Calls that are queued each time.
    pub(crate) queued: usize,
    /// A/B pairs of an operator that comes up cold.
    pub(crate) rollouts: usize,
    /// Functions in each of them.
    pub(crate) functions: usize,
    /// Attempts that are made Jobs of, each time.
    pub(crate) jobs: usize,
}

impl Plan {
    pub(crate) fn full() -> Self {
        Self {
            name: "full",
            pairs: 5,
            round: Duration::from_secs(10),
            warm_up: Duration::from_secs(3),
            starts: 15,
            rest: Duration::from_secs(60),
            drains: 3,
            queued: 100_000,
            rollouts: 5,
            functions: 1000,
            jobs: 1000,
        }
    }

    pub(crate) fn quick() -> Self {
        Self {
            name: "quick",
            pairs: 5,
            round: Duration::from_millis(800),
            warm_up: Duration::from_millis(500),
            starts: 7,
            rest: Duration::from_secs(10),
            drains: 3,
            queued: 20_000,
            rollouts: 3,
            functions: 1000,
            jobs: 300,
        }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, pairs, round, warm_up, starts, rest, drains, queued, rollouts, functions, jobs } =
            self;
        write!(
            f,
            "{name} mode: {pairs} A/B pairs of {round:?} a side after {warm_up:?} of warm-up; {starts} starts; memory \
             after {rest:?} of rest; {drains} queues of {queued}; {rollouts} cold operators with {functions} Functions; \
             {jobs} Jobs a side"
        )
    }
}
