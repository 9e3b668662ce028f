//! What a run came to.

use super::Fault;
use crate::checker::{Harm, Summary};
use serde_json::{Value, json};
use std::time::Duration;

/// One step of the plan, as it went.
#[derive(Debug, Clone)]
pub struct Inflicted {
    pub fault: Fault,
    pub also: Option<Fault>,
    /// From its begin to its repair.
    pub lasted: Duration,
    /// From its repair to the first call that came through from end to end; `None` = not in time.
    pub healed: Option<Duration>,
}

#[derive(Debug, Default)]
pub struct Report {
    pub seed: u64,
    pub inflicted: Vec<Inflicted>,
    pub skipped: Vec<String>,
    pub summary: Summary,
    /// Calls that were promised: accepted, or answered.
    pub promised: usize,
    pub wrong: Vec<String>,
    /// When this machine itself stood still.
    pub stalls: Vec<Harm>,
    pub took: Duration,
}

impl Report {
    /// One line, for the process that started this one.
    pub fn to_json(&self) -> Value {
        let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let inflicted = self.inflicted.iter().map(|it| {
            json!({
                "fault": it.fault.to_string(),
                "also": it.also.map(|also| also.to_string()),
                "lastedMs": millis(it.lasted),
                "healedMs": it.healed.map(millis),
            })
        });
        json!({
            "seed": self.seed,
            "tookMs": millis(self.took),
            "promised": self.promised,
            "records": self.summary.records,
            "lostAttempts": self.summary.lost_attempts,
            "starts": self.summary.starts,
            "summary": self.summary.to_string(),
            "inflicted": inflicted.collect::<Vec<_>>(),
            "stalls": self.stalls.len(),
            "stalledMs": millis(self.stalls.iter().map(|stall| stall.to.saturating_sub(stall.from)).sum()),
            "skipped": self.skipped,
            "wrong": self.wrong,
        })
    }
}
