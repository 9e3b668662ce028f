//! What a person with the wrong tool does to the broker's streams.

use async_nats::jetstream::{self, stream};
use futures::TryStreamExt as _;
use std::fmt::Write as _;
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

/// What the stream of work has of each function, and what its consumers make of it.
pub(super) async fn look(url: &str) -> String {
    let stream = context(url).await.get_stream(WORK).await.expect("the stream is there");
    let mut text = format!("{:?}\n", stream.cached_info().state);
    let subjects = stream.info_with_subjects(">").await.expect("its subjects");
    let subjects: Vec<_> = subjects.try_collect().await.expect("its subjects");
    let _written = writeln!(text, "{subjects:?}");
    let consumers: Vec<jetstream::consumer::Info> =
        stream.consumers().try_collect().await.expect("its consumers");
    for consumer in consumers {
        let jetstream::consumer::Info { name, delivered, ack_floor, num_ack_pending, num_pending, .. } =
            consumer;
        let _written = writeln!(
            text,
            "{name}: {num_pending} pending, {num_ack_pending} in flight, delivered {delivered:?}, acked {ack_floor:?}"
        );
    }
    text
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
