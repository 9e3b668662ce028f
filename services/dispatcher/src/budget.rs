//! The bytes that all calls of this process may hold in memory at once.

use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes of one permit.
const UNIT: u64 = 4 << 10;

#[derive(Debug, Clone)]
pub(crate) struct Budget {
    room: Arc<Semaphore>,
    all: u32,
}

impl Budget {
    pub(crate) fn new(bytes: u64) -> Self {
        let all = u32::try_from((bytes / UNIT).max(1)).unwrap_or(u32::MAX);
        Self { room: Arc::new(Semaphore::new(all as usize)), all }
    }

    /// Waits for room. What is larger than the whole budget gets it alone.
    pub(crate) async fn take(&self, bytes: u64) -> Option<OwnedSemaphorePermit> {
        let units = u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX).clamp(1, self.all);
        Arc::clone(&self.room).acquire_many_owned(units).await.ok()
    }
}
