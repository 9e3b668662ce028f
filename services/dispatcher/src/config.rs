//! What an installation may set.

use eventflow_domain::limits::Limits;
use eventflow_domain::ports::Retention;
use std::time::Duration;

/// The dispatcher's settings; [`Config::default`] is right for one machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Most runs at once in this process, over all functions. At least 1.
    pub slots: usize,
    /// The bound of runs at once is lowered to this under overload, but no further; at most `slots`.
    pub min_slots: usize,
    /// Runs at once of a function that declares no `concurrency`.
    pub default_concurrency: u32,
    /// Starts that a function gets in one turn while others wait.
    pub quantum: usize,
    /// Calls claimed in one transaction.
    pub claim_batch: usize,
    /// Sync calls that may wait for a slot, over all functions; one more is refused with 429.
    pub max_waiting: usize,
    /// How long a claim lasts unless it is renewed; renewed every third of it.
    pub lease: Duration,
    /// How long this process's share of a function's bound lasts unless it is renewed; renewed every third of it.
    pub slot_lease: Duration,
    /// No other process works on this store: at start every other worker is dead.
    pub sole: bool,
    /// What a runtime gets beyond start deadline and timeout before the dispatcher ends the run itself.
    pub backstop: Duration,
    /// A sync call that runs longer than this gets its record while it runs.
    pub record_start_after: Duration,
    /// How long a request to a function's URL may wait for a slot.
    pub proxy_wait: Duration,
    /// Longest pause between the end of a sync call and its record.
    pub record_flush: Duration,
    /// Records of ended sync calls that may wait for their commit; more calls are refused with 429.
    pub record_buffer: usize,
    /// Longest time that captured lines stay in memory only.
    pub log_flush: Duration,
    /// Captured bytes kept for a store that is down; over it, lines are dropped with a marker.
    pub log_buffer: usize,
    /// Between two looks for lost leases.
    pub sweep_every: Duration,
    /// Between two looks for waiting calls that the bus forgot or that are too old.
    pub repair_every: Duration,
    /// Between two removals of old records and unused blobs.
    pub retain_every: Duration,
    pub retention: Retention,
    /// Blobs younger than this are never collected.
    pub blob_min_age: Duration,
    /// Functions compiled or started at once.
    pub prepare_at_once: usize,
    /// How long running calls may go on at shutdown.
    pub grace: Duration,
    pub limits: Limits,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            slots: 256,
            min_slots: 32,
            default_concurrency: 50,
            quantum: 8,
            claim_batch: 64,
            max_waiting: 10_000,
            lease: Duration::from_secs(30),
            slot_lease: Duration::from_secs(10),
            sole: true,
            backstop: Duration::from_secs(10),
            record_start_after: Duration::from_millis(100),
            proxy_wait: Duration::from_secs(30),
            record_flush: Duration::from_millis(20),
            record_buffer: 8192,
            log_flush: Duration::from_millis(250),
            log_buffer: 64 << 20,
            sweep_every: Duration::from_secs(1),
            repair_every: Duration::from_secs(10),
            retain_every: Duration::from_secs(300),
            retention: Retention {
                max_age: Duration::from_secs(7 * 86_400),
                max_count: 100_000,
                batch: 1000,
            },
            blob_min_age: Duration::from_secs(3600),
            prepare_at_once: 2,
            grace: Duration::from_secs(25),
            limits: Limits::default(),
        }
    }
}
