use super::{Answer, Check, Record};
use crate::ledger::Start;
use std::collections::{HashMap, HashSet};

impl Check<'_> {
    /// What really ran is what the record says, and nothing ran twice under one attempt.
    pub(super) fn starts(&mut self) {
        let mut seen = HashSet::new();
        let mut ids_of = HashMap::new();
        for start in self.history.starts {
            if !seen.insert((start.id.as_str(), start.attempt)) {
                self.wrong.push(format!("attempt {} of {} was started twice", start.attempt, start.id));
            }
            let keyed = self.requests.get(start.payload.as_str()).is_some_and(|request| request.keyed);
            let first = *ids_of.entry(start.payload.as_str()).or_insert(start.id.as_str());
            if keyed && first != start.id {
                self.wrong.push(format!("one key ran as {first} and as {}", start.id));
            }
            match self.records.get(start.id.as_str()) {
                Some(record) => self.start_of(record, start),
                None => self.start_without_record(start),
            }
        }
        for record in self.history.records {
            self.ends_without_start(record, &seen);
        }
    }

    fn start_of(&mut self, record: &Record, start: &Start) {
        if !record.attempts.iter().any(|attempt| attempt.number == start.attempt) {
            self.wrong.push(format!("attempt {} of {} ran and is not recorded", start.attempt, start.id));
        }
        if record.payload != start.payload {
            self.wrong.push(format!("{} ran with the payload {:?}", start.id, start.payload));
        }
    }

    /// Only a sync call without a key runs before it is recorded, and only a kill can come in between.
    fn start_without_record(&mut self, start: &Start) {
        let request = self.requests.get(start.payload.as_str());
        let excused = request.is_some_and(|request| {
            let told = request.answers.iter().all(|answer| match answer {
                Answer::Accepted { .. } | Answer::Failed { .. } | Answer::Cancelled { .. } => false,
                Answer::Finished { at, .. } => self.killed_around(*at),
            });
            request.sync && !request.keyed && told && start.attempt == 1
        });
        if !excused {
            self.wrong.push(format!("{} ran ({:?}) and has no record", start.id, start.payload));
        }
    }

    /// What ended by its own code must have run; only a lost attempt may not have come that far.
    fn ends_without_start(&mut self, record: &Record, seen: &HashSet<(&str, u32)>) {
        if !self.programs.get(record.function.as_str()).is_some_and(|program| program.notes) {
            return;
        }
        let by_itself =
            |attempt: &&super::Attempt| attempt.state == "SUCCEEDED" || attempt.reason == "ExitCode";
        for attempt in record.attempts.iter().filter(by_itself) {
            if !seen.contains(&(record.id.as_str(), attempt.number)) {
                self.wrong.push(format!("attempt {} of {} ended and never ran", attempt.number, record.id));
            }
        }
    }
}
