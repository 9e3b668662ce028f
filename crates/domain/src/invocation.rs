//! The record of one call.

use crate::function::FunctionKey;
use crate::ids::{Epoch, FunctionUid, InvocationId, VersionNumber, WorkerId};
use crate::lifecycle::{Lifecycle, State};
use crate::time::Timestamp;
use crate::trace::TraceContext;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// How a call came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    Async,
    Sync,
    /// The function's own URL.
    Url,
    Replay,
}

impl Source {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Async => "async",
            Self::Sync => "sync",
            Self::Url => "url",
            Self::Replay => "replay",
        }
    }
}

/// Whether the code had to be started for the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StartKind {
    Cold,
    Warm,
}

/// Bytes with their content type: a payload or a result.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Content {
    pub bytes: Bytes,
    pub content_type: Option<Arc<str>>,
}

/// JSON is looked for in results up to this size: a parse costs about a millisecond per MiB.
const SNIFF: usize = 1 << 20;

impl Content {
    /// A result whose code said nothing of its type: `application/json` for a JSON document, `text/plain` for UTF-8,
    /// `application/octet-stream` for the rest; none where there are no bytes.
    pub fn guessed(bytes: Bytes) -> Self {
        let content_type = match bytes.first() {
            None => None,
            Some(_) if is_json(&bytes) => Some("application/json"),
            Some(_) if std::str::from_utf8(&bytes).is_ok() => Some("text/plain; charset=utf-8"),
            Some(_) => Some("application/octet-stream"),
        };
        Self { bytes, content_type: content_type.map(Into::into) }
    }
}

fn is_json(bytes: &[u8]) -> bool {
    let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
    matches!(first, Some(b'{' | b'['))
        && bytes.len() <= SNIFF
        && serde_json::from_slice::<serde::de::IgnoredAny>(bytes).is_ok()
}

/// Where recorded bytes are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// Not kept, or there was none.
    None,
    Inline(Bytes),
    /// A key of the blob store.
    Blob(Arc<str>),
}

/// A payload or a result as the record holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    pub body: Body,
    pub size: u64,
    pub content_type: Option<Arc<str>>,
}

impl Stored {
    pub const NOTHING: Self = Self { body: Body::None, size: 0, content_type: None };

    pub fn inline(content: Content) -> Self {
        Self {
            size: content.bytes.len() as u64,
            body: Body::Inline(content.bytes),
            content_type: content.content_type,
        }
    }
}

/// Why an attempt, or an invocation, did not succeed. Stable: users match on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Reason {
    /// The process ended with an exit code that is not 0.
    ExitCode,
    /// The process was ended by a signal that we did not send.
    Signal,
    Timeout,
    OutOfMemory,
    /// A WebAssembly trap.
    Trap,
    /// The function answered with a 4xx status: not retried.
    ClientError,
    /// The function answered with a 5xx status.
    ServerError,
    /// The function asked to be left alone for a while (429).
    TooManyRequests,
    /// The connection broke, or no valid answer came.
    NoAnswer,
    /// The result is larger than may be kept; it is never cut.
    ResultTooLarge,
    /// The code could not be started.
    StartFailed,
    StartDeadline,
    /// A secret or config named by `envFrom` does not exist.
    ConfigNotFound,
    /// The worker was lost: its lease ran out or its process ended.
    Lost,
    /// The cluster took the pod away: eviction, preemption, a node that is gone. No fault of the function.
    Evicted,
    /// It waited longer than `queue.maxAge`.
    Expired,
    FunctionDeleted,
    Cancelled,
    /// No runtime of this installation runs such a function.
    RuntimeUnavailable,
    Internal,
}

impl Reason {
    pub const ALL: [Self; 20] = [
        Self::ExitCode,
        Self::Signal,
        Self::Timeout,
        Self::OutOfMemory,
        Self::Trap,
        Self::ClientError,
        Self::ServerError,
        Self::TooManyRequests,
        Self::NoAnswer,
        Self::ResultTooLarge,
        Self::StartFailed,
        Self::StartDeadline,
        Self::ConfigNotFound,
        Self::Lost,
        Self::Evicted,
        Self::Expired,
        Self::FunctionDeleted,
        Self::Cancelled,
        Self::RuntimeUnavailable,
        Self::Internal,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::ExitCode => "ExitCode",
            Self::Signal => "Signal",
            Self::Timeout => "Timeout",
            Self::OutOfMemory => "OutOfMemory",
            Self::Trap => "Trap",
            Self::ClientError => "ClientError",
            Self::ServerError => "ServerError",
            Self::TooManyRequests => "TooManyRequests",
            Self::NoAnswer => "NoAnswer",
            Self::ResultTooLarge => "ResultTooLarge",
            Self::StartFailed => "StartFailed",
            Self::StartDeadline => "StartDeadline",
            Self::ConfigNotFound => "ConfigNotFound",
            Self::Lost => "Lost",
            Self::Evicted => "Evicted",
            Self::Expired => "Expired",
            Self::FunctionDeleted => "FunctionDeleted",
            Self::Cancelled => "Cancelled",
            Self::RuntimeUnavailable => "RuntimeUnavailable",
            Self::Internal => "Internal",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == text)
    }

    /// Whether the installation failed, not the function: such an attempt does not count against `maxAttempts`, but
    /// against the bound of lost ones.
    pub fn is_infrastructure(self) -> bool {
        matches!(self, Self::Lost | Self::Evicted)
    }

    /// Whether another attempt may help, where the function asks for retries.
    pub fn retryable(self) -> bool {
        !matches!(
            self,
            Self::ClientError
                | Self::ResultTooLarge
                | Self::Expired
                | Self::FunctionDeleted
                | Self::Cancelled
        )
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A failure in full: the reason, a text for people, and when the function itself asked to be tried again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub reason: Reason,
    pub message: String,
    pub retry_after: Option<Duration>,
}

impl Failure {
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), retry_after: None }
    }
}

/// What a run gave back.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Output {
    pub content: Content,
    /// The HTTP status, in http mode.
    pub status: Option<u16>,
}

/// One start of user code.
#[derive(Debug, Clone, PartialEq)]
pub struct Attempt {
    /// From 1.
    pub number: u32,
    pub epoch: Epoch,
    pub version: VersionNumber,
    pub worker: WorkerId,
    pub started_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    pub start: Option<StartKind>,
    /// `None` while it runs; then SUCCEEDED, FAILED or CANCELLED.
    pub outcome: Option<State>,
    pub exit_code: Option<i32>,
    pub failure: Option<Failure>,
}

/// The record of one call, whole.
#[derive(Debug, Clone, PartialEq)]
pub struct Invocation {
    pub id: InvocationId,
    pub function: FunctionKey,
    pub function_uid: FunctionUid,
    pub version: VersionNumber,
    pub lifecycle: Lifecycle,
    pub source: Source,
    pub caller: Arc<str>,
    pub replay_of: Option<InvocationId>,
    pub trace: TraceContext,
    pub payload: Stored,
    pub result: Stored,
    pub http_status: Option<u16>,
    pub failure: Option<Failure>,
    pub created_at: Timestamp,
    pub started_at: Option<Timestamp>,
    pub ended_at: Option<Timestamp>,
    /// Most recent last.
    pub attempts: Vec<Attempt>,
    /// Captured log bytes were cut at the cap.
    pub logs_truncated: bool,
    /// Of the last attempt that ended, where it is known.
    pub start: Option<StartKind>,
}

impl Invocation {
    pub fn state(&self) -> State {
        self.lifecycle.state
    }

    /// How long the call waited for its first start (for its end, if it never started); `None` while it waits.
    pub fn queue_wait(&self) -> Option<Duration> {
        Some(self.started_at.or(self.ended_at)?.since(self.created_at))
    }
}
