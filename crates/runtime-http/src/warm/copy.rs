use super::start::{Env, Output};
use crate::connections::Connections;
use eventflow_domain::invocation::Failure;
use std::sync::{Arc, OnceLock};
use tokio_util::sync::CancellationToken;

/// One running copy that serves.
#[derive(Debug)]
pub(super) struct Copy {
    pub(super) id: u64,
    /// What was declared when it was started; with another environment it is not the same function.
    pub(super) env: Env,
    pub(super) connections: Arc<Connections>,
    pub(super) output: Arc<dyn Output>,
    /// Cancelled: the copy is to be ended.
    pub(super) end: CancellationToken,
    /// Cancelled: the copy is gone.
    gone: CancellationToken,
    crash: OnceLock<Failure>,
}

impl Copy {
    pub(super) fn new(id: u64, env: Env, connections: Arc<Connections>, output: Arc<dyn Output>) -> Self {
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
        self.connections.close();
        self.gone.cancel();
    }

    /// Waits for the end of the copy; why it ended, if not on our word.
    pub(super) async fn crashed(&self) -> Option<Failure> {
        self.gone.cancelled().await;
        self.crash.get().cloned()
    }
}
