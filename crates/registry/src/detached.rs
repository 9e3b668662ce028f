//! Writes that go on when their caller has gone.

use eventflow_domain::{Error, Result};
use std::future::Future;

/// Runs `write` to its end, even if the returned future is dropped half way (the client hung up): a write that the
/// store has and the index has not would stay unseen until the next start.
///
/// `doing` completes "failed to …".
#[expect(
    clippy::disallowed_methods,
    reason = "the task ends with the write it carries, and its caller sees how"
)]
pub(crate) async fn to_the_end<T: Send + 'static>(
    doing: &'static str,
    write: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    tokio::spawn(write).await.unwrap_or_else(|broken| Err(Error::internal(doing, broken)))
}
