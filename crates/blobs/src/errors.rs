//! What all adapters tell their callers.

use eventflow_domain::{Error, ErrorKind};
use std::time::Duration;

pub(crate) fn not_found(key: &str) -> Error {
    Error::new(ErrorKind::NotFound, "BlobNotFound", format!("blob {key} does not exist"))
}

pub(crate) fn full() -> Error {
    Error::new(ErrorKind::Unavailable, "StorageFull", "no space is left to store payloads and results")
        .with_retry_after(Duration::from_secs(30))
}
