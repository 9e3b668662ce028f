use super::{Attempt, Check, Ends, Program, Record};

const LOST: &str = "Lost";
const EXIT_CODE: &str = "ExitCode";

impl Check<'_> {
    /// Every attempt but the last has a cause that its function or a kill explains.
    pub(super) fn attempts(&mut self, record: &Record, program: Program) {
        let numbers = record.attempts.iter().map(|attempt| attempt.number);
        if !numbers.eq(1..=record.attempt) {
            self.say(record, "its attempts are not 1, 2, 3 … up to the last");
        }
        let lost = record.attempts.iter().filter(|attempt| attempt.reason == LOST).count();
        if lost != record.lost as usize {
            self.say(record, "its lost attempts are not counted right");
        }
        let exits = record.attempts.iter().filter(|attempt| attempt.reason == EXIT_CODE).count();
        let expected = match program.ends {
            Ends::Echoes => exits == 0,
            Ends::EchoesFrom(first) => exits < first as usize,
            Ends::Fails(times) => exits == times as usize || record.reason == LOST,
        };
        if !expected {
            self.say(record, "it failed more or less often than its function does");
        }
        let Some((last, earlier)) = record.attempts.split_last() else {
            self.say(record, "it has ended without an attempt");
            return;
        };
        if last.state != record.state || last.reason != record.reason {
            self.say(record, "its last attempt ended otherwise than the call");
        }
        if !earlier.iter().all(has_a_cause) {
            self.say(record, "it was started again without a recorded cause");
        }
    }

    fn say(&mut self, record: &Record, what: &str) {
        self.wrong.push(format!("{}: {what}: {record:?}", record.id));
    }
}

fn has_a_cause(attempt: &Attempt) -> bool {
    attempt.state == "FAILED" && [LOST, EXIT_CODE].contains(&attempt.reason.as_str())
}
