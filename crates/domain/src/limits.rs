//! The bounds of an installation.

use std::time::Duration;

/// Bounds on what one call may bring, take and leave behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a payload or a result.
    pub payload: u64,
    /// Bytes kept in SQL; more goes to the blob store.
    pub inline: u64,
    /// Bytes of stdout that are a result where no result file was written.
    pub stdout_result: u64,
    /// Bytes of captured logs per call.
    pub logs: u64,
    /// Bytes of an uploaded artifact.
    pub artifact: u64,
    /// Bytes buffered at once by all requests of a process; over it, 429.
    pub buffered: u64,
    /// How long a sync call or a `?wait=` may wait.
    pub max_wait: Duration,
    /// How far ahead a delayed call may lie.
    pub max_delay: Duration,
    /// How long an idempotency key is kept.
    pub idempotency: Duration,
    /// Attempts that may be lost before the call fails.
    pub max_lost: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            payload: 64 << 20,
            inline: 256 << 10,
            stdout_result: 1 << 20,
            logs: 1 << 20,
            artifact: 256 << 20,
            buffered: 512 << 20,
            max_wait: Duration::from_secs(600),
            max_delay: Duration::from_secs(30 * 86_400),
            idempotency: Duration::from_secs(24 * 3600),
            max_lost: 5,
        }
    }
}
