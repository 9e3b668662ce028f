//! A check that finds nothing is worth nothing: with each guard switched off in turn, the chaos run must go red, and by
//! what that guard is for. Each has its twin that shows the same scene green with the guard on.

use crate::idempotency::races;
use eventflow_e2e::chaos::{Fault, Plan, Size, run};
use eventflow_e2e::checker::{Answer, Ends, Harm, History, Program, Request, check};
use eventflow_e2e::fleet::{Fleet, Options};
use eventflow_e2e::ledger::Ledger;
use eventflow_e2e::shape::only_cluster;
use eventflow_e2e::skipped;
use eventflow_e2e::storm::functions::shell;
use eventflow_e2e::storm::readback::{drains, list, records};
use eventflow_e2e::wait::until;
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_epoch_a_dispatcher_that_stood_still_decides() {
    if !only_cluster(HARM) {
        return;
    }
    let zombies = [Fault::ZombieDispatcher, Fault::ZombieDispatcher];
    if let Some(wrong) = chaos(&zombies, Some("fence")).await {
        finds(&wrong, "of Numbers ended otherwise than it can");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_the_epoch_it_decides_nothing() {
    if !only_cluster(HARM) {
        return;
    }
    assert_eq!(chaos(&[Fault::ZombieDispatcher], None).await.unwrap_or_default(), [""; 0]);
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
