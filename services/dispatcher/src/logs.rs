//! What running calls print: cut into lines, numbered, capped, stored in groups and told live.

mod capture;

pub(crate) use capture::CallLogs;

use crate::backoff::Backoff;
use eventflow_domain::error::Chain;
use eventflow_domain::function::FunctionKey;
use eventflow_domain::ids::{FunctionUid, InvocationId};
use eventflow_domain::logs::{FunctionLogLine, LogLine};
use eventflow_domain::ports::{Bus, Clock, Live, Store};
use futures::StreamExt as _;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Lines of one call that are flushed at once although the time has not come.
const FLUSH_BYTES: usize = 64 << 10;

/// Calls whose lines are handed to the store at once.
const AT_ONCE: usize = 64;

/// Whose lines they are.
#[derive(Debug, Clone)]
pub(crate) struct Owner {
    pub(crate) invocation: InvocationId,
    pub(crate) uid: FunctionUid,
    pub(crate) function: FunctionKey,
    pub(crate) attempt: u32,
}

/// Writes the lines of all calls.
#[derive(Debug)]
pub(crate) struct LogWriter {
    store: Arc<dyn Store>,
    bus: Arc<dyn Bus>,
    pub(super) clock: Arc<dyn Clock>,
    /// Calls with lines to write; each at most once.
    dirty: Mutex<Vec<Arc<CallLogs>>>,
    /// One flush at a time: whoever waits for it finds all that was captured before written.
    flushing: tokio::sync::Mutex<()>,
    filled: Notify,
    full: Notify,
    /// Captured bytes in memory, over all calls.
    pub(super) held: AtomicUsize,
    pub(super) max_held: usize,
    pub(super) cap: usize,
    flush: Duration,
}

impl LogWriter {
    pub(crate) fn new(ports: &crate::Ports, config: &crate::Config) -> Arc<Self> {
        Arc::new(Self {
            store: Arc::clone(&ports.store),
            bus: Arc::clone(&ports.bus),
            clock: Arc::clone(&ports.clock),
            dirty: Mutex::default(),
            flushing: tokio::sync::Mutex::new(()),
            filled: Notify::new(),
            full: Notify::new(),
            held: AtomicUsize::new(0),
            max_held: config.log_buffer,
            cap: usize::try_from(config.limits.logs).unwrap_or(usize::MAX),
            flush: config.log_flush,
        })
    }

    /// Captures one attempt.
    pub(crate) fn open(self: &Arc<Self>, owner: Owner) -> Arc<CallLogs> {
        CallLogs::open(owner, Arc::clone(self))
    }

    /// A call has its first line to write.
    fn enlist(&self, logs: Arc<CallLogs>) {
        self.dirty.lock().push(logs);
        self.filled.notify_one();
    }

    /// A call has many lines to write.
    fn hurry(&self) {
        self.full.notify_one();
    }

    /// Writes until `stop`, then what is left.
    pub(crate) async fn run(&self, stop: CancellationToken) {
        let mut backoff = Backoff::of_a_port();
        loop {
            if stop.run_until_cancelled(self.filled.notified()).await.is_some() {
                tokio::select! {
                    () = tokio::time::sleep(self.flush) => {}
                    () = self.full.notified() => {}
                    () = stop.cancelled() => {}
                }
            }
            if self.flush().await {
                backoff.reset();
            } else if stop.run_until_cancelled(backoff.wait()).await.is_some() {
                self.filled.notify_one();
            }
            if stop.is_cancelled() {
                return;
            }
        }
    }

    /// Writes what there is. Whether the store took all of it.
    pub(crate) async fn flush(&self) -> bool {
        let _one = self.flushing.lock().await;
        let calls = std::mem::take(&mut *self.dirty.lock());
        // Together, so that they share commits.
        let flushes = futures::stream::iter(calls).map(|call| async move { call.flush().await });
        flushes.buffer_unordered(AT_ONCE).fold(true, async |all, taken| all && taken).await
    }

    /// Whether the store took the lines.
    async fn write(&self, owner: &Owner, lines: &[LogLine]) -> bool {
        let appended =
            self.store.log_append(owner.invocation, owner.uid, &owner.function, lines.to_vec()).await;
        if let Err(error) = &appended {
            let (invocation_id, count) = (owner.invocation, lines.len());
            tracing::warn!(%invocation_id, count, error = %Chain(error), "failed to store log lines, trying again");
        }
        appended.is_ok()
    }

    fn tell(&self, owner: &Owner, lines: &[LogLine]) {
        let invocation = Some(owner.invocation);
        let lines =
            lines.iter().cloned().map(|line| FunctionLogLine { invocation, approximate: false, line });
        self.bus.announce(Live::LogLines { function: owner.function.clone(), lines: lines.collect() });
    }

    fn let_go(&self, bytes: usize) {
        self.held.fetch_sub(bytes, Ordering::Relaxed);
    }
}
