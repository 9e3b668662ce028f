//! What is told of deliveries: done, not now, still running.

use super::core::{Core, nothing_taken, offline, within};
use async_nats::client::RequestErrorKind;
use async_nats::jetstream::AckKind;
use async_nats::{Request, Subject};
use bytes::Bytes;
use eventflow_domain::error::Chain;
use eventflow_domain::ports::Delivery;
use eventflow_domain::{Error, Result};
use futures::stream::{self, StreamExt as _};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};

/// Acks unconfirmed at once, of one call.
const WINDOW: usize = 256;
/// The least delay: the server takes none for "at once, for ever".
const SHORTEST: Duration = Duration::from_millis(1);
const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);

/// Acks and waits for the server's word. What it does not confirm stays owed, and is told again.
pub(super) async fn ack(core: &Core, tokens: impl IntoIterator<Item = u64>) -> Result<()> {
    let owed: Vec<(u64, Subject)> =
        tokens.into_iter().filter_map(|token| Some((token, core.held.done(token)?.reply))).collect();
    if owed.is_empty() {
        return Ok(());
    }
    let acks =
        stream::iter(owed).map(|(token, reply)| confirmed(core, token, reply)).buffer_unordered(WINDOW);
    core.online(async {
        let failed = acks.filter_map(|acked| std::future::ready(acked.err())).collect::<Vec<Error>>().await;
        failed.into_iter().next().map_or(Ok(()), Err)
    })
    .await
}

async fn confirmed(core: &Core, token: u64, reply: Subject) -> Result<()> {
    let ack = Request::new().payload(AckKind::Ack.into()).timeout(Some(core.config.request_timeout));
    match core.client.send_request(reply, ack).await {
        Ok(_) => {}
        // The consumer went with what it knew: the message comes again and is stale.
        Err(error) if error.kind() == RequestErrorKind::NoResponders => {}
        Err(error) => return Err(Error::unavailable("the bus does not confirm").with_cause(error)),
    }
    core.held.release(token);
    Ok(())
}

/// Gives a message back. Where this fails it comes again when its ack is overdue.
pub(super) async fn nak(core: &Core, delivery: Delivery, delay: Duration) -> Result<()> {
    let Some(entry) = core.held.release(delivery.token) else { return Ok(()) };
    let delay = delay.clamp(SHORTEST, LONGEST);
    core.activity.delay(&entry.function, entry.stream_seq, delay);
    let sent = async {
        core.client.publish(entry.reply, AckKind::Nak(Some(delay)).into()).await.map_err(nothing_taken)
    };
    core.online(within(core.config.request_timeout, sent)).await
}

/// Keeps alive what runs here, and tells again what is owed: every third of the time after which the server would
/// deliver it again, and as soon as a lost connection is back.
pub(super) async fn keep(core: Arc<Core>) {
    let mut turns = core.link.watch();
    let mut ticks = interval(core.config.ack_wait / 3);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            changed = turns.changed() => if changed.is_err() { return },
        }
        if let Err(error) = keep_once(&core).await {
            tracing::debug!(error = %Chain(&error), "failed to keep deliveries alive");
        }
    }
}

async fn keep_once(core: &Core) -> Result<()> {
    if !core.is_up() {
        return Err(offline());
    }
    for reply in core.held.running() {
        // It may have ended meanwhile: the server takes no notice then.
        core.send(reply, Bytes::from(AckKind::Progress)).await?;
    }
    let wait = core.config.ack_wait;
    ack(core, core.held.owed(wait / 3, wait * 2)).await
}
