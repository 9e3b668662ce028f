use super::{Attempt, Check, Ends, Program, Record};

const CANCELLED: &str = "CANCELLED";
const LOST: &str = "Lost";
const EXIT_CODE: &str = "ExitCode";
const TIMEOUT: &str = "Timeout";

impl Check<'_> {
    /// Every attempt but the last has a cause that its function or a kill explains.
    pub(super) fn attempts(&mut self, record: &Record, program: Program, cancelled: bool) {
        let numbers = record.attempts.iter().map(|attempt| attempt.number);
        if !numbers.eq(1..=record.attempt) {
            self.say(record, "its attempts are not 1, 2, 3 … up to the last");
        }
        let lost = record.attempts.iter().filter(|attempt| attempt.reason == LOST).count();
        if lost != record.lost as usize {
            self.say(record, "its lost attempts are not counted right");
        }
        let count = |reason| record.attempts.iter().filter(|attempt| attempt.reason == reason).count();
        let (exits, timeouts) = (count(EXIT_CODE), count(TIMEOUT));
        // Who is cancelled or lost need not have come to its own end.
        let all = |count: usize, times: u32| {
            count == times as usize || (count < times as usize && (cancelled || record.reason == LOST))
        };
        let expected = match program.ends {
            Ends::Echoes | Ends::Numbers => exits + timeouts == 0,
            Ends::EchoesFrom(first) => exits < first as usize && timeouts == 0,
            Ends::Fails(times) => all(exits, times) && timeouts == 0,
            Ends::Hangs(times) => all(timeouts, times) && exits == 0,
        };
        if !expected {
            self.say(record, "it failed more or less often than its function does");
        }
        let Some((last, earlier)) = record.attempts.split_last() else {
            if record.state != CANCELLED {
                self.say(record, "it has ended without an attempt");
            }
            return;
        };
        // What is cancelled while it waits for another attempt ends with none.
        if record.state != CANCELLED && (last.state != record.state || last.reason != record.reason) {
            self.say(record, "its last attempt ended otherwise than the call");
        }
        if !earlier.iter().all(has_a_cause) {
            self.say(record, "it was started again without a recorded cause");
        }
        self.losses_are_explained(record);
    }

    /// A worker that nobody harmed loses no attempt.
    fn losses_are_explained(&mut self, record: &Record) {
        let Some(harm) = self.history.harm else { return };
        let unexplained = |attempt: &&Attempt| {
            attempt.reason == LOST && !harm.iter().any(|harm| harm.meets(attempt.from, attempt.to))
        };
        if record.attempts.iter().any(|attempt| unexplained(&attempt)) {
            self.say(record, "an attempt was lost though nobody harmed its worker");
        }
    }

    fn say(&mut self, record: &Record, what: &str) {
        self.wrong.push(format!("{}: {what}: {record:?}", record.id));
    }
}

fn has_a_cause(attempt: &Attempt) -> bool {
    attempt.state == "FAILED" && [LOST, EXIT_CODE, TIMEOUT].contains(&attempt.reason.as_str())
}
