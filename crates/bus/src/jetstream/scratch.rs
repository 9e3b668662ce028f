//! A stream for one message, made while somebody looks whether the server can write at all. It has one maker at a time,
//! so it is also what two processes cannot hold at once.

use super::core::{Core, within};
use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::context::CreateStreamErrorKind;
use async_nats::jetstream::stream::{self, DiscardPolicy, StorageType};
use eventflow_domain::error::Chain;
use eventflow_domain::{Error, Result};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use tokio::time::Instant;

/// One that is there for so long was left by a process that died.
const LEFT: Duration = Duration::from_secs(15);

/// One that others made, and since when it is seen.
#[derive(Debug, Default)]
pub(super) struct Others(Mutex<Option<(String, Instant)>>);

impl Others {
    fn seen_for(&self, created: String) -> Duration {
        let mut seen = self.0.lock();
        match &*seen {
            Some((known, since)) if *known == created => since.elapsed(),
            _ => {
                *seen = Some((created, Instant::now()));
                Duration::ZERO
            }
        }
    }
}

#[derive(Serialize)]
struct Nothing {}

#[derive(Deserialize)]
struct Info {
    created: String,
}

#[derive(Deserialize)]
struct Deleted {}

/// Whether it is ours now. It is not where another process has it, nor where the server makes none: its disk is full.
pub(super) async fn take(core: &Core) -> Result<bool> {
    let wanted = stream::Config {
        name: core.names.scratch_stream.clone(),
        subjects: vec![core.names.scratch.clone()],
        // The server gives a stream to whoever asks for the same.
        description: Some(format!("probe of {}", core.activity.own)),
        storage: StorageType::File,
        num_replicas: core.config.replicas,
        discard: DiscardPolicy::Old,
        max_messages: 1,
        ..stream::Config::default()
    };
    let made = async { Ok(core.jetstream.create_stream(wanted).await) };
    let Err(error) = core.online(within(core.config.request_timeout, Box::pin(made))).await? else {
        return Ok(true);
    };
    match error.kind() {
        CreateStreamErrorKind::JetStream(said) if said.error_code() == ErrorCode::STREAM_NAME_EXIST => {
            if let Ok(found) = core.api::<Info>(request(core, "INFO"), &Nothing {}).await
                && core.scratch.seen_for(found.created) >= LEFT
            {
                release(core).await;
            }
            Ok(false)
        }
        CreateStreamErrorKind::JetStream(said) => {
            tracing::debug!(error = %said, "the server makes no stream");
            Ok(false)
        }
        _ => Err(Error::unavailable("the bus does not answer").with_cause(error)),
    }
}

/// Takes it away. Where that fails it is taken away by whoever finds it.
pub(super) async fn release(core: &Core) {
    let gone: Result<Deleted> = core.api(request(core, "DELETE"), &Nothing {}).await;
    if let Err(error) = gone {
        tracing::debug!(error = %Chain(&error), "failed to remove the scratch stream");
    }
}

fn request(core: &Core, what: &str) -> String {
    format!("STREAM.{what}.{}", core.names.scratch_stream)
}
