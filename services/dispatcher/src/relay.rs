//! Outbox → bus. Whoever accepts calls runs one: what it publishes twice is claimed once.

use crate::backoff::Backoff;
use eventflow_domain::error::Chain;
use eventflow_domain::ports::{Bus, Clock, Message, Store};
use eventflow_domain::{Result, Timestamp};
use eventflow_telemetry::names::SPAN_PUBLISH;
use eventflow_telemetry::propagation;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::Span;
use tracing::field::Empty;

/// Rows published at once.
const BATCH: u32 = 500;
/// Longest pause between two looks into the outbox, whatever is known of the next due time.
const POLL: Duration = Duration::from_secs(1);

/// Tells the relay that an outbox row was written. Cheap to clone, never waits.
#[derive(Clone, Default)]
pub struct Wake(Arc<Notify>);

impl Wake {
    pub fn wake(&self) {
        self.0.notify_one();
    }
}

impl fmt::Debug for Wake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wake")
    }
}

/// Publishes outbox rows when they are due, and removes them once the bus has them.
#[derive(Debug)]
pub struct Relay {
    store: Arc<dyn Store>,
    bus: Arc<dyn Bus>,
    clock: Arc<dyn Clock>,
    wake: Wake,
}

impl Relay {
    pub fn new(store: Arc<dyn Store>, bus: Arc<dyn Bus>, clock: Arc<dyn Clock>) -> Self {
        Self { store, bus, clock, wake: Wake::default() }
    }

    pub fn handle(&self) -> Wake {
        self.wake.clone()
    }

    /// Works until `stop`. Errors of store and bus are waited out: the rows stay where they are.
    pub async fn run(&self, stop: CancellationToken) {
        let mut backoff = Backoff::of_a_port();
        while !stop.is_cancelled() {
            let pause = match self.pass().await {
                Ok(pause) => {
                    backoff.reset();
                    pause
                }
                Err(error) => {
                    tracing::warn!(error = %Chain(&error), "the relay failed to publish, trying again");
                    backoff.pause()
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.wake.0.notified() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Publishes all that is due; says when to look again.
    async fn pass(&self) -> Result<Duration> {
        loop {
            let rows = self.store.outbox_due(BATCH).await?;
            if rows.is_empty() {
                let next = self.store.outbox_next().await?;
                return Ok(next.map_or(POLL, |due| until(due, self.clock.now())));
            }
            let (seqs, mut messages): (_, Vec<Message>) =
                rows.into_iter().map(|row| (row.seq, row.message)).unzip();
            let spans: Vec<Span> = messages.iter_mut().filter_map(span).collect();
            self.bus.publish(messages).await?;
            drop(spans);
            self.store.outbox_done(seqs).await?;
        }
    }
}

/// The span of one message's way to the bus, where spans are wanted; the message then names it.
fn span(message: &mut Message) -> Option<Span> {
    let span = tracing::debug_span!(
        parent: None,
        SPAN_PUBLISH,
        otel.kind = "producer",
        trace_id = Empty,
        invocation_id = Empty,
        publish = message.publish,
    );
    if span.is_disabled() {
        return None;
    }
    span.record("invocation_id", tracing::field::display(message.invocation));
    message.trace = propagation::adopt(&span, Some(message.trace));
    Some(span)
}

/// Not zero: a row that is due by this clock but not by the store's must not make the relay spin.
fn until(due: Timestamp, now: Timestamp) -> Duration {
    due.since(now).clamp(Duration::from_millis(1), POLL)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_relay_looks_when_a_row_is_due_and_at_least_every_second() {
        let now = Timestamp::from_millis(10_000);
        let wait = |ms| until(Timestamp::from_millis(ms), now).as_millis();
        assert_eq!([wait(10_250), wait(90_000), wait(10_000), wait(5)], [250, 1000, 1, 1]);
    }
}
