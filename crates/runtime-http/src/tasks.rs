//! The one place where tasks start: those that drive warm copies and their connections, which outlive any call.

use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Tasks that are waited for at shutdown.
#[derive(Debug, Clone, Default)]
pub struct Tasks {
    tracker: TaskTracker,
    closing: CancellationToken,
}

impl Tasks {
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        drop(self.tracker.spawn(task));
    }

    /// Becomes cancelled when the runtime shuts down.
    pub fn closing(&self) -> &CancellationToken {
        &self.closing
    }

    /// Tells all tasks to end and waits for them, but no longer than `patience`.
    pub async fn close(&self, patience: Duration) {
        self.closing.cancel();
        self.tracker.close();
        if tokio::time::timeout(patience, self.tracker.wait()).await.is_err() {
            tracing::warn!(tasks = self.tracker.len(), "tasks of warm copies did not end in time");
        }
    }
}
