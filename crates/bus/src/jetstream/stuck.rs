//! A stream that takes no messages any more although its server answers: after one failed write, a full disk for a
//! moment, nats-server writes nothing to that stream until it is opened anew. Only another stream helps, and the record
//! publishes again what waited in this one.

use super::core::Core;
use super::depth;
use super::streams::Drift;
use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use async_nats::jetstream::{self, ErrorCode};
use eventflow_domain::{Error, Result};
use parking_lot::Mutex;
use std::error::Error as _;
use std::time::Duration;
use tokio::time::Instant;

/// Failed probes in a row before anything is done.
const PROBES: u32 = 3;

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

/// Whether, after this answer to a probe, the stream should be made anew: at once where nothing is left in it, else
/// when it had its time.
pub(super) async fn is_hopeless(core: &Core, error: &Error) -> Result<bool> {
    if !writes_nothing(error) {
        core.stuck.clear();
        return Ok(false);
    }
    let (since, probes) = core.stuck.count();
    // An answer also says that it is not the server that hangs.
    let waiting: u64 = depth::subjects(core, core.names.all_invokes()).await?.into_values().sum();
    Ok(probes >= PROBES && (waiting == 0 || since >= core.config.stuck_after))
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
