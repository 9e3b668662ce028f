//! A check that finds nothing is worth nothing: with each guard switched off in turn, the chaos run must go red, and by
//! what that guard is for. Each has its twin that shows the same scene green with the guard on.

use crate::idempotency::races;
use eventflow_e2e::chaos::{Fault, Plan, Size, run, wall};
use eventflow_e2e::checker::{Answer, Ends, Harm, History, Program, Request, Urls, check};
use eventflow_e2e::fleet::{Fleet, Options};
use eventflow_e2e::ledger::Ledger;
use eventflow_e2e::shape::only_cluster;
use eventflow_e2e::storm::functions::shell;
use eventflow_e2e::storm::readback::{drains, list, records};
use eventflow_e2e::wait::until;
use eventflow_e2e::{Rest, skipped};
use std::time::Duration;

const HARM: &str = "it harms what stands behind the services";

/// What does not hold after these faults under load.
async fn chaos(faults: &[Fault], without: Option<&'static str>) -> Option<Vec<String>> {
    let plan = Plan::of(1, faults);
    // What is wrong is wrong soon; what is right may wait for the broker to be told again.
    let drained = Duration::from_secs(if without.is_some() { 30 } else { 200 });
    let size = Size { accepted: 100, steps: faults.len(), clients: 8, drained, without, ..Size::default() };
    let report = run(&plan, size).await;
    println!("without {without:?}: {}, {:#?}", report.summary, report.wrong);
    if let Some(why) = report.skipped.first() {
        skipped(why, false);
        return None;
    }
    Some(report.wrong)
}

#[track_caller]
fn finds(wrong: &[String], what: &str) {
    assert!(wrong.iter().any(|found| found.contains(what)), "{what:?} is not in {wrong:#?}");
}

/// A dispatcher's way to the database stands still while its run ends, for longer than its lease. So the end of the run
/// is on its way while another dispatcher takes over. (One that stands still as a whole renews its leases first when it
/// goes on, and writes the lines of the log, so that it mostly hears that the lease is gone before it settles. No
/// settlement waits for that, so it is no guard.)
async fn stood_still(without: Option<&'static str>) -> Vec<String> {
    const WAITS: Program = Program { name: "waits", notes: true, ends: Ends::Numbers };
    // Each has room for one run. Whatever is asked of the database is not given up before its way is open again.
    let settings =
        ["dispatcher.lease=3s", "dispatcher.slots=1", "postgres.deadline=240s", "postgres.writers=8"];
    let settings = settings.map(str::to_owned).to_vec();
    let fleet = Fleet::start(Options { settings, links: true, without, ..Options::default() }).await;
    let (ledger, go) = (Ledger::new(fleet.folder().join("ledger")), fleet.folder().join("go"));
    let (rests, _) = fleet.clients().await;
    let rest = &rests[0];
    // Each attempt ends when it is told to.
    let wait = format!("until [ -e '{}'$EVENTFLOW_ATTEMPT ]; do sleep 0.05; done", go.display());
    // No line of a log has to be written before the end.
    let answer = "printf %s \"$EVENTFLOW_ATTEMPT\" >\"$EVENTFLOW_RESULT_FILE\"";
    let script = format!("{}; {wait}; {answer}", ledger.note());
    rest.apply(&shell(WAITS.name, &script)).await;
    rest.apply(&shell(WITNESS.name, &format!("{}; cat \"$EVENTFLOW_PAYLOAD_FILE\"", ledger.note()))).await;
    fleet.dispatchers[1].take_away().await;
    let first = ask(rest, WAITS, "stale").await;
    starts(&ledger, 1).await;
    let from = wall();
    quiet(&fleet).await;
    std::fs::write(format!("{}1", go.display()), "").unwrap();
    fleet.dispatchers[1].release();
    starts(&ledger, 2).await;
    fleet.links[0].go_on();
    // The other one is busy: who runs this has come to an end with the first.
    let second = ask(rest, WITNESS, "witness").await;
    rest.ended(second.answers[0].id()).await;
    let to = wall();
    std::fs::write(format!("{}2", go.display()), "").unwrap();
    drains(rest, Duration::from_secs(60)).await;
    for replica in &fleet.dispatchers {
        println!("{}:\n{}", replica.name(), fleet.log(replica.name()));
    }
    check(&History {
        programs: &[WAITS, WITNESS],
        requests: &[first, second],
        records: &records(rest).await,
        starts: &ledger.starts().expect("a whole ledger"),
        kills: &[],
        harm: Some(&[Harm { from, to }]),
        ended: &[],
        max_lost: 5,
        unwritten: Duration::ZERO,
        urls: Urls::default(),
    })
}

const WITNESS: Program = Program { name: "witness", notes: true, ends: Ends::Echoes };

async fn ask(rest: &Rest, program: Program, payload: &str) -> Request {
    let id = rest.invoke_async(program.name, payload.to_owned()).await;
    let answers = vec![Answer::Accepted { id }];
    Request { function: program.name, payload: payload.to_owned(), answers, ..Request::default() }
}

/// Waits until so many attempts have started.
async fn starts(ledger: &Ledger, count: usize) {
    until("an attempt starts", Duration::from_secs(60), async || {
        (ledger.starts().expect("a whole ledger").len() == count).then_some(())
    })
    .await;
}

/// Holds the way of the first dispatcher at a moment at which it holds nothing in the database that others wait for.
async fn quiet(fleet: &Fleet) {
    const BUSY: &str =
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'eventflow' AND state <> 'idle'";
    until("the database is quiet", Duration::from_secs(30), async || {
        fleet.links[0].stand_still();
        let quiet = fleet.postgres.sql("postgres", BUSY).await == "0";
        if !quiet {
            fleet.links[0].go_on();
        }
        quiet.then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_epoch_a_dispatcher_that_stood_still_decides() {
    if !only_cluster(HARM) {
        return;
    }
    finds(&stood_still(Some("fence")).await, "of Numbers ended otherwise than it can");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_the_epoch_it_decides_nothing() {
    if !only_cluster(HARM) {
        return;
    }
    assert_eq!(stood_still(None).await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_outbox_what_the_broker_forgot_is_lost() {
    if !only_cluster(HARM) {
        return;
    }
    if let Some(wrong) = chaos(&[Fault::WipeNats], Some("outbox")).await {
        finds(&wrong, "the books do not balance");
        finds(&wrong, "not at its end");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_synced_blob_a_power_cut_takes_payloads_of_accepted_calls() {
    if !only_cluster(HARM) {
        return;
    }
    if let Some(wrong) = chaos(&[Fault::PowerCut], Some("fsync")).await {
        finds(&wrong, "is a call of something else than was asked");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_synced_blobs_it_takes_none() {
    if !only_cluster(HARM) {
        return;
    }
    assert_eq!(chaos(&[Fault::PowerCut], None).await.unwrap_or_default(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_unique_key_racing_retries_run_twice() {
    if !only_cluster(HARM) {
        return;
    }
    let mut fleet = Fleet::start(Options { without: Some("key"), ..Options::default() }).await;
    let (wrong, _) = races(&mut fleet, 60, 1).await;
    finds(&wrong, "one key made two calls");
}

/// Calls run on one dispatcher while another one starts.
async fn newcomer(without: Option<&'static str>) -> Vec<String> {
    const SLOW: Program = Program { name: "slow", notes: true, ends: Ends::Echoes };
    let fleet = Fleet::start(Options { without, ..Options::default() }).await;
    let ledger = Ledger::new(fleet.folder().join("ledger"));
    let (rests, _) = fleet.clients().await;
    let rest = &rests[0];
    rest.apply(&shell(SLOW.name, &format!("{}; sleep 6; printf %s \"$payload\"", ledger.note()))).await;
    fleet.dispatchers[1].take_away().await;
    let mut requests = Vec::new();
    for number in 0..4 {
        let payload = format!("call-{number}");
        let id = rest.invoke_async(SLOW.name, payload.clone()).await;
        let answers = vec![Answer::Accepted { id }];
        requests.push(Request { function: SLOW.name, payload, answers, ..Request::default() });
    }
    until("all run", Duration::from_secs(60), async || {
        (list(rest, "state=RUNNING").await.len() == 4).then_some(())
    })
    .await;
    fleet.dispatchers[1].release();
    fleet.dispatchers[1].ready(Duration::from_secs(60)).await;
    drains(rest, Duration::from_secs(60)).await;
    check(&History {
        programs: &[SLOW],
        requests: &requests,
        records: &records(rest).await,
        starts: &ledger.starts().expect("a whole ledger"),
        kills: &[],
        harm: Some(&[] as &[Harm]),
        ended: &[],
        max_lost: 5,
        unwritten: Duration::ZERO,
        urls: Urls::default(),
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_lease_a_newcomer_takes_the_work_of_the_living() {
    if !only_cluster(HARM) {
        return;
    }
    finds(&newcomer(Some("lease")).await, "was lost though nobody harmed its worker");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_the_lease_a_newcomer_leaves_it_alone() {
    if !only_cluster(HARM) {
        return;
    }
    assert_eq!(newcomer(None).await, [""; 0]);
}
