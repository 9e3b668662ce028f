//! What a person with the wrong tool does to the broker's streams.

use async_nats::jetstream::{self, stream};
use std::time::Duration;

const WORK: &str = "EVENTFLOW_EVENTS";

async fn context(url: &str) -> jetstream::Context {
    jetstream::new(async_nats::connect(url).await.expect("a connection to the broker"))
}

pub(super) async fn delete(url: &str) {
    context(url).await.delete_stream(WORK).await.expect("the stream is deleted");
}

pub(super) async fn purge(url: &str) {
    let stream = context(url).await.get_stream(WORK).await.expect("the stream is there");
    stream.purge().await.expect("the stream is purged");
}

/// Now it forgets what is old, and what is too much.
pub(super) async fn edit(url: &str) {
    let context = context(url).await;
    let stream = context.get_stream(WORK).await.expect("the stream is there");
    let mut config = stream.cached_info().config.clone();
    config.discard = stream::DiscardPolicy::Old;
    config.max_age = Duration::from_secs(1);
    config.duplicate_window = Duration::from_millis(500);
    config.max_messages = 5;
    context.update_stream(config).await.expect("the stream is edited");
}
