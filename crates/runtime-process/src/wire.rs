//! What server and launcher say to each other over the launcher's stdin, a socket: one JSON document per line. An
//! environment goes this way, and not by argv or by the launcher's own environment, so that no secret shows in
//! `/proc`.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Longest message; an environment with all its secrets fits by far.
pub(crate) const MAX_MESSAGE: u64 = 8 << 20;

/// The one word after the order: end the command now, SIGTERM first.
pub(crate) const END: &[u8] = b"end\n";

/// What to start, and within which bounds.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    pub command: Vec<String>,
    /// The whole environment.
    pub env: Vec<(String, String)>,
    /// Working folder; the launcher removes it with all it holds once everything has ended.
    pub scratch: PathBuf,
    /// The file that becomes stdin; none is `/dev/null`.
    pub stdin: Option<PathBuf>,
    /// Where the launcher notes what it started, for the next start of the server.
    pub records: PathBuf,
    /// Bytes of memory of all processes together; over it they are ended.
    pub memory: u64,
    pub open_files: u64,
    /// Bytes of one file.
    pub file_size: u64,
    /// Between SIGTERM and SIGKILL.
    pub grace_ms: u64,
}

/// A process that cannot be mistaken for a later one of the same pid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ProcessId {
    pub pid: i32,
    /// Clock ticks since boot.
    pub start_time: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Report {
    Started(ProcessId),
    NotStarted { not_found: bool, message: String },
    Ended(Exit),
}

/// How the command ended; by then everything it had started has ended too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Exit {
    pub code: Option<i32>,
    pub signal: Option<i32>,
    /// Bytes in use when it was ended for taking more memory than it may.
    pub over_memory: Option<u64>,
}
