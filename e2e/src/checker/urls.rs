//! Requests to function URLs: what they were answered, what the record says of them, and what the function noted.

#[cfg(test)]
mod tests;

use super::{Check, Record};
use crate::ledger::Start;
use std::collections::{HashMap, HashSet};
use std::time::Duration;

/// One request to a function's own URL, sent once. Its name belongs to no other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visit {
    pub name: String,
    /// What the function was asked to answer with.
    pub status: u16,
    /// How long its caller waited, by the storm's clock.
    pub from: Duration,
    pub to: Duration,
    pub told: Visited,
}

/// What became of it, as far as its caller knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Visited {
    /// The function's own answer, to its end: of which call, to which name, and whether the body is what was sent.
    Answered { id: String, status: u16, name: String, same: bool },
    /// The call ended without an answer of the function.
    Failed { id: String, reason: String },
    /// It was not begun.
    Refused,
    /// Nobody knows.
    Broken,
}

/// All that is known of a function that is only asked by its URL.
#[derive(Debug, Clone, Copy, Default)]
pub struct Urls<'a> {
    /// Empty: there is none.
    pub function: &'a str,
    pub visits: &'a [Visit],
    /// What it noted, with the names of the requests as payloads.
    pub starts: &'a [Start],
}

impl Urls<'_> {
    /// Requests that the function answered.
    pub(super) fn answered(&self) -> usize {
        self.visits.iter().filter(|visit| matches!(visit.told, Visited::Answered { .. })).count()
    }
}

/// What the parts of this check look up.
struct Index<'a> {
    records: HashMap<&'a str, &'a Record>,
    /// The starts by the names of their requests.
    ran: HashMap<&'a str, &'a Start>,
    ids: HashSet<&'a str>,
}

impl Check<'_> {
    pub(super) fn urls(&mut self) {
        let urls = self.history.urls;
        let records = self.history.records.iter().filter(|record| record.function == urls.function);
        let mut index = Index {
            records: records.map(|record| (record.id.as_str(), record)).collect(),
            ran: HashMap::new(),
            ids: HashSet::new(),
        };
        let visits: HashMap<&str, &Visit> =
            urls.visits.iter().map(|visit| (visit.name.as_str(), visit)).collect();
        if visits.len() != urls.visits.len() {
            self.wrong.push("two requests share a name: the storm itself is broken".to_owned());
        }
        if index.records.len() > visits.len() {
            self.wrong.push("there are more calls of URLs than requests".to_owned());
        }
        for start in urls.starts {
            self.visit_ran(start, visits.get(start.payload.as_str()).copied(), &mut index);
        }
        let mut answered = HashMap::new();
        for visit in urls.visits {
            self.visit(visit, &index);
            if let Visited::Answered { id, .. } = &visit.told
                && let Some(other) = answered.insert(id, &visit.name)
            {
                self.wrong.push(format!("{other} and {} were answered by the same call {id}", visit.name));
            }
        }
        for record in index.records.values() {
            self.url_record(record, index.ids.contains(record.id.as_str()));
        }
    }

    /// What the function noted is a request that somebody sent, once, and is recorded.
    fn visit_ran<'a>(&mut self, start: &'a Start, visit: Option<&Visit>, index: &mut Index<'a>) {
        let Start { id, payload: name, .. } = start;
        if !index.ids.insert(id) {
            self.wrong.push(format!("{id} ran twice"));
        }
        if let Some(other) = index.ran.insert(name, start) {
            self.wrong.push(format!("the request {name} ran twice, as {} and as {id}", other.id));
        }
        let Some(visit) = visit else {
            self.wrong.push(format!("{id} ran the request {name:?}, which nobody sent"));
            return;
        };
        if visit.told == Visited::Refused {
            self.wrong.push(format!("the request {name} was refused and ran as {id}"));
        }
        if !index.records.contains_key(id.as_str()) && !self.killed_during(visit) {
            self.wrong.push(format!("{id} ran the request {name} and has no record"));
        }
    }

    /// Who was answered was answered by a call of its own, which is recorded so.
    fn visit(&mut self, visit: &Visit, index: &Index<'_>) {
        let (Visited::Answered { id, .. } | Visited::Failed { id, .. }) = &visit.told else { return };
        let record = index.records.get(id.as_str());
        if record.is_none() && !self.killed_during(visit) {
            self.wrong.push(format!("the request {} was answered by {id}, which has no record", visit.name));
        }
        let honest = match &visit.told {
            Visited::Answered { status, name, same, .. } => {
                if *name != visit.name || !same {
                    self.wrong.push(format!("a request got another answer than its own: {visit:?}"));
                }
                if index.ran.get(visit.name.as_str()).is_none_or(|start| start.id != *id) {
                    self.wrong.push(format!("a request was answered by a call that never ran it: {visit:?}"));
                }
                *status == visit.status && record.is_none_or(|record| ended_with(record, *status))
            }
            Visited::Failed { reason, .. } => {
                record.is_none_or(|record| record.state == "FAILED" && record.reason == *reason)
            }
            Visited::Refused | Visited::Broken => true,
        };
        if !honest {
            self.wrong
                .push(format!("a request was told something else than is recorded: {visit:?}, {record:?}"));
        }
    }

    fn url_record(&mut self, record: &Record, ran: bool) {
        let ended = matches!(record.state.as_str(), "SUCCEEDED" | "FAILED" | "CANCELLED");
        if !ended || record.end_time.is_empty() {
            self.wrong.push(format!("{} is {} and not at its end", record.id, record.state));
        }
        if record.attempt != 1 || record.attempts.len() != 1 || record.lost != 0 || record.dead_letter {
            self.wrong.push(format!("a request to a URL is one attempt, and its end is final: {record:?}"));
        }
        if record.state == "SUCCEEDED" && !ran {
            self.wrong.push(format!("{} succeeded and never ran", record.id));
        }
    }

    /// Whether a server was killed that may have had its record to write.
    fn killed_during(&self, visit: &Visit) -> bool {
        let slack = self.history.unwritten;
        let (from, to) = (visit.from.saturating_sub(slack), visit.to + slack);
        self.history.kills.iter().any(|kill| kill.meets(from, to))
    }
}

/// The end that this answer of the function means.
fn ended_with(record: &Record, status: u16) -> bool {
    let (state, reason) = match status {
        400..500 => ("FAILED", "ClientError"),
        500.. => ("FAILED", "ServerError"),
        _ => ("SUCCEEDED", ""),
    };
    record.state == state && record.reason == reason && record.http_status == u32::from(status)
}
