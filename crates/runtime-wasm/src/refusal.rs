use eventflow_domain::invocation::Failure;
use eventflow_domain::{Condition, ConditionStatus, Error, ErrorKind, Readiness, Reason, Timestamp};

/// Why code cannot run: the function's own fault, or ours for the moment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Refusal {
    /// CamelCase, stable: the reason of the condition.
    pub reason: &'static str,
    pub message: String,
    /// The field of the spec that is to be changed.
    pub field: &'static str,
    /// Another try may succeed with the same code.
    pub transient: bool,
}

impl Refusal {
    /// The code itself, or what the spec says of it, will not do.
    pub(crate) fn of(field: &'static str, reason: &'static str, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), field, transient: false }
    }

    pub(crate) fn code(reason: &'static str, message: impl Into<String>) -> Self {
        Self::of("image", reason, message)
    }

    pub(crate) fn transient(reason: &'static str, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), field: "image", transient: true }
    }

    /// The compiler panicked.
    pub(crate) fn gave_up() -> Self {
        Self::code("CompileFailed", "the compiler gave up on this code")
    }

    pub(crate) fn failure(&self) -> Failure {
        Failure::new(Reason::StartFailed, self.message.clone())
    }

    /// As the answer to an apply.
    pub(crate) fn error(&self) -> Error {
        if self.transient {
            Error::unavailable(self.message.clone())
        } else if self.reason == "CodeTooLarge" {
            Error::new(ErrorKind::TooLarge, "CodeTooLarge", self.message.clone())
        } else {
            Error::invalid(self.field, self.message.clone())
        }
    }

    pub(crate) fn readiness(self, now: Timestamp) -> Readiness {
        ready(ConditionStatus::False, self.reason, self.message, now)
    }
}

/// Wasm has no copies: it is ready or not. The generation is the registry's to fill in.
pub(crate) fn ready(status: ConditionStatus, reason: &str, message: String, now: Timestamp) -> Readiness {
    let condition = Condition {
        kind: Readiness::READY.to_owned(),
        status,
        reason: reason.to_owned(),
        message,
        observed_generation: 0,
        since: now,
    };
    Readiness { conditions: vec![condition], ..Readiness::default() }
}
