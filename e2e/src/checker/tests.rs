//! A checker that finds nothing is worth nothing: each test plants one fault.

use super::{Answer, Attempt, Ended, Ends, Harm, History, Program, Record, Request, Urls, check};
use crate::ledger::Start;
use std::time::Duration;

const PROGRAMS: [Program; 5] = [
    Program { name: "echo", notes: true, ends: Ends::Echoes },
    Program { name: "flaky", notes: true, ends: Ends::EchoesFrom(2) },
    Program { name: "doomed", notes: true, ends: Ends::Fails(1) },
    Program { name: "hang", notes: false, ends: Ends::Hangs(2) },
    Program { name: "numbers", notes: false, ends: Ends::Numbers },
];
const AT: Duration = Duration::from_secs(10);

/// A small history in which all is well: one call lost once, one flaky, one doomed, one sync call that a kill took.
struct World {
    requests: Vec<Request>,
    records: Vec<Record>,
    starts: Vec<Start>,
    kills: Vec<Harm>,
    harm: Option<Vec<Harm>>,
    ended: Vec<Ended>,
}

fn request(function: &'static str, payload: &str, answers: &[Answer]) -> Request {
    Request { function, payload: payload.to_owned(), answers: answers.to_vec(), ..Request::default() }
}

fn accepted(id: &str) -> Answer {
    Answer::Accepted { id: id.to_owned() }
}

fn record(id: &str, function: &str, payload: &str, ends: &[&str]) -> Record {
    let attempt = |(index, reason): (usize, &&str)| Attempt {
        number: index as u32 + 1,
        state: if reason.is_empty() { "SUCCEEDED" } else { "FAILED" }.to_owned(),
        reason: (*reason).to_owned(),
        from: AT,
        to: AT + Duration::from_secs(1),
    };
    let attempts: Vec<Attempt> = ends.iter().enumerate().map(attempt).collect();
    let last = attempts.last().expect("an attempt").clone();
    Record {
        id: id.to_owned(),
        function: function.to_owned(),
        result: last.reason.is_empty().then(|| payload.to_owned()),
        dead_letter: !last.reason.is_empty(),
        state: last.state,
        reason: last.reason,
        attempt: attempts.len() as u32,
        lost: ends.iter().filter(|reason| **reason == "Lost").count() as u32,
        end_time: "then".to_owned(),
        http_status: 0,
        payload: payload.to_owned(),
        attempts,
    }
}

fn start(id: &str, attempt: u32, payload: &str) -> Start {
    Start { id: id.to_owned(), attempt, payload: payload.to_owned() }
}

impl World {
    fn new() -> Self {
        let finished = Answer::Finished { id: "d".to_owned(), result: "p4".to_owned(), at: AT };
        let mut world = Self {
            requests: vec![
                request("echo", "p1", &[accepted("a")]),
                request("flaky", "p2", &[accepted("b")]),
                request("doomed", "p3", &[accepted("c")]),
                request("echo", "p4", &[finished]),
                request("echo", "p5", &[]),
            ],
            records: vec![
                record("a", "echo", "p1", &["Lost", ""]),
                record("b", "flaky", "p2", &["ExitCode", ""]),
                record("c", "doomed", "p3", &["ExitCode"]),
            ],
            starts: vec![
                start("a", 1, "p1"),
                start("a", 2, "p1"),
                start("b", 1, "p2"),
                start("b", 2, "p2"),
                start("c", 1, "p3"),
                start("d", 1, "p4"),
            ],
            kills: vec![Harm::at(AT + Duration::from_millis(50))],
            harm: Some(vec![Harm::at(AT + Duration::from_millis(500))]),
            ended: Vec::new(),
        };
        world.requests[0].keyed = true;
        world.requests[3].sync = true;
        world
    }

    fn wrong(&self) -> Vec<String> {
        check(&History {
            programs: &PROGRAMS,
            requests: &self.requests,
            records: &self.records,
            starts: &self.starts,
            kills: &self.kills,
            harm: self.harm.as_deref(),
            ended: &self.ended,
            max_lost: 5,
            unwritten: Duration::from_millis(100),
            urls: Urls::default(),
        })
    }
}

#[track_caller]
fn finds(change: impl FnOnce(&mut World), what: &str) {
    let mut world = World::new();
    change(&mut world);
    let wrong = world.wrong();
    assert!(wrong.iter().any(|found| found.contains(what)), "{what:?} is not in {wrong:?}");
}

#[test]
fn an_honest_history_passes() {
    assert_eq!(World::new().wrong(), [""; 0]);
}

#[test]
fn an_accepted_call_without_a_record_is_found() {
    finds(|world| drop(world.records.remove(0)), "LOST");
}

#[test]
fn an_answer_without_a_record_is_excused_only_by_a_kill() {
    finds(|world| world.kills = vec![Harm::at(AT + Duration::from_secs(9))], "long before a kill");
    finds(|world| world.requests[3].keyed = true, "under a key");
}

#[test]
fn a_failure_that_was_told_must_be_the_recorded_one() {
    let failed = |reason: &str| Answer::Failed { id: "c".to_owned(), reason: reason.to_owned() };
    finds(|world| world.requests[2].answers = vec![failed("Lost")], "otherwise than was told");
    finds(
        |world| {
            world.requests[2].answers = vec![failed("ExitCode")];
            world.records.remove(2);
        },
        "said to have failed",
    );
}

#[test]
fn a_call_that_does_not_end_is_found() {
    finds(|world| world.records[0].state = "RUNNING".to_owned(), "not at its end");
}

#[test]
fn two_calls_of_one_request_are_found() {
    finds(|world| world.records.push(record("x", "flaky", "p2", &["ExitCode", ""])), "one request made two");
    finds(|world| world.records.push(record("x", "echo", "p1", &[""])), "one key made two");
    finds(|world| world.requests[0].answers.push(accepted("b")), "was answered with");
}

#[test]
fn a_call_from_nowhere_is_found() {
    finds(|world| world.records.push(record("x", "echo", "p9", &[""])), "nobody asked for");
}

#[test]
fn a_wrong_end_is_found() {
    finds(|world| world.records[0].result = Some("p2".to_owned()), "otherwise than it can");
    finds(|world| world.records[2] = record("c", "doomed", "p3", &[""]), "otherwise than it can");
    finds(|world| world.records[0] = record("a", "echo", "p1", &["Lost", "Lost"]), "otherwise than it can");
}

#[test]
fn an_extra_start_without_a_cause_is_found() {
    finds(
        |world| world.records[0] = record("a", "echo", "p1", &["OutOfMemory", ""]),
        "without a recorded cause",
    );
    finds(|world| world.records[0] = record("a", "echo", "p1", &["Timeout", ""]), "more or less often");
    finds(|world| world.records[0] = record("a", "echo", "p1", &["ExitCode", ""]), "more or less often");
    finds(|world| world.records[0].lost = 0, "not counted right");
}

#[test]
fn starts_and_record_must_agree() {
    finds(|world| world.starts.push(start("a", 2, "p1")), "started twice");
    finds(|world| world.starts.push(start("a", 3, "p1")), "is not recorded");
    finds(|world| drop(world.starts.remove(1)), "never ran");
    finds(|world| world.starts.push(start("x", 1, "p1")), "one key ran as");
    finds(|world| world.starts.push(start("x", 1, "p2")), "has no record");
}

#[test]
fn a_loss_that_no_harm_explains_is_found() {
    let late = Harm::at(AT + Duration::from_secs(2));
    finds(|world| world.harm = Some(vec![late]), "nobody harmed its worker");
    finds(|world| world.harm = Some(Vec::new()), "nobody harmed its worker");
}

#[test]
fn an_end_that_changed_is_found() {
    let ended = |end: &str| Ended { id: "a".to_owned(), end: end.to_owned() };
    finds(|world| world.ended.push(ended("FAILED \"Lost\" then")), "had ended as");
    finds(
        |world| {
            world.ended.push(ended("SUCCEEDED \"\" then"));
            world.records.remove(0);
        },
        "had ended and has no record",
    );
    let mut world = World::new();
    world.ended.push(ended("SUCCEEDED \"\" then"));
    assert_eq!(world.wrong(), [""; 0]);
}

fn cancelled(world: &mut World) {
    world.records[0].state = "CANCELLED".to_owned();
    world.records[0].reason = "Cancelled".to_owned();
    world.records[0].result = None;
}

#[test]
fn a_cancel_that_nobody_asked_for_or_that_was_told_and_did_not_come_is_found() {
    finds(cancelled, "otherwise than it can");
    finds(
        |world| world.requests[0].answers.push(Answer::Cancelled { id: "a".to_owned() }),
        "said to be cancelled",
    );
    let mut world = World::new();
    cancelled(&mut world);
    world.requests[0].cancelled = true;
    assert_eq!(world.wrong(), [""; 0]);
}

#[test]
fn a_call_that_hangs_ends_by_its_timeouts() {
    let hang = |ends: &[&str]| {
        let mut world = World::new();
        world.requests.push(request("hang", "p6", &[accepted("h")]));
        world.records.push(record("h", "hang", "p6", ends));
        world.wrong()
    };
    assert_eq!(hang(&["Timeout", "Timeout"]), [""; 0]);
    assert!(!hang(&["Timeout"]).is_empty());
    assert!(!hang(&["Timeout", ""]).is_empty());
}

#[test]
fn the_answer_of_an_attempt_that_did_not_decide_is_found() {
    let numbered = |result: &str| {
        let mut world = World::new();
        world.requests.push(request("numbers", "p7", &[accepted("n")]));
        world.records.push(record("n", "numbers", "p7", &["Lost", ""]));
        world.records[3].result = Some(result.to_owned());
        world.wrong()
    };
    assert_eq!(numbered("2"), [""; 0]);
    assert!(!numbered("1").is_empty());
}
