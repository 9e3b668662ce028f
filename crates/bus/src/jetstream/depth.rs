//! What the stream itself counts. A message is there until it is acked, so the count of a subject is what waits, is
//! delayed or in flight.

use super::core::Core;
use eventflow_domain::Result;
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
