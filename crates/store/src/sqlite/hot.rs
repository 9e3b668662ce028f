//! Records that will soon be needed again, so that a step need not read what the writer has just written.

use super::bodies::body_apart;
use super::record::Record;
use eventflow_domain::{Body, InvocationId, State, Timestamp};
use std::collections::HashMap;

/// Live records as the open transaction sees them. Right only because the writer is the one that writes; forgotten
/// whenever anything is rolled back. A mistake in it would be met by the fence of the next write, not become true.
#[derive(Debug, Default)]
pub(super) struct Hot(HashMap<InvocationId, Record>);

/// Records kept; about 1 KiB each, as large bodies are not kept.
const MOST: usize = 4096;
/// Of those, places that only running calls get: they are settled soon, whatever waits.
const RUNNING: usize = MOST / 2;

impl Hot {
    pub(super) fn take(&mut self, id: InvocationId) -> Option<Record> {
        self.0.remove(&id)
    }

    /// Keeps it while it lives, and there is room.
    pub(super) fn keep(&mut self, record: &Record) {
        let room = match record.invocation.state() {
            State::Running => MOST,
            State::Queued => MOST - RUNNING,
            // Not soon, or never.
            State::Retrying | State::Succeeded | State::Failed | State::Cancelled => 0,
        };
        if self.0.len() >= room && room > 0 {
            // Those that wait came before this one, and may wait long.
            self.0.retain(|_, record| record.invocation.state() == State::Running);
        }
        if self.0.len() < room {
            self.0.insert(record.invocation.id, without_large(record));
        }
    }

    pub(super) fn renewed(&mut self, id: InvocationId, until: Timestamp) {
        if let Some(record) = self.0.get_mut(&id) {
            record.lease_until = Some(until);
        }
    }

    pub(super) fn forget(&mut self) {
        self.0.clear();
    }
}

/// As it would be read from its row.
fn without_large(record: &Record) -> Record {
    let mut kept = record.clone();
    kept.invocation.attempts.clear();
    let Record { invocation, apart: [payload, result], .. } = &mut kept;
    for (stored, apart) in [(&mut invocation.payload, payload), (&mut invocation.result, result)] {
        if body_apart(&stored.body).is_some() {
            stored.body = Body::None;
            *apart = true;
        }
    }
    kept
}
