//! What the stream itself counts. A message is there until it is acked, so the count of a subject is what waits, is
//! delayed or in flight.

use super::core::Core;
use super::names::Names;
use async_nats::jetstream::ErrorCode;
use eventflow_domain::{FunctionKey, Result};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

#[derive(Serialize)]
struct Ask<'a> {
    offset: usize,
    subjects_filter: &'a str,
}

#[derive(Deserialize)]
struct Info {
    #[serde(default)]
    total: usize,
    state: State,
}

#[derive(Deserialize)]
struct State {
    #[serde(default)]
    subjects: Option<HashMap<String, u64>>,
}

/// Messages by subject, of all subjects that `filter` matches.
pub(super) async fn subjects(core: &Core, filter: String) -> Result<HashMap<String, u64>> {
    let mut found = HashMap::new();
    let mut offset = 0;
    loop {
        let subject = format!("STREAM.INFO.{}", core.names.events_stream);
        let page: Info = core.api(subject, &Ask { offset, subjects_filter: &filter }).await?;
        let subjects = page.state.subjects.unwrap_or_default();
        offset += subjects.len();
        let last = subjects.is_empty() || offset >= page.total;
        found.extend(subjects);
        if last {
            return Ok(found);
        }
    }
}

/// What a consumer has still to deliver, and what it delivered that is not acked.
#[derive(Deserialize)]
struct Outstanding {
    num_pending: u64,
    num_ack_pending: u64,
}

/// Messages of a function that are delivered some time, or are in flight.
///
/// That can be fewer than the stream holds: after a kill, nats-server builds the stream anew from its blocks and the
/// consumer from a file of its own. A message that is behind what the consumer has passed stays, and is never delivered.
pub(super) async fn deliverable(core: &Core, function: &FunctionKey) -> Result<u64> {
    if let Some(Outstanding { num_pending, num_ack_pending }) = outstanding(core, function).await? {
        return Ok(num_pending + num_ack_pending);
    }
    // A consumer that is made later begins with the first message.
    Ok(subjects(core, core.names.invoke(function)).await?.into_values().sum())
}

async fn outstanding(core: &Core, function: &FunctionKey) -> Result<Option<Outstanding>> {
    let subject = format!("CONSUMER.INFO.{}.{}", core.names.events_stream, Names::consumer(function));
    match core.api(subject, &serde_json::json!({})).await {
        Ok(outstanding) => Ok(Some(outstanding)),
        Err(error) if error.metadata().get("code") == Some(&ErrorCode::CONSUMER_NOT_FOUND.0.to_string()) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}
