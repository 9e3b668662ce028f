//! Outbox → bus. Whoever accepts calls runs one: what it publishes twice is claimed once.

use crate::backoff::Backoff;
use eventflow_domain::error::Chain;
use eventflow_domain::ports::{Bus, Clock, Message, Store};
use eventflow_domain::{Result, Timestamp};
use eventflow_telemetry::names::SPAN_PUBLISH;
use eventflow_telemetry::propagation;
use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Span;
use tracing::field::Empty;

/// Rows published at once.
const BATCH: u32 = 500;
/// Longest pause between two looks into the outbox, whatever is known of the next due time.
pub(crate) const POLL: Duration = Duration::from_secs(1);
/// How long published rows may stay, so that their removal does not take the next commit from the claims it is for.
const LINGER: Duration = Duration::from_millis(3);
/// Published rows that are removed at once, because others wait behind them.
const MANY: usize = 32;

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

/// Rows that the bus has and the outbox still holds.
#[derive(Debug, Default)]
struct Sent {
    seqs: HashSet<i64>,
    /// When the first of them is to be removed.
    until: Option<Instant>,
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
        let (mut backoff, mut sent, mut failing) = (Backoff::of_a_port(), Sent::default(), false);
        while !stop.is_cancelled() {
            let pause = match self.pass(&mut sent).await {
                Ok(pause) => {
                    backoff.reset();
                    if std::mem::take(&mut failing) {
                        tracing::info!("the relay publishes again");
                    }
                    pause
                }
                // Each call that is accepted meanwhile makes it try: that is told once.
                Err(error) if std::mem::replace(&mut failing, true) => {
                    tracing::debug!(error = %Chain(&error), "the relay still fails to publish");
                    backoff.pause()
                }
                Err(error) => {
                    tracing::warn!(error = %Chain(&error), "the relay failed to publish, trying again");
                    backoff.pause()
                }
            };
            tokio::select! {
                () = stop.cancelled() => break,
                () = self.wake.0.notified() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
        // What stays is published again by the next start, and claimed once all the same.
        if let Err(error) = self.remove(&mut sent).await {
            tracing::debug!(error = %Chain(&error), "failed to remove published rows");
        }
    }

    /// Publishes all that is due; says when to look again.
    async fn pass(&self, sent: &mut Sent) -> Result<Duration> {
        loop {
            if sent.seqs.len() >= MANY || sent.until.is_some_and(|until| until <= Instant::now()) {
                self.remove(sent).await?;
            }
            let there = u32::try_from(sent.seqs.len()).unwrap_or(u32::MAX);
            let mut rows = self.store.outbox_due(BATCH.saturating_add(there)).await?;
            rows.retain(|row| !sent.seqs.contains(&row.seq));
            if rows.is_empty() {
                return self.pause(sent).await;
            }
            let (seqs, mut messages): (Vec<i64>, Vec<Message>) =
                rows.into_iter().map(|row| (row.seq, row.message)).unzip();
            let spans: Vec<Span> = messages.iter_mut().filter_map(span).collect();
            self.bus.publish(messages).await?;
            drop(spans);
            sent.seqs.extend(seqs);
            sent.until.get_or_insert_with(|| Instant::now() + LINGER);
        }
    }

    /// How long to wait where all that is due is published.
    async fn pause(&self, sent: &Sent) -> Result<Duration> {
        if let Some(until) = sent.until {
            return Ok(until.duration_since(Instant::now()));
        }
        let next = self.store.outbox_next().await?;
        Ok(next.map_or(POLL, |due| until(due, self.clock.now())))
    }

    async fn remove(&self, sent: &mut Sent) -> Result<()> {
        if !sent.seqs.is_empty() {
            self.store.outbox_done(sent.seqs.iter().copied().collect()).await?;
            *sent = Sent::default();
        }
        Ok(())
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
