use super::{Facts, Problem};
use eventflow_domain::ErrorKind;
use eventflow_proto::status as wire;
use http::StatusCode;
use std::borrow::Cow;
use tonic::{Code, Status};

/// The one HTTP status of each kind of error.
pub fn http_status(kind: ErrorKind) -> StatusCode {
    status(wire::http_status(kind))
}

fn status(code: u16) -> StatusCode {
    StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// The reason of an error that brings none.
fn default_reason(code: Code) -> &'static str {
    match code {
        Code::InvalidArgument | Code::OutOfRange => "Invalid",
        Code::Unauthenticated => "Unauthenticated",
        Code::PermissionDenied => "PermissionDenied",
        Code::NotFound => "NotFound",
        Code::AlreadyExists => "AlreadyExists",
        Code::Aborted => "VersionConflict",
        Code::FailedPrecondition => "WrongState",
        Code::ResourceExhausted => "Exhausted",
        Code::Unavailable => "Unavailable",
        Code::DeadlineExceeded => "DeadlineExceeded",
        Code::Cancelled => "Cancelled",
        Code::Unimplemented => "Unimplemented",
        Code::Ok | Code::Unknown | Code::Internal | Code::DataLoss => "Internal",
    }
}

impl From<Status> for Problem {
    fn from(from: Status) -> Self {
        let mut found = wire::Problem::from(&from);
        let code = found.http_status();
        found.metadata.remove(wire::KIND);
        Self::from(Facts {
            status: status(code),
            reason: match found.reason {
                reason if reason.is_empty() => Cow::Borrowed(default_reason(found.code)),
                reason => Cow::Owned(reason),
            },
            detail: if found.message.is_empty() {
                found.code.description().to_owned()
            } else {
                found.message
            },
            errors: found.violations,
            metadata: found.metadata.into_iter().map(|(key, value)| (Cow::Owned(key), value)).collect(),
            retry_after: found.retry_after,
            allow: None,
        })
    }
}
