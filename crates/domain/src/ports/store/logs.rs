use crate::error::Result;
use crate::function::FunctionKey;
use crate::ids::{FunctionUid, InvocationId};
use crate::logs::{FunctionLogLine, LogLine, LogPosition};
use crate::time::Timestamp;
use async_trait::async_trait;
use std::fmt::Debug;

/// Which lines of a function's calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogQuery {
    pub function: FunctionKey,
    pub since: Option<Timestamp>,
    /// The last so many, in order; at most 10,000.
    pub tail: u32,
    /// That come before this line in the order of a function's lines: to read on backwards.
    pub before: Option<LineKey>,
}

/// Where a line stands among those of all calls of a function: by time, call and place in the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct LineKey {
    pub time: Timestamp,
    pub invocation: InvocationId,
    pub position: LogPosition,
}

/// Captured output, kept with the records.
#[async_trait]
pub trait LogStore: Debug + Send + Sync {
    /// Appends lines of one attempt. Lines already there (same position) are left as they are. A call without a
    /// record yet is fine: its record follows within a second.
    async fn log_append(
        &self,
        invocation: InvocationId,
        function_uid: FunctionUid,
        function: &FunctionKey,
        lines: Vec<LogLine>,
    ) -> Result<()>;

    /// Lines of one call behind `after`, in order, at most `limit`.
    async fn log_read(
        &self,
        invocation: InvocationId,
        after: Option<LogPosition>,
        limit: u32,
    ) -> Result<Vec<LogLine>>;

    /// Lines of all calls of a function, by time.
    async fn log_query(&self, query: &LogQuery) -> Result<Vec<FunctionLogLine>>;
}
