//! How many calls of a function wait, without counting them for every accept.

use eventflow_domain::{FunctionUid, State};
use std::collections::HashMap;

/// Counts of QUEUED and RETRYING records, as the open transaction sees them. Right only because the writer is the
/// one that writes; forgotten whenever anything is rolled back.
#[derive(Debug, Default)]
pub(super) struct Waiting(HashMap<FunctionUid, u64>);

/// Functions whose counts are remembered; over it all are counted anew.
const REMEMBERED: usize = 10_000;

impl Waiting {
    pub(super) fn get(&self, uid: FunctionUid) -> Option<u64> {
        self.0.get(&uid).copied()
    }

    pub(super) fn set(&mut self, uid: FunctionUid, count: u64) {
        if self.0.len() >= REMEMBERED {
            self.0.clear();
        }
        self.0.insert(uid, count);
    }

    /// A record of this function went from one state to another; `None` = it was not there.
    pub(super) fn moved(&mut self, uid: FunctionUid, from: Option<State>, to: State) {
        let waits = |state: State| matches!(state, State::Queued | State::Retrying);
        let (before, after) = (from.is_some_and(waits), waits(to));
        if let Some(count) = self.0.get_mut(&uid).filter(|_| before != after) {
            *count = if after { count.saturating_add(1) } else { count.saturating_sub(1) };
        }
    }

    pub(super) fn forget(&mut self) {
        self.0.clear();
    }
}
