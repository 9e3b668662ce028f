use super::output::Output;
use eventflow_domain::invocation::Failure;
use eventflow_runtime_http::Connections;
use std::sync::{Arc, OnceLock};
use tokio_util::sync::CancellationToken;

/// One running process that serves.
#[derive(Debug)]
pub(super) struct Copy {
    pub(super) id: u64,
    /// What was declared when it was started; with another environment it is not the same function.
    pub(super) env: Arc<[(String, String)]>,
    pub(super) connections: Arc<Connections>,
    pub(super) output: Output,
    /// Cancelled: the copy is to be ended.
    pub(super) end: CancellationToken,
    /// Cancelled: the process is gone.
    gone: CancellationToken,
    crash: OnceLock<Failure>,
}

impl Copy {
    pub(super) fn new(
        id: u64,
        env: Arc<[(String, String)]>,
        connections: Arc<Connections>,
        output: Output,
    ) -> Self {
        Self {
            id,
            env,
            connections,
            output,
            end: CancellationToken::new(),
            gone: CancellationToken::new(),
            crash: OnceLock::new(),
        }
    }

    pub(super) fn is_gone(&self, crash: Option<Failure>) {
        if let Some(crash) = crash {
            let _ = self.crash.set(crash);
        }
        self.gone.cancel();
    }

    /// Waits for the end of the process; why it ended, if not on our word.
    pub(super) async fn crashed(&self) -> Option<Failure> {
        self.gone.cancelled().await;
        self.crash.get().cloned()
    }
}
