//! One consumer for each active function: made when it is first fetched from, gone when nobody asks any more.

use super::core::{Core, refused};
use super::names::Names;
use async_nats::jetstream::consumer::pull;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy};
use async_nats::jetstream::{self, ErrorCode};
use eventflow_domain::{Error, FunctionKey, Result};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::time::Duration;
use tokio::time::Instant;

/// Consumers remembered; the server is asked again for others.
const KNOWN: usize = 100_000;

/// Consumers that were there when this process last asked.
#[derive(Debug, Default)]
pub(super) struct Consumers {
    known: Mutex<HashMap<FunctionKey, Instant>>,
}

impl Consumers {
    fn knows(&self, function: &FunctionKey) -> bool {
        self.known.lock().get_mut(function).is_some_and(|used| {
            *used = Instant::now();
            true
        })
    }

    fn learn(&self, function: &FunctionKey, idle: Duration) {
        let (mut known, now) = (self.known.lock(), Instant::now());
        if known.len() >= KNOWN {
            known.retain(|_, used| now.duration_since(*used) < idle);
        }
        if known.len() < KNOWN {
            known.insert(function.clone(), now);
        }
    }

    pub(super) fn forget(&self, function: &FunctionKey) {
        self.known.lock().remove(function);
    }

    pub(super) fn clear(&self) {
        self.known.lock().clear();
    }
}

fn config(core: &Core, function: &FunctionKey) -> pull::Config {
    pull::Config {
        durable_name: Some(Names::consumer(function)),
        filter_subject: core.names.invoke(function),
        deliver_policy: DeliverPolicy::All,
        ack_policy: AckPolicy::Explicit,
        ack_wait: core.config.ack_wait,
        // When to give up is decided in the store.
        max_deliver: -1,
        max_ack_pending: core.config.max_ack_pending,
        inactive_threshold: core.config.inactive_threshold,
        ..pull::Config::default()
    }
}

/// Makes the consumer of a function, or finds it.
pub(super) async fn ensure(core: &Core, function: &FunctionKey) -> Result<()> {
    if core.consumers.knows(function) {
        return Ok(());
    }
    let made = async {
        let stream = &core.names.events_stream;
        let made = core.jetstream.create_consumer_on_stream(config(core, function), stream).await;
        made.map_err(|error| failed(core, error))
    };
    core.ask(made).await?;
    core.consumers.learn(function, core.config.inactive_threshold);
    Ok(())
}

fn failed(core: &Core, error: jetstream::stream::ConsumerError) -> Error {
    use jetstream::stream::ConsumerErrorKind as Kind;
    let Kind::JetStream(said) = error.kind() else {
        return Error::unavailable("the bus does not answer").with_cause(error);
    };
    // The stream is gone, or somebody else's consumer sits on our subjects.
    let drifted = [
        ErrorCode::STREAM_NOT_FOUND,
        ErrorCode::CONSUMER_WQ_MULTIPLE_UNFILTERED,
        ErrorCode::CONSUMER_WQ_CONSUMER_NOT_UNIQUE,
    ];
    if drifted.contains(&said.error_code()) {
        core.suspect.notify_one();
    }
    refused(said)
}
