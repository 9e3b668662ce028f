use crate::checker::{Attempt, Harm, History, Record, Urls, Visit, Visited, check};
use crate::ledger::Start;
use std::time::Duration;

const URL: &str = "url";
const AT: Duration = Duration::from_secs(10);
/// Far from a kill.
const LATER: Duration = Duration::from_secs(30);

/// One answered, one answered with an error, one that failed, one refused, one that broke after it ran, and one that was
/// answered at a kill and has no record.
struct World {
    visits: Vec<Visit>,
    records: Vec<Record>,
    starts: Vec<Start>,
}

fn visit(name: &str, at: Duration, told: Visited) -> Visit {
    Visit { name: name.to_owned(), status: 200, from: at, to: at + Duration::from_millis(10), told }
}

fn answered(id: &str, name: &str, status: u16) -> Visited {
    Visited::Answered { id: id.to_owned(), status, name: name.to_owned(), same: true }
}

fn record(id: &str, state: &str, reason: &str, http_status: u32) -> Record {
    let attempt = Attempt { number: 1, state: state.to_owned(), reason: reason.to_owned(), from: AT, to: AT };
    Record {
        id: id.to_owned(),
        function: URL.to_owned(),
        state: state.to_owned(),
        reason: reason.to_owned(),
        attempt: 1,
        lost: 0,
        dead_letter: false,
        end_time: "then".to_owned(),
        http_status,
        payload: String::new(),
        result: None,
        attempts: vec![attempt],
    }
}

fn start(id: &str, name: &str) -> Start {
    Start { id: id.to_owned(), attempt: 1, payload: name.to_owned() }
}

impl World {
    fn new() -> Self {
        let failed = Visited::Failed { id: "c".to_owned(), reason: "StartDeadline".to_owned() };
        let mut world = Self {
            visits: vec![
                visit("v1", LATER, answered("a", "v1", 200)),
                visit("v2", LATER, answered("b", "v2", 503)),
                visit("v3", LATER, failed),
                visit("v4", LATER, Visited::Refused),
                visit("v5", LATER, Visited::Broken),
                visit("v6", AT, answered("f", "v6", 200)),
            ],
            records: vec![
                record("a", "SUCCEEDED", "", 200),
                record("b", "FAILED", "ServerError", 503),
                record("c", "FAILED", "StartDeadline", 0),
                record("e", "CANCELLED", "Cancelled", 200),
            ],
            starts: vec![start("a", "v1"), start("b", "v2"), start("e", "v5"), start("f", "v6")],
        };
        world.visits[1].status = 503;
        world
    }

    fn wrong(&self) -> Vec<String> {
        check(&History {
            programs: &[],
            requests: &[],
            records: &self.records,
            starts: &[],
            kills: &[Harm::at(AT)],
            harm: None,
            ended: &[],
            max_lost: 5,
            unwritten: Duration::from_millis(100),
            urls: Urls { function: URL, visits: &self.visits, starts: &self.starts },
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
fn an_answer_without_a_record_is_found_where_no_kill_explains_it() {
    finds(|world| drop(world.records.remove(0)), "has no record");
    finds(|world| drop(world.records.remove(2)), "has no record");
    finds(|world| drop(world.records.remove(3)), "ran the request v5 and has no record");
}

#[test]
fn an_answer_of_another_request_is_found() {
    finds(|world| world.visits[0].told = answered("a", "v2", 200), "another answer than its own");
    finds(
        |world| {
            let told =
                Visited::Answered { id: "a".to_owned(), status: 200, name: "v1".to_owned(), same: false };
            world.visits[0].told = told;
        },
        "another answer than its own",
    );
    finds(|world| world.visits[0].told = answered("b", "v1", 200), "never ran it");
    finds(|world| world.visits[0].told = answered("b", "v1", 200), "answered by the same call");
}

#[test]
fn a_request_that_ran_twice_or_was_refused_and_ran_is_found() {
    finds(|world| world.starts.push(start("x", "v1")), "ran twice");
    finds(|world| world.starts.push(start("a", "v9")), "a ran twice");
    finds(|world| world.starts.push(start("x", "v9")), "nobody sent");
    finds(|world| world.starts.push(start("x", "v4")), "was refused and ran");
}

#[test]
fn a_record_that_says_something_else_is_found() {
    finds(|world| world.records[0].http_status = 204, "something else than is recorded");
    finds(|world| world.records[1] = record("b", "SUCCEEDED", "", 503), "something else than is recorded");
    finds(
        |world| world.records[0] = record("a", "CANCELLED", "Cancelled", 200),
        "something else than is recorded",
    );
    finds(|world| world.records[2].reason = "Timeout".to_owned(), "something else than is recorded");
    finds(|world| world.visits[1].status = 200, "something else than is recorded");
}

#[test]
fn a_record_that_no_request_explains_is_found() {
    finds(|world| world.records.push(record("x", "SUCCEEDED", "", 200)), "succeeded and never ran");
    finds(|world| world.records[3].state = "RUNNING".to_owned(), "not at its end");
    finds(|world| world.records[3].attempts.clear(), "one attempt");
    finds(
        |world| world.records.extend(["x", "y", "z"].map(|id| record(id, "FAILED", "NoAnswer", 0))),
        "more calls of URLs than requests",
    );
}
