//! The record of sync calls, written in groups shortly after their answer.
//!
//! A call reserves its place before it runs, so that a store that is down stops new calls and never loses one
//! that ran.

use crate::backoff::Backoff;
use crate::logs::LogWriter;
use eventflow_domain::error::Chain;
use eventflow_domain::ports::Store;
use eventflow_domain::{Body, Error, ErrorKind, Invocation, Result};
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Records in one commit.
const BATCH: usize = 512;
/// Bytes of payloads and results that may wait; over it no more calls are let in.
const MAX_BYTES: usize = 64 << 20;
/// Longest wait for a place; a caller that waits holds a slot.
const MAX_WAIT: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(crate) struct Recorder {
    shared: Arc<Shared>,
    flush: Duration,
}

#[derive(Debug)]
struct Shared {
    waiting: Mutex<Waiting>,
    /// Places taken: of running calls and of records that wait.
    places: AtomicUsize,
    max: usize,
    filled: Notify,
    /// A group is full, or somebody waits for the end.
    hurry: Notify,
    written: Notify,
    /// There may be a place again.
    freed: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    records: Vec<Invocation>,
    bytes: usize,
    /// A group is being written.
    writing: bool,
}

/// A place for one record; free again when dropped unused.
#[derive(Debug)]
pub(crate) struct Place(Option<Arc<Shared>>);

impl Place {
    /// The record, to be written within the flush time.
    pub(crate) fn put(mut self, record: Invocation) {
        let Some(shared) = self.0.take() else { return };
        {
            let mut waiting = shared.waiting.lock();
            waiting.bytes += bytes(&record);
            waiting.records.push(record);
            if waiting.records.len() == BATCH {
                shared.hurry.notify_one();
            }
        }
        shared.filled.notify_one();
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(shared) = self.0.take() {
            shared.places.fetch_sub(1, Ordering::Relaxed);
            shared.freed.notify_waiters();
        }
    }
}

fn bytes(record: &Invocation) -> usize {
    let of = |body: &Body| if let Body::Inline(bytes) = body { bytes.len() } else { 0 };
    of(&record.payload.body) + of(&record.result.body)
}

impl Recorder {
    pub(crate) fn new(max: usize, flush: Duration) -> Self {
        let shared = Shared {
            waiting: Mutex::default(),
            places: AtomicUsize::new(0),
            max,
            filled: Notify::new(),
            hurry: Notify::new(),
            written: Notify::new(),
            freed: Notify::new(),
        };
        Self { shared: Arc::new(shared), flush }
    }

    /// A place for the record of a call about to run. It is waited for until `deadline`, [`MAX_WAIT`] at most, so that
    /// callers that never pause are slowed to what the store takes; then `Exhausted`, as while the store is down.
    pub(crate) async fn reserve(&self, deadline: Instant) -> Result<Place> {
        if let Some(place) = self.try_reserve() {
            return Ok(place);
        }
        let deadline = deadline.min(Instant::now() + MAX_WAIT);
        tokio::time::timeout_at(deadline, self.next_place()).await.map_err(|_| {
            Error::new(ErrorKind::Exhausted, "RecorderFull", "records wait for the store")
                .with_retry_after(Duration::from_secs(1))
        })
    }

    async fn next_place(&self) -> Place {
        loop {
            // Begun before the look: what comes free between the two is not missed.
            let freed = self.shared.freed.notified();
            if let Some(place) = self.try_reserve() {
                return place;
            }
            freed.await;
        }
    }

    fn try_reserve(&self) -> Option<Place> {
        if self.shared.waiting.lock().bytes > MAX_BYTES {
            return None;
        }
        let free = |taken: usize| (taken < self.shared.max).then_some(taken + 1);
        self.shared.places.fetch_update(Ordering::Relaxed, Ordering::Relaxed, free).ok()?;
        Some(Place(Some(Arc::clone(&self.shared))))
    }

    /// Writes until `stop`, then what is left.
    pub(crate) async fn run(&self, store: &Arc<dyn Store>, logs: &LogWriter, stop: CancellationToken) {
        let mut backoff = Backoff::of_a_port();
        loop {
            if stop.run_until_cancelled(self.shared.filled.notified()).await.is_some() {
                tokio::select! {
                    () = tokio::time::sleep(self.flush) => {}
                    () = self.shared.hurry.notified() => {}
                    () = stop.cancelled() => {}
                }
            }
            while let Some(group) = self.take() {
                // Lines are readable when the record says that the call has ended. If not, their writer tries again.
                logs.flush().await;
                self.write(store, group, &mut backoff).await;
            }
            if stop.is_cancelled() {
                return;
            }
        }
    }

    /// Waits until all records are written.
    pub(crate) async fn flushed(&self) {
        loop {
            let written = self.shared.written.notified();
            {
                let waiting = self.shared.waiting.lock();
                if waiting.records.is_empty() && !waiting.writing {
                    return;
                }
            }
            self.shared.filled.notify_one();
            self.shared.hurry.notify_one();
            written.await;
        }
    }

    fn take(&self) -> Option<Vec<Invocation>> {
        let mut waiting = self.shared.waiting.lock();
        let n = waiting.records.len().min(BATCH);
        waiting.writing = n > 0;
        (n > 0).then(|| waiting.records.drain(..n).collect())
    }

    async fn write(&self, store: &Arc<dyn Store>, group: Vec<Invocation>, backoff: &mut Backoff) {
        let (count, size) = (group.len(), group.iter().map(bytes).sum::<usize>());
        while let Err(error) = store.record(group.clone()).await {
            if error.retryable() {
                tracing::warn!(error = %Chain(&error), count, "failed to record sync calls, trying again");
                backoff.wait().await;
            } else {
                tracing::error!(error = %Chain(&error), count, "failed to record sync calls, one by one now");
                one_by_one(store, &group).await;
                break;
            }
        }
        backoff.reset();
        self.shared.places.fetch_sub(count, Ordering::Relaxed);
        {
            let mut waiting = self.shared.waiting.lock();
            waiting.bytes = waiting.bytes.saturating_sub(size);
            waiting.writing = false;
        }
        self.shared.written.notify_waiters();
        self.shared.freed.notify_waiters();
    }
}

/// A record that the store will never take must not keep the others from it.
async fn one_by_one(store: &Arc<dyn Store>, group: &[Invocation]) {
    for record in group {
        if let Err(error) = store.record(vec![record.clone()]).await {
            tracing::error!(invocation_id = %record.id, error = %Chain(&error), "a sync call has no record");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_call_waits_for_the_place_that_another_gives_back() {
        let recorder = Recorder::new(1, Duration::ZERO);
        let first = recorder.reserve(Instant::now()).await.expect("a place");
        let refused = recorder.reserve(Instant::now()).await.expect_err("none is free");
        assert_eq!((refused.kind(), refused.reason()), (ErrorKind::Exhausted, "RecorderFull"));
        let second = recorder.reserve(Instant::now() + Duration::from_secs(60));
        let (second, ()) = tokio::join!(second, async { drop(first) });
        second.expect("the place that came free");
        recorder.reserve(Instant::now()).await.expect("none is lost");
    }
}
