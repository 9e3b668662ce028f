//! What must hold after a storm, judged over what clients were told, what the record says, and what really ran.
//! Pure: it reads nothing and waits for nothing.

mod attempts;
mod starts;
#[cfg(test)]
mod tests;
mod urls;

use crate::ledger::Start;
use std::collections::HashMap;
use std::fmt;
use std::time::Duration;
pub use urls::{Urls, Visit, Visited};

/// What one client asked for, in one or more tries. A payload belongs to one request only; a request without a key is
/// tried once.
#[derive(Debug, Clone, Default)]
pub struct Request {
    pub function: &'static str,
    pub payload: String,
    pub keyed: bool,
    pub sync: bool,
    /// A cancel was asked for, whatever was answered.
    pub cancelled: bool,
    /// What came back; nothing where every try broke.
    pub answers: Vec<Answer>,
}

#[derive(Debug, Clone)]
pub enum Answer {
    /// 202: durable from here on.
    Accepted { id: String },
    /// The function's own result, `at` a time of the storm's clock.
    Finished { id: String, result: String, at: Duration },
    /// It ended without a result.
    Failed { id: String, reason: String },
    /// It has ended because somebody cancelled it.
    Cancelled { id: String },
}

impl Answer {
    pub fn id(&self) -> &str {
        match self {
            Self::Accepted { id }
            | Self::Finished { id, .. }
            | Self::Failed { id, .. }
            | Self::Cancelled { id } => id,
        }
    }
}

/// How a function behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Program {
    pub name: &'static str,
    /// It notes each start in the ledger.
    pub notes: bool,
    pub ends: Ends,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ends {
    /// Answers its payload.
    Echoes,
    /// Answers the number of the attempt.
    Numbers,
    /// Fails with an exit code before this attempt, then answers its payload.
    EchoesFrom(u32),
    /// Fails with an exit code so many times, which are all that its retries allow.
    Fails(u32),
    /// Is at work until its time is over, so many times, which are all that its retries allow.
    Hangs(u32),
}

/// A record as the API shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    pub id: String,
    pub function: String,
    pub state: String,
    pub reason: String,
    pub attempt: u32,
    pub lost: u32,
    pub dead_letter: bool,
    pub end_time: String,
    /// Zero where there is none.
    pub http_status: u32,
    pub payload: String,
    /// `None` where there is none.
    pub result: Option<String>,
    pub attempts: Vec<Attempt>,
}

impl Record {
    /// What never changes once it has ended.
    pub fn whole_end(&self) -> String {
        format!("{} {:?} {}", self.state, self.reason, self.end_time)
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attempt {
    pub number: u32,
    pub state: String,
    pub reason: String,
    /// When it started and ended, since 1970.
    pub from: Duration,
    pub to: Duration,
}

/// A time of harm, on one clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Harm {
    pub from: Duration,
    pub to: Duration,
}

impl Harm {
    pub fn at(moment: Duration) -> Self {
        Self { from: moment, to: moment }
    }

    /// Whether it was at some time between `from` and `to`.
    fn meets(self, from: Duration, to: Duration) -> bool {
        self.from <= to && from <= self.to
    }
}

/// A call that had ended when it was read while the storm went on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    pub id: String,
    /// Its state, its reason and the time of its end.
    pub end: String,
}

/// All that is known after a storm.
#[derive(Debug)]
pub struct History<'a> {
    pub programs: &'a [Program],
    pub requests: &'a [Request],
    pub records: &'a [Record],
    pub starts: &'a [Start],
    /// When a server was killed that had records to write, by the storm's clock: from when they waited.
    pub kills: &'a [Harm],
    /// What may have cost attempts their worker, since 1970; `None`: any loss is taken for explained.
    pub harm: Option<&'a [Harm]>,
    /// What had ended while the storm went on.
    pub ended: &'a [Ended],
    /// Attempts that may be lost before a call fails.
    pub max_lost: u32,
    /// How far from a kill an answer may be whose record was not written yet.
    pub unwritten: Duration,
    pub urls: Urls<'a>,
}

impl<'a> History<'a> {
    /// The records of what was not asked for by a URL.
    fn calls(&self) -> impl Iterator<Item = &'a Record> + use<'a> {
        let of_urls = self.urls.function;
        self.records.iter().filter(move |record| record.function != of_urls)
    }
}

/// What a storm came to.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Summary {
    pub requests: usize,
    pub accepted: usize,
    pub finished: usize,
    pub unanswered: usize,
    /// Requests to URLs, and those that the function answered.
    pub visits: usize,
    pub answered_visits: usize,
    pub records: usize,
    pub succeeded: usize,
    pub failed: usize,
    pub cancelled: usize,
    /// Of the failed ones, those that were lost once too often.
    pub lost: usize,
    pub starts: usize,
    pub lost_attempts: u32,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} requests: {} accepted, {} finished, {} unanswered; {} to URLs: {} answered; {} records: {} succeeded, {} failed, \
             {} of them lost too often, {} cancelled; {} noted starts, {} lost attempts",
            self.requests,
            self.accepted,
            self.finished,
            self.unanswered,
            self.visits,
            self.answered_visits,
            self.records,
            self.succeeded,
            self.failed,
            self.lost,
            self.cancelled,
            self.starts,
            self.lost_attempts
        )
    }
}

/// The history with its indexes, and what was found wrong.
struct Check<'a> {
    history: &'a History<'a>,
    programs: HashMap<&'a str, &'a Program>,
    requests: HashMap<&'a str, &'a Request>,
    records: HashMap<&'a str, &'a Record>,
    wrong: Vec<String>,
}

/// Everything that does not hold, in words; empty when all is well.
pub fn check(history: &History<'_>) -> Vec<String> {
    let mut check = Check {
        history,
        programs: history.programs.iter().map(|program| (program.name, program)).collect(),
        requests: history.requests.iter().map(|request| (request.payload.as_str(), request)).collect(),
        records: history.records.iter().map(|record| (record.id.as_str(), record)).collect(),
        wrong: Vec::new(),
    };
    check.each_is_there_once();
    history.requests.iter().for_each(|request| check.promises_are_kept(request));
    history.calls().for_each(|record| check.record(record));
    check.starts();
    check.urls();
    check.ends_stay();
    check.wrong
}

pub fn summary(history: &History<'_>) -> Summary {
    let answered = |wanted: fn(&Answer) -> bool| {
        history.requests.iter().filter(|r| r.answers.iter().any(wanted)).count()
    };
    let ended = |state: &str| history.records.iter().filter(|record| record.state == state).count();
    Summary {
        requests: history.requests.len(),
        accepted: answered(|answer| matches!(answer, Answer::Accepted { .. })),
        finished: answered(|answer| matches!(answer, Answer::Finished { .. })),
        unanswered: history.requests.iter().filter(|request| request.answers.is_empty()).count(),
        visits: history.urls.visits.len(),
        answered_visits: history.urls.answered(),
        records: history.records.len(),
        succeeded: ended("SUCCEEDED"),
        failed: ended("FAILED"),
        cancelled: ended("CANCELLED"),
        lost: history.records.iter().filter(|record| record.reason == "Lost").count(),
        starts: history.starts.len(),
        lost_attempts: history.records.iter().map(|record| record.lost).sum(),
    }
}

/// What the attempt that decided answers; nothing where none can.
fn result_of(program: Program, record: &Record) -> Option<String> {
    match program.ends {
        Ends::Echoes | Ends::EchoesFrom(_) => Some(record.payload.clone()),
        Ends::Numbers => Some(record.attempt.to_string()),
        Ends::Fails(_) | Ends::Hangs(_) => None,
    }
}

impl Check<'_> {
    fn each_is_there_once(&mut self) {
        if self.requests.len() != self.history.requests.len() {
            self.wrong.push("two requests share a payload: the storm itself is broken".to_owned());
        }
        let mut of_payload = HashMap::new();
        for record in self.history.calls() {
            if let Some(other) = of_payload.insert(record.payload.as_str(), &record.id) {
                let what = if self.requests.get(record.payload.as_str()).is_some_and(|request| request.keyed)
                {
                    "one key made two calls"
                } else {
                    "one request made two calls"
                };
                self.wrong.push(format!("{what}: {other} and {} of {:?}", record.id, record.payload));
            }
        }
        if self.records.len() != self.history.records.len() {
            self.wrong.push("the list names a call twice".to_owned());
        }
    }

    /// Nothing accepted is lost, and what was told is what is recorded.
    fn promises_are_kept(&mut self, request: &Request) {
        for answer in &request.answers {
            let first = request.answers.first().map_or("", Answer::id);
            if answer.id() != first {
                self.wrong.push(format!(
                    "{:?} was answered with {first} and {}",
                    request.payload,
                    answer.id()
                ));
            }
            if let Answer::Finished { id, result, .. } = answer
                && *result != request.payload
            {
                self.wrong.push(format!("{id} answered {result:?}, not {:?}", request.payload));
            }
            match self.records.get(answer.id()) {
                Some(record) if record.payload != request.payload || record.function != request.function => {
                    self.wrong.push(format!("{} is a call of something else than was asked", answer.id()));
                }
                Some(record) if matches!(answer, Answer::Failed { reason, .. } if *reason != record.reason) =>
                {
                    self.wrong.push(format!("{} failed otherwise than was told: {answer:?}", answer.id()));
                }
                Some(record) if matches!(answer, Answer::Cancelled { .. }) && record.state != "CANCELLED" => {
                    self.wrong.push(format!("{} was said to be cancelled: {record:?}", record.id));
                }
                Some(_) => {}
                None => self.missing(request, answer),
            }
        }
    }

    fn missing(&mut self, request: &Request, answer: &Answer) {
        match answer {
            Answer::Accepted { id } => self.wrong.push(format!("LOST: {id} was accepted and has no record")),
            Answer::Finished { id, .. } | Answer::Failed { id, .. } if request.keyed => {
                self.wrong.push(format!("LOST: {id} was answered under a key and has no record"));
            }
            Answer::Finished { id, at, .. } if !self.killed_around(*at) => {
                self.wrong.push(format!("{id} was answered long before a kill and has no record"));
            }
            Answer::Finished { .. } => {}
            Answer::Failed { id, .. } => {
                self.wrong.push(format!("{id} was said to have failed and has no record"));
            }
            Answer::Cancelled { id } => {
                self.wrong.push(format!("{id} was said to be cancelled and has no record"));
            }
        }
    }

    /// A busy client may read an answer some time after its server is dead.
    fn killed_around(&self, at: Duration) -> bool {
        let slack = self.history.unwritten;
        self.history.kills.iter().any(|kill| kill.meets(at.saturating_sub(slack), at + slack))
    }

    fn record(&mut self, record: &Record) {
        let Some(request) = self.requests.get(record.payload.as_str()) else {
            self.wrong.push(format!("{} is a call that nobody asked for", record.id));
            return;
        };
        if !matches!(record.state.as_str(), "SUCCEEDED" | "FAILED" | "CANCELLED")
            || record.end_time.is_empty()
        {
            self.wrong.push(format!("{} is {} and not at its end", record.id, record.state));
            return;
        }
        match self.programs.get(record.function.as_str()) {
            Some(program) if program.name == request.function => {
                let (program, cancelled) = (**program, request.cancelled);
                self.end(record, program, cancelled);
                self.attempts(record, program, cancelled);
            }
            _ => self.wrong.push(format!("{} is a call of {:?}", record.id, record.function)),
        }
    }

    /// The end that its function and its losses lead to, and no other.
    fn end(&mut self, record: &Record, program: Program, cancelled: bool) {
        let honest = match record.state.as_str() {
            "SUCCEEDED" => {
                record.result == result_of(program, record) && record.reason.is_empty() && !record.dead_letter
            }
            "FAILED" if record.reason == "Lost" => record.lost > self.history.max_lost,
            "FAILED" if cancelled && record.reason == "ExitCode" => {
                matches!(program.ends, Ends::Fails(_) | Ends::EchoesFrom(_))
            }
            "FAILED" => {
                let reason = match program.ends {
                    Ends::Fails(_) => "ExitCode",
                    Ends::Hangs(_) => "Timeout",
                    Ends::Echoes | Ends::Numbers | Ends::EchoesFrom(_) => return self.odd(record, program),
                };
                record.reason == reason && record.dead_letter
            }
            "CANCELLED" => cancelled && record.reason == "Cancelled" && record.result.is_none(),
            _ => false,
        };
        if !honest {
            self.odd(record, program);
        }
    }

    fn odd(&mut self, record: &Record, program: Program) {
        self.wrong
            .push(format!("{} of {:?} ended otherwise than it can: {record:?}", record.id, program.ends));
    }

    /// What has ended never changes.
    fn ends_stay(&mut self) {
        for ended in self.history.ended {
            match self.records.get(ended.id.as_str()) {
                Some(record) if record.whole_end() == ended.end => {}
                Some(record) => {
                    self.wrong.push(format!("{} had ended as {:?}: {record:?}", ended.id, ended.end));
                }
                None => self.wrong.push(format!("LOST: {} had ended and has no record", ended.id)),
            }
        }
    }
}
