//! The handle to whoever inserts, and what is inserted.

use anyhow::Result;
use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

/// Rows of one commit, at the most.
pub(super) const GROUP: usize = 256;

/// A row, and whom to tell that it is durable.
pub(super) type Waiting = (NewRow, oneshot::Sender<()>);

/// What varies from call to call.
#[derive(Debug)]
pub(super) struct NewRow {
    pub(super) id: Uuid,
    pub(super) name: String,
    pub(super) content_type: String,
    pub(super) payload: Bytes,
    pub(super) micros: i64,
}

impl NewRow {
    pub(super) fn now(name: String, content_type: String, payload: Bytes) -> Self {
        let id = Uuid::now_v7();
        let (seconds, nanos) = id.get_timestamp().map(|at| at.to_unix()).unwrap_or_default();
        Self { id, name, content_type, payload, micros: seconds as i64 * 1_000_000 + i64::from(nanos / 1000) }
    }
}

/// The cheap handle to the writers.
#[derive(Debug, Clone)]
pub(super) struct Store(pub(super) mpsc::Sender<Waiting>);

impl Store {
    /// Durable when it returns.
    pub(super) async fn insert(&self, row: NewRow) -> Result<()> {
        let (done, answer) = oneshot::channel();
        self.0.send((row, done)).await?;
        Ok(answer.await?)
    }
}
