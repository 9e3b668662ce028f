//! Errors on the wire: one table from [`ErrorKind`] to gRPC code and HTTP status, and the details that go with it
//! (`google.rpc.ErrorInfo`, `BadRequest`, `RetryInfo`; AIP-193).

use eventflow_domain::{Error, ErrorKind, Violation};
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

/// The `domain` of every `ErrorInfo`.
pub const ERROR_DOMAIN: &str = "eventflow.io";

pub fn code(kind: ErrorKind) -> Code {
    match kind {
        ErrorKind::Invalid => Code::InvalidArgument,
        ErrorKind::Unauthenticated => Code::Unauthenticated,
        ErrorKind::Forbidden => Code::PermissionDenied,
        ErrorKind::NotFound => Code::NotFound,
        ErrorKind::AlreadyExists => Code::AlreadyExists,
        ErrorKind::VersionConflict | ErrorKind::PreconditionFailed => Code::Aborted,
        ErrorKind::WrongState | ErrorKind::KeyReused => Code::FailedPrecondition,
        ErrorKind::TooLarge | ErrorKind::Exhausted => Code::ResourceExhausted,
        ErrorKind::Unavailable => Code::Unavailable,
        ErrorKind::Deadline => Code::DeadlineExceeded,
        ErrorKind::Cancelled => Code::Cancelled,
        ErrorKind::Unimplemented => Code::Unimplemented,
        ErrorKind::Internal => Code::Internal,
    }
}

/// The HTTP status of a kind.
pub fn http_status(kind: ErrorKind) -> u16 {
    match kind {
        ErrorKind::Invalid => 400,
        ErrorKind::Unauthenticated => 401,
        ErrorKind::Forbidden => 403,
        ErrorKind::NotFound => 404,
        ErrorKind::AlreadyExists | ErrorKind::VersionConflict | ErrorKind::WrongState => 409,
        ErrorKind::PreconditionFailed => 412,
        ErrorKind::TooLarge => 413,
        ErrorKind::KeyReused => 422,
        ErrorKind::Exhausted => 429,
        // nginx's "client closed request": nobody reads it, but logs do.
        ErrorKind::Cancelled => 499,
        ErrorKind::Internal => 500,
        ErrorKind::Unimplemented => 501,
        ErrorKind::Unavailable => 503,
        ErrorKind::Deadline => 504,
    }
}

/// The HTTP status of an error that came as a gRPC status. The code alone does not tell 409 from 412, nor 413 from
/// 429; the kind travels as metadata of the `ErrorInfo`.
pub fn http_status_of(code: Code, kind: Option<&str>) -> u16 {
    if let Some(kind) = kind.and_then(kind_from_str) {
        return http_status(kind);
    }
    match code {
        Code::Ok => 200,
        Code::Cancelled => 499,
        Code::InvalidArgument | Code::OutOfRange => 400,
        Code::DeadlineExceeded => 504,
        Code::NotFound => 404,
        Code::AlreadyExists | Code::Aborted | Code::FailedPrecondition => 409,
        Code::PermissionDenied => 403,
        Code::Unauthenticated => 401,
        Code::ResourceExhausted => 429,
        Code::Unimplemented => 501,
        Code::Unavailable => 503,
        Code::Unknown | Code::Internal | Code::DataLoss => 500,
    }
}

/// The key under which the kind travels.
pub const KIND: &str = "kind";

const KINDS: [(ErrorKind, &str); 16] = [
    (ErrorKind::Invalid, "Invalid"),
    (ErrorKind::Unauthenticated, "Unauthenticated"),
    (ErrorKind::Forbidden, "Forbidden"),
    (ErrorKind::NotFound, "NotFound"),
    (ErrorKind::AlreadyExists, "AlreadyExists"),
    (ErrorKind::VersionConflict, "VersionConflict"),
    (ErrorKind::PreconditionFailed, "PreconditionFailed"),
    (ErrorKind::WrongState, "WrongState"),
    (ErrorKind::KeyReused, "KeyReused"),
    (ErrorKind::TooLarge, "TooLarge"),
    (ErrorKind::Exhausted, "Exhausted"),
    (ErrorKind::Unavailable, "Unavailable"),
    (ErrorKind::Deadline, "Deadline"),
    (ErrorKind::Cancelled, "Cancelled"),
    (ErrorKind::Unimplemented, "Unimplemented"),
    (ErrorKind::Internal, "Internal"),
];

fn kind_from_str(text: &str) -> Option<ErrorKind> {
    KINDS.iter().find(|(_, name)| *name == text).map(|(kind, _)| *kind)
}

fn kind_name(kind: ErrorKind) -> &'static str {
    KINDS.iter().find(|(of, _)| *of == kind).map_or("Internal", |(_, name)| name)
}

/// The public part of an error as a gRPC status. The private cause is not in it: log it before.
pub fn to_status(error: &Error) -> Status {
    let mut metadata: HashMap<String, String> =
        error.metadata().iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
    metadata.insert(KIND.to_owned(), kind_name(error.kind()).to_owned());
    let mut details = ErrorDetails::with_error_info(error.reason(), ERROR_DOMAIN, metadata);
    for violation in error.field_violations() {
        details.add_bad_request_violation(&violation.field, &violation.description);
    }
    if let Some(after) = error.retry_after() {
        details.set_retry_info(Some(after));
    }
    Status::with_error_details(code(error.kind()), error.message(), details)
}

/// What a client can read out of a status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub code: Code,
    pub message: String,
    /// `FunctionNotFound`; empty where the status has no `ErrorInfo`.
    pub reason: String,
    pub metadata: BTreeMap<String, String>,
    pub violations: Vec<Violation>,
    pub retry_after: Option<Duration>,
}

impl Problem {
    pub fn http_status(&self) -> u16 {
        http_status_of(self.code, self.metadata.get(KIND).map(String::as_str))
    }
}

impl From<&Status> for Problem {
    fn from(status: &Status) -> Self {
        let details = status.get_error_details();
        let info = details.error_info();
        Self {
            code: status.code(),
            message: status.message().to_owned(),
            reason: info.map(|info| info.reason.clone()).unwrap_or_default(),
            metadata: info.map(|info| info.metadata.clone().into_iter().collect()).unwrap_or_default(),
            violations: details.bad_request().map_or_else(Vec::new, |bad| {
                bad.field_violations.iter().map(|v| Violation::new(&v.field, &v.description)).collect()
            }),
            retry_after: details.retry_info().and_then(|retry| retry.retry_delay),
        }
    }
}

/// The error behind a status that another process of ours answered with.
///
/// Reasons and keys are words of our own code, so what is kept of them for ever is bounded; a status of somebody
/// else's is an internal error.
pub fn from_status(status: &Status) -> Error {
    let problem = Problem::from(status);
    let kind = problem.metadata.get(KIND).and_then(|kind| kind_from_str(kind));
    let (Some(kind), Some(reason)) = (kind, words::known(&problem.reason)) else {
        return Error::internal("ask another service", status.clone());
    };
    let mut error = if problem.violations.is_empty() {
        Error::new(kind, reason, problem.message)
    } else {
        Error::violations(problem.violations)
    };
    for (key, value) in problem.metadata.iter().filter(|(key, _)| *key != KIND) {
        if let Some(key) = words::known(key) {
            error = error.with_metadata(key, value);
        }
    }
    match problem.retry_after {
        Some(after) => error.with_retry_after(after),
        None => error,
    }
}

/// Words that live as long as the process.
mod words {
    use std::collections::HashSet;
    use std::sync::{LazyLock, Mutex, PoisonError};

    /// Far more than our code has.
    const MAX: usize = 512;
    const LONGEST: usize = 64;

    static WORDS: LazyLock<Mutex<HashSet<&'static str>>> = LazyLock::new(Mutex::default);

    /// `None` for what no word of ours looks like, and for words beyond the bound.
    pub(super) fn known(word: &str) -> Option<&'static str> {
        let ours =
            (1..=LONGEST).contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let mut words = WORDS.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(word) = words.get(word) {
            return Some(word);
        }
        if !ours || words.len() >= MAX {
            return None;
        }
        let word: &'static str = Box::leak(word.into());
        words.insert(word);
        Some(word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_survives_the_wire() {
        let error = Error::violations(vec![Violation::new("timeout", "must be a duration")])
            .with_metadata("limit", 5)
            .with_retry_after(Duration::from_secs(3));
        let problem = Problem::from(&to_status(&error));
        assert_eq!((problem.code, problem.http_status()), (Code::InvalidArgument, 400));
        assert_eq!((problem.reason.as_str(), problem.message.as_str()), ("Invalid", error.message()));
        assert_eq!(problem.violations, error.field_violations());
        assert_eq!(problem.metadata.get("limit").map(String::as_str), Some("5"));
        assert_eq!(problem.retry_after, Some(Duration::from_secs(3)));
    }

    #[test]
    fn an_error_is_the_same_in_another_process() {
        let error = Error::new(ErrorKind::Exhausted, "QueueFull", "the queue is full")
            .with_metadata("limit", 5)
            .with_retry_after(Duration::from_secs(3));
        let read = from_status(&to_status(&error));
        assert_eq!(
            (read.kind(), read.reason(), read.message(), read.metadata(), read.retry_after()),
            (error.kind(), error.reason(), error.message(), error.metadata(), error.retry_after())
        );
        let fields = Error::violations(vec![Violation::new("timeout", "must be a duration")]);
        assert_eq!(from_status(&to_status(&fields)).field_violations(), fields.field_violations());
    }

    #[test]
    fn a_status_that_is_not_ours_is_an_internal_error() {
        assert_eq!(from_status(&Status::not_found("nothing here")).kind(), ErrorKind::Internal);
    }

    #[test]
    fn every_kind_keeps_its_http_status_over_the_wire() {
        for (kind, _) in KINDS {
            let problem = Problem::from(&to_status(&Error::new(kind, "Test", "test")));
            assert_eq!(problem.http_status(), http_status(kind), "{kind:?}");
        }
    }

    #[test]
    fn a_private_cause_is_not_sent() {
        let error = Error::internal("read", std::io::Error::other("secret path"));
        let status = to_status(&error);
        assert!(!format!("{status:?}").contains("secret path"));
    }
}
