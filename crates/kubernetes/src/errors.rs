//! Answers of the API server as errors of the domain.

use eventflow_domain::{Error, ErrorKind};
use std::time::Duration;

/// What the API server said, or why it said nothing; one line for people.
pub fn message(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => status.message.clone(),
        other => other.to_string(),
    }
}

/// There is no such object (any more).
pub fn is_gone(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.is_not_found())
}

/// It is there already, or was changed meanwhile.
pub fn is_conflict(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 409)
}

/// `doing` completes "failed to …". What was refused keeps the API server's words; what may work later is
/// `Unavailable`.
pub fn to_domain(doing: &str, error: kube::Error) -> Error {
    let kube::Error::Api(status) = &error else {
        return Error::unavailable(format!("failed to {doing}: the API server does not answer"))
            .with_cause(error);
    };
    let text = format!("failed to {doing}: {}", status.message);
    let wait = status.details.as_ref().map_or(0, |details| details.retry_after_seconds);
    let answer = match status.code {
        400 | 422 => Error::new(ErrorKind::Invalid, "RefusedByCluster", text),
        403 => Error::new(ErrorKind::Forbidden, "ForbiddenByCluster", text),
        404 => Error::new(ErrorKind::NotFound, "NotFoundInCluster", text),
        409 => Error::new(ErrorKind::VersionConflict, "VersionConflict", text),
        429 | 500..=599 => {
            Error::unavailable(text).with_retry_after(Duration::from_secs(u64::from(wait.max(1))))
        }
        _ => Error::new(ErrorKind::Internal, "Internal", text),
    };
    answer.with_cause(error)
}
