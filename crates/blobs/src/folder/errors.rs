//! From the errors of the object store to ours.

use crate::errors::{full, not_found};
use eventflow_domain::Error;
use std::error::Error as _;
use std::io;

/// Completes "failed to …".
#[derive(Debug, Clone, Copy)]
pub(super) struct Doing(pub(super) &'static str);

pub(super) fn of(doing: Doing, cause: object_store::Error) -> Error {
    if is_full(&cause) {
        return full().with_cause(cause);
    }
    Error::internal(doing.0, cause)
}

/// The same where a blob that is not there is the caller's news.
pub(super) fn of_key(doing: Doing, key: &str, cause: object_store::Error) -> Error {
    match cause {
        object_store::Error::NotFound { .. } => not_found(key),
        cause => of(doing, cause),
    }
}

/// The same of a blob's own file.
pub(super) fn of_file(doing: &'static str, key: &str, cause: io::Error) -> Error {
    match cause.kind() {
        io::ErrorKind::NotFound => not_found(key),
        _ => Error::internal(doing, cause),
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
