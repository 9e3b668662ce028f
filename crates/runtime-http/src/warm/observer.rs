use eventflow_domain::logs::Stream;
use eventflow_domain::ports::RuntimeReport;
use eventflow_domain::{FunctionKey, FunctionUid, VersionNumber};
use std::fmt::Debug;

/// A line of a warm copy that belongs to no single call.
#[derive(Debug, Clone, Copy)]
pub struct CopyLine<'a> {
    pub function: &'a FunctionKey,
    pub uid: FunctionUid,
    pub version: VersionNumber,
    pub stream: Stream,
    /// Without its line end.
    pub text: &'a str,
    /// Calls in flight on the copy when the line was read: none, or more than one.
    pub calls: usize,
}

/// Hears what happens between calls. Its methods must not block; both do nothing unless written.
pub trait Observer: Debug + Send + Sync {
    /// A copy came up, crashed or stopped.
    fn report(&self, report: RuntimeReport) {
        drop(report);
    }

    /// A warm copy printed a line while it had no call, or more than one: with exactly one, the line is that
    /// call's.
    fn line(&self, line: CopyLine<'_>) {
        let _ = line;
    }
}

/// Hears nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Nobody;

impl Observer for Nobody {}
