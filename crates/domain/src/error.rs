//! The one error that crosses a port: a kind (which decides code, status and retry), a stable reason, a text for
//! the caller, and the internal cause, which is logged and never shown.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The reason of [`Error::draining`].
pub const DRAINING: &str = "Draining";

/// What went wrong, as the caller must understand it. Each kind has exactly one gRPC code and one HTTP status
/// (`eventflow_proto::status`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    Invalid,
    Unauthenticated,
    Forbidden,
    NotFound,
    AlreadyExists,
    /// Another writer was first; read again and retry.
    VersionConflict,
    /// A precondition of the request itself (`If-Match`) does not hold.
    PreconditionFailed,
    WrongState,
    /// An idempotency key came again with another payload.
    KeyReused,
    TooLarge,
    /// A quota, queue or budget is full; `retry_after` says when to try again.
    Exhausted,
    Unavailable,
    Deadline,
    Cancelled,
    Unimplemented,
    Internal,
}

/// One field of the request that breaks a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The path of the field as the caller wrote it: `retry.maxAttempts`, `env.A=B`.
    pub field: String,
    /// The rule, and what was found.
    pub description: String,
}

impl Violation {
    pub fn new(field: impl Into<String>, description: impl Into<String>) -> Self {
        Self { field: field.into(), description: description.into() }
    }
}

type Cause = Box<dyn std::error::Error + Send + Sync + 'static>;

/// An error of a port or of a use case.
#[derive(Debug)]
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: ErrorKind,
    reason: &'static str,
    message: String,
    violations: Vec<Violation>,
    metadata: BTreeMap<&'static str, String>,
    retry_after: Option<Duration>,
    cause: Option<Cause>,
}

impl Error {
    /// `reason` is stable and machine readable (`FunctionNotFound`); `message` is for people and is public.
    pub fn new(kind: ErrorKind, reason: &'static str, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            reason,
            message: message.into(),
            violations: Vec::new(),
            metadata: BTreeMap::new(),
            retry_after: None,
            cause: None,
        }))
    }

    /// A request with one bad field.
    pub fn invalid(field: impl Into<String>, description: impl Into<String>) -> Self {
        Self::violations(vec![Violation::new(field, description)])
    }

    /// A request with bad fields; the message names the first.
    pub fn violations(violations: Vec<Violation>) -> Self {
        let message = match violations.as_slice() {
            [] => "invalid request".to_owned(),
            [one] => format!("{}: {}", one.field, one.description),
            [first, rest @ ..] => {
                format!("{}: {} (and {} more)", first.field, first.description, rest.len())
            }
        };
        let mut error = Self::new(ErrorKind::Invalid, "Invalid", message);
        error.0.violations = violations;
        error
    }

    /// A fault of ours or of a part we depend on; `doing` completes "failed to …", the cause is only logged.
    pub fn internal(doing: impl fmt::Display, cause: impl Into<Cause>) -> Self {
        Self::new(ErrorKind::Internal, "Internal", format!("failed to {doing}")).with_cause(cause)
    }

    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unavailable, "Unavailable", message).with_retry_after(Duration::from_secs(1))
    }

    /// A refusal of a process that stops: nothing was begun here, another replica may be asked.
    pub fn draining(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unavailable, DRAINING, message).with_retry_after(Duration::from_secs(1))
    }

    pub fn function_not_found(name: &crate::FunctionName) -> Self {
        Self::new(ErrorKind::NotFound, "FunctionNotFound", format!("function {name:?} does not exist"))
    }

    pub fn invocation_not_found(id: crate::InvocationId) -> Self {
        Self::new(ErrorKind::NotFound, "InvocationNotFound", format!("invocation {id} does not exist"))
    }

    #[must_use]
    pub fn with_cause(mut self, cause: impl Into<Cause>) -> Self {
        self.0.cause = Some(cause.into());
        self
    }

    #[must_use]
    pub fn with_retry_after(mut self, after: Duration) -> Self {
        self.0.retry_after = Some(after);
        self
    }

    /// A machine-readable fact beside the text: the current version, the id in flight, the limit.
    #[must_use]
    pub fn with_metadata(mut self, key: &'static str, value: impl fmt::Display) -> Self {
        self.0.metadata.insert(key, value.to_string());
        self
    }

    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    pub fn reason(&self) -> &'static str {
        self.0.reason
    }

    pub fn message(&self) -> &str {
        &self.0.message
    }

    pub fn field_violations(&self) -> &[Violation] {
        &self.0.violations
    }

    pub fn metadata(&self) -> &BTreeMap<&'static str, String> {
        &self.0.metadata
    }

    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// Whether the same request may succeed later without a change by the caller.
    pub fn retryable(&self) -> bool {
        matches!(self.0.kind, ErrorKind::Unavailable | ErrorKind::Exhausted | ErrorKind::VersionConflict)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.cause.as_deref().map(|cause| cause as _)
    }
}

/// Prints an error with all its causes, for logs: `failed to open store: disk full`.
#[derive(Debug)]
pub struct Chain<'a>(pub &'a (dyn std::error::Error + 'a));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut next = self.0.source();
        while let Some(cause) = next {
            write!(f, ": {cause}")?;
            next = cause.source();
        }
        Ok(())
    }
}
