//! A stream that takes no messages any more although its server answers: after one failed write, a full disk for a
//! moment, nats-server writes nothing to that stream until it is opened anew. Only another stream helps, and the record
//! publishes again what waited in this one.

use super::core::{Core, within};
use super::probe::BODY;
use super::streams::Drift;
use super::{depth, publish};
use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use async_nats::jetstream::{self, ErrorCode, stream};
use bytes::Bytes;
use eventflow_domain::{Error, Result};
use parking_lot::Mutex;
use std::error::Error as _;
use std::time::Duration;
use tokio::time::Instant;

/// Failed probes in a row before anything is done.
const PROBES: u32 = 3;
/// The same where another stream shows that it is this one's fault.
const SURE: u32 = 2;

/// Since when probes fail, and how many did.
#[derive(Debug, Default)]
pub(super) struct Stuck(Mutex<Option<(Instant, u32)>>);

impl Stuck {
    pub(super) fn clear(&self) {
        *self.0.lock() = None;
    }

    fn count(&self) -> (Duration, u32) {
        let mut stuck = self.0.lock();
        let (since, probes) = stuck.get_or_insert_with(|| (Instant::now(), 0));
        *probes += 1;
        (since.elapsed(), *probes)
    }
}

/// Whether, after this answer to a probe, the stream should be made anew: at once where nothing is left in it or where the
/// server writes to another one, else when it had its time.
pub(super) async fn is_hopeless(core: &Core, error: &Error) -> Result<bool> {
    if !writes_nothing(error) {
        core.stuck.clear();
        return Ok(false);
    }
    let (since, probes) = core.stuck.count();
    // An answer also says that it is not the server that hangs.
    let waiting: u64 = depth::subjects(core, core.names.all_invokes()).await?.into_values().sum();
    if probes >= PROBES && (waiting == 0 || since >= core.config.stuck_after) {
        return Ok(true);
    }
    // A disk that is full, or a server that is slow, is so for all streams alike.
    Ok(probes >= SURE && writes_elsewhere(core).await.is_ok())
}

/// Whether the server makes and writes a stream that is new.
async fn writes_elsewhere(core: &Core) -> Result<()> {
    let name = format!("{}_PROBE", core.names.events_stream);
    let written = async {
        // Left by a process that died here, perhaps when the disk was full.
        let _none = core.jetstream.delete_stream(&name).await;
        let config = stream::Config {
            name: name.clone(),
            subjects: vec![name.clone()],
            max_messages: 1,
            max_age: core.config.request_timeout * 10,
            duplicate_window: core.config.request_timeout,
            ..stream::Config::default()
        };
        let made = core.jetstream.create_stream(config).await;
        made.map_err(|error| Error::unavailable("the bus makes no stream").with_cause(error))?;
        let sent = core.jetstream.publish(name.clone(), Bytes::from_static(&BODY)).await;
        let sent = sent.map_err(|error| publish::failed(core, error))?;
        let confirmed = sent.await.map_err(|error| publish::failed(core, error)).map(drop);
        let _gone = core.jetstream.delete_stream(&name).await;
        confirmed
    };
    core.online(within(core.config.request_timeout, written)).await
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

pub(super) fn drift(stream: &str) -> Drift {
    Drift {
        stream: stream.to_owned(),
        field: "writes",
        found: "refused since one failed".to_owned(),
        wanted: "confirmed".to_owned(),
    }
}
