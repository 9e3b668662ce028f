//! A stream that takes no messages any more although its server answers: after one failed write, a full disk for a
//! moment, nats-server writes nothing to that stream until it is opened anew, and mostly says nothing either. Only
//! another stream helps, and the record publishes again what waited in this one.
//!
//! It is told from a disk that is still full, and from a server that is only slow, by a scratch stream of the same
//! kind. When that one takes a message sent after the probe, there is room and the server works. If the stream of work
//! has not moved by one message meanwhile, it never will.

use super::core::Core;
use super::{probe, scratch};
use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use async_nats::jetstream::{self, ErrorCode};
use eventflow_domain::{Error, Result};
use parking_lot::Mutex;
use serde::Deserialize;
use std::error::Error as _;
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// Since when the stream is found stuck.
#[derive(Debug, Default)]
pub(super) struct Stuck(Mutex<Option<Instant>>);

impl Stuck {
    pub(super) fn clear(&self) {
        *self.0.lock() = None;
    }

    fn lasted(&self) -> Duration {
        self.0.lock().get_or_insert_with(Instant::now).elapsed()
    }
}

/// Which stream it is, and how far it was written.
#[derive(Debug, PartialEq, Eq, Deserialize)]
struct Mark {
    created: String,
    state: Written,
}

#[derive(Debug, PartialEq, Eq, Deserialize)]
struct Written {
    last_seq: u64,
}

async fn mark(core: &Core) -> Result<Mark> {
    core.api(format!("STREAM.INFO.{}", core.names.events_stream), &serde_json::json!({})).await
}

/// What a probe of the stream of work found, where it did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Probed {
    Fine,
    /// It is to be made anew. The scratch stream is ours until then: see [`scratch::release`].
    Hopeless,
}

/// Stores a message and takes it away again; where that fails, finds out whether it can ever succeed.
pub(super) async fn probe(core: &Core) -> Result<Probed> {
    let before = mark(core).await?;
    let mut stored = Box::pin(unless_told(core, probe::store(core, &core.names.probe)));
    let refusal = match timeout(silence(core), &mut stored).await {
        Ok(Ok(())) => {
            core.stuck.clear();
            probe::clear(core).await?;
            return Ok(Probed::Fine);
        }
        Ok(Err(error)) if !writes_nothing(&error) => {
            core.stuck.clear();
            return Err(error);
        }
        Ok(Err(error)) => Some(error),
        Err(_) => None,
    };
    match judge(core, &before).await? {
        Verdict::Hopeless => Ok(Probed::Hopeless),
        Verdict::Slow if refusal.is_none() => {
            stored.await?;
            core.stuck.clear();
            probe::clear(core).await?;
            Ok(Probed::Fine)
        }
        // Asked again soon: room may come at any moment.
        Verdict::Slow | Verdict::Unknown => Err(refusal.unwrap_or_else(unconfirmed)),
    }
}

fn unconfirmed() -> Error {
    Error::unavailable("the bus does not confirm")
}

/// Ends as soon as somebody else has repaired something.
async fn unless_told(core: &Core, work: impl Future<Output = Result<()>>) -> Result<()> {
    tokio::select! {
        done = work => done,
        () = core.told.notified() => Err(Error::unavailable("the streams were just repaired")),
    }
}

/// How long a probe may go unanswered before anybody wonders.
fn silence(core: &Core) -> Duration {
    core.config.request_timeout * 2 / 5
}

/// What an unanswered probe means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// The server takes nothing at all, or another process is finding out.
    Unknown,
    Slow,
    Hopeless,
}

async fn judge(core: &Core, before: &Mark) -> Result<Verdict> {
    // One process at a time: what another one just made anew must not be thrown away.
    if !scratch::take(core).await? {
        return Ok(Verdict::Unknown);
    }
    let verdict = compare(core, before).await;
    if !matches!(verdict, Ok(Verdict::Hopeless)) {
        scratch::release(core).await;
    }
    verdict
}

async fn compare(core: &Core, before: &Mark) -> Result<Verdict> {
    let room = timeout(silence(core), probe::store(core, &core.names.scratch)).await;
    if !matches!(room, Ok(Ok(()))) {
        core.stuck.clear();
        return Ok(Verdict::Unknown);
    }
    // Sent after the other stream has confirmed: this one had more than its time.
    let again = timeout(silence(core) / 2, probe::store(core, &core.names.probe)).await;
    if matches!(again, Ok(Ok(()))) || mark(core).await? != *before {
        core.stuck.clear();
        return Ok(Verdict::Slow);
    }
    // Where there are copies, another server takes over by itself, and gets the time for it.
    let over = core.config.replicas == 1 || core.stuck.lasted() >= core.config.stuck_after;
    Ok(if over { Verdict::Hopeless } else { Verdict::Unknown })
}

/// No confirmation, or a store that fails for another reason than its own limits.
fn writes_nothing(error: &Error) -> bool {
    let Some(error) = error.source().and_then(|cause| cause.downcast_ref::<PublishError>()) else {
        return false;
    };
    let said = error.source().and_then(|cause| cause.downcast_ref::<jetstream::Error>());
    match said {
        Some(said) => {
            said.error_code() == ErrorCode::STREAM_STORE_FAILED && !said.to_string().contains("maximum")
        }
        None => error.kind() == PublishErrorKind::TimedOut,
    }
}
