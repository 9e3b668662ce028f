//! Cleaning up after a caller who went away: there is nobody left to wait for it.

use std::future::Future;
use std::time::Duration;

/// Longest such work.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs `work` beside everything else, in bounded time; not at all where the runtime is gone. What it fails to do,
/// age does.
#[expect(clippy::disallowed_methods, reason = "whoever would hear of its end has hung up")]
pub(crate) fn run(work: impl Future<Output = ()> + Send + 'static) {
    if tokio::runtime::Handle::try_current().is_ok() {
        tokio::spawn(tokio::time::timeout(PATIENCE, work));
    }
}
