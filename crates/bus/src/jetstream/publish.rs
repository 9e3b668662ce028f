//! Messages onto the stream: sent in their order, many unconfirmed at once, done when all are confirmed.

use super::core::Core;
use super::{activity, wire};
use async_nats::jetstream::context::{PublishAckFuture, PublishError, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::{self, ErrorCode};
use eventflow_domain::ports::Message;
use eventflow_domain::{Error, ErrorKind, FunctionKey, Result};
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use std::collections::BTreeSet;
use std::error::Error as _;
use std::pin::pin;
use std::time::Duration;

/// Returns when the server has all of `messages`; after an error it has some of them, and knows them by their ids.
pub(super) async fn publish(core: &Core, messages: Vec<Message>) -> Result<()> {
    let functions: BTreeSet<FunctionKey> = messages
        .iter()
        .map(|message| &message.function)
        .collect::<BTreeSet<_>>()
        .into_iter()
        .cloned()
        .collect();
    let mut renewed = core.renewed.subscribe();
    let published = tokio::select! {
        published = core.online(publish_all(core, messages)) => published,
        // A stream that is gone confirms nothing.
        Ok(()) = renewed.changed() => Err(Error::unavailable("the stream of the bus was made anew")),
    };
    if published.is_err() {
        core.suspect.notify_one();
    }
    activity::announce(core, &functions).await;
    published
}

/// Sends in order, as far as the window of unconfirmed messages lets, and takes confirmations meanwhile.
async fn publish_all(core: &Core, messages: Vec<Message>) -> Result<()> {
    let mut unconfirmed = FuturesUnordered::new();
    for message in messages {
        let mut sending = pin!(send(core, message));
        loop {
            tokio::select! {
                biased;
                sent = &mut sending => {
                    unconfirmed.push(confirm(core, sent?));
                    break;
                }
                Some(confirmed) = unconfirmed.next() => confirmed?,
            }
        }
    }
    while let Some(confirmed) = unconfirmed.next().await {
        confirmed?;
    }
    Ok(())
}

async fn confirm(core: &Core, sent: PublishAckFuture) -> Result<()> {
    let confirmed = sent.await.map_err(|error| failed(core, error))?;
    core.counters.published.add(1);
    core.counters.duplicates.add(confirmed.duplicate.into());
    Ok(())
}

/// Hands a message to the connection; the result is the confirmation to come.
async fn send(core: &Core, message: Message) -> Result<PublishAckFuture> {
    let (headers, body) =
        wire::encode(&message).map_err(|error| Error::internal("write a message of the bus", error))?;
    let publish = PublishMessage::build().payload(body).headers(headers);
    // Bounded by the library: a permit is free when a confirmation comes or times out, and so is room to send.
    let sent = core.jetstream.send_publish(core.names.invoke(&message.function), publish).await;
    sent.map_err(|error| failed(core, error))
}

pub(super) fn failed(core: &Core, error: PublishError) -> Error {
    if error.kind() == PublishErrorKind::StreamNotFound {
        core.suspect.notify_one();
        return Error::unavailable("the bus has no stream").with_cause(error);
    }
    let said = error.source().and_then(|cause| cause.downcast_ref::<jetstream::Error>());
    let code = said.map(jetstream::Error::error_code);
    match code {
        Some(ErrorCode::STREAM_STORE_FAILED | ErrorCode::INSUFFICIENT_RESOURCES) => full().with_cause(error),
        Some(code) => Error::unavailable("the bus refuses").with_metadata("code", code.0).with_cause(error),
        None => Error::unavailable("the bus does not confirm").with_cause(error),
    }
}

fn full() -> Error {
    Error::new(ErrorKind::Unavailable, "BusFull", "the bus is full").with_retry_after(Duration::from_secs(1))
}
