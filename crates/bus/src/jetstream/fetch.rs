//! Messages off the stream: one pull that does not wait, of one function.

use super::consumers;
use super::core::{Core, nothing_taken, within};
use super::names::Names;
use super::wire::{self, Meta};
use async_nats::StatusCode;
use async_nats::jetstream::AckKind;
use eventflow_domain::ports::Delivery;
use eventflow_domain::{Error, FunctionKey, Result};
use futures::StreamExt as _;
use serde::Serialize;

/// Messages of one pull, however many are asked for.
const MOST: usize = 1_000;

#[derive(Serialize)]
struct Pull {
    batch: usize,
    no_wait: bool,
}

/// How a pull ended.
enum End {
    /// The server had no more.
    Empty,
    /// As many as asked for came; `pending` more are there.
    Full { pending: u64 },
    /// There is no such consumer.
    Gone,
}

pub(super) async fn fetch(core: &Core, function: &FunctionKey, max: usize) -> Result<Vec<Delivery>> {
    let max = max.min(MOST).min(core.held.room());
    if max == 0 {
        return Ok(Vec::new());
    }
    let seen = core.activity.look();
    let mut again = true;
    loop {
        consumers::ensure(core, function).await?;
        let mut deliveries = Vec::with_capacity(max.min(64));
        match core.online(pull(core, function, max, &mut deliveries)).await {
            Ok(End::Gone) if deliveries.is_empty() => {
                core.consumers.forget(function);
                if !std::mem::take(&mut again) {
                    return Err(Error::unavailable("the bus has no consumer"));
                }
                continue;
            }
            Ok(End::Empty | End::Gone | End::Full { pending: 0 }) => core.activity.drained(function, seen),
            Err(error) if deliveries.is_empty() => return Err(error),
            // More are there; or the connection broke, and what came before is ours.
            Ok(End::Full { .. }) | Err(_) => {}
        }
        return Ok(deliveries);
    }
}

async fn pull(
    core: &Core,
    function: &FunctionKey,
    max: usize,
    deliveries: &mut Vec<Delivery>,
) -> Result<End> {
    let inbox = core.client.new_inbox();
    let ask = async {
        let answers = core.client.subscribe(inbox.clone()).await.map_err(nothing_taken)?;
        let subject =
            format!("$JS.API.CONSUMER.MSG.NEXT.{}.{}", core.names.events_stream, Names::consumer(function));
        let pull = serde_json::to_vec(&Pull { batch: max, no_wait: true });
        let pull = pull.map_err(|error| Error::internal("write a pull", error))?;
        core.client.publish_with_reply(subject, inbox, pull.into()).await.map_err(nothing_taken)?;
        Ok(answers)
    };
    let mut answers = within(core.config.request_timeout, ask).await?;
    let mut left = max;
    loop {
        let next = async {
            answers.next().await.ok_or_else(|| Error::unavailable("the connection of the bus is closed"))
        };
        let message = within(core.config.request_timeout, next).await?;
        match message.status {
            None | Some(StatusCode::OK) => {
                let meta = message.reply.as_deref().and_then(wire::meta);
                if let Some(meta) = meta {
                    deliveries.extend(receive(core, function, message, meta).await?);
                }
                left -= 1;
                if left == 0 {
                    return Ok(End::Full { pending: meta.map_or(0, |meta| meta.pending) });
                }
            }
            Some(StatusCode::IDLE_HEARTBEAT) => {}
            Some(StatusCode::NO_RESPONDERS) => return Ok(End::Gone),
            Some(status) => {
                let gone = message.description.as_deref().is_some_and(|text| text.contains("Deleted"));
                tracing::trace!(%function, %status, "end of a pull");
                return Ok(if gone { End::Gone } else { End::Empty });
            }
        }
    }
}

/// `None` for a message that can never become a call: it is taken off the stream, so that its neighbours go on.
async fn receive(
    core: &Core,
    function: &FunctionKey,
    message: async_nats::Message,
    meta: Meta,
) -> Result<Option<Delivery>> {
    core.counters.delivered.add(1);
    core.counters.redelivered.add((meta.delivered > 1).into());
    core.activity.delivered(function, meta.stream_seq);
    let decoded = wire::decode(&core.names, &message);
    let Some(reply) = message.reply else { return Ok(None) };
    match decoded {
        Ok(message) => {
            let token = core.held.hold(function.clone(), reply, meta);
            Ok(Some(Delivery { message, token }))
        }
        Err(poison) => {
            core.counters.poison.add(1);
            tracing::error!(%function, seq = meta.stream_seq, error = %poison, "took a poison message off the bus");
            let term =
                async { core.client.publish(reply, AckKind::Term.into()).await.map_err(nothing_taken) };
            within(core.config.request_timeout, term).await.map(|()| None)
        }
    }
}
