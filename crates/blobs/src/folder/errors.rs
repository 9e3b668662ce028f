//! From the errors of the object store to ours.

use eventflow_domain::{Error, ErrorKind};
use std::error::Error as _;
use std::io;
use std::time::Duration;

/// Completes "failed to …".
#[derive(Debug, Clone, Copy)]
pub(super) struct Doing(pub(super) &'static str);

pub(super) fn of(doing: Doing, cause: object_store::Error) -> Error {
    if is_full(&cause) {
        return Error::new(
            ErrorKind::Unavailable,
            "StorageFull",
            "no space is left to store payloads and results",
        )
        .with_retry_after(Duration::from_secs(30))
        .with_cause(cause);
    }
    Error::internal(doing.0, cause)
}

/// The same where a blob that is not there is the caller's news.
pub(super) fn of_key(doing: Doing, key: &str, cause: object_store::Error) -> Error {
    match cause {
        object_store::Error::NotFound { .. } => {
            Error::new(ErrorKind::NotFound, "BlobNotFound", format!("blob {key} does not exist"))
        }
        cause => of(doing, cause),
    }
}

fn is_full(error: &object_store::Error) -> bool {
    let mut next = error.source();
    while let Some(cause) = next {
        if let Some(io) = cause.downcast_ref::<io::Error>() {
            return matches!(io.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
        }
        next = cause.source();
    }
    false
}
