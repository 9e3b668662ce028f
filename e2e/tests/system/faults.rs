//! Faults of what stands behind a cluster: the broker, the database, one of several dispatchers. What was accepted runs
//! and ends once, and nothing has to be restarted by hand.

use eventflow_e2e::ledger::Ledger;
use eventflow_e2e::shape::only_cluster;
use eventflow_e2e::support::{echo, shell, shell_with};
use eventflow_e2e::wait::{settles, until};
use eventflow_e2e::{Rest, Server};
use eventflow_testkit::servers::Signal;
use eventflow_testkit::servers::nats::Store;
use eventflow_testkit::servers::s3::S3Server;
use futures::future::join_all;
use rustix::process::Signal as UnixSignal;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How long the first success may take after a repair.
const HEALED: Duration = Duration::from_secs(10);
const LONG: Duration = Duration::from_secs(180);

async fn accepted(rest: &Rest, name: &str, count: usize) -> Vec<String> {
    let calls = (0..count).map(|number| rest.invoke_async(name, number.to_string()));
    join_all(calls).await
}

/// Every one of them ends well.
async fn all_succeed(rest: &Rest, ids: &[String]) {
    for id in ids {
        let ended = async || {
            let record = rest.record(id).await;
            let state = record["state"].as_str().unwrap_or_default().to_owned();
            matches!(state.as_str(), "SUCCEEDED" | "FAILED" | "CANCELLED").then_some((state, record))
        };
        let (state, record) = until("the end of a call", LONG, ended).await;
        assert_eq!(state, "SUCCEEDED", "{record:#}");
    }
}

/// How often each payload was started.
fn starts(ledger: &Ledger) -> BTreeMap<String, usize> {
    let mut starts = BTreeMap::new();
    for start in ledger.starts().expect("a whole ledger") {
        *starts.entry(start.payload).or_default() += 1;
    }
    starts
}

async fn answers(rest: &Rest, name: &str) {
    let answered = async || {
        let call = rest.request("POST", &format!("/v1/functions/{name}:invoke?wait=2s")).body("again");
        (call.try_send().await.ok()?.status == 200).then_some(())
    };
    until("the first success", HEALED, answered).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_lost_everything_loses_no_call() {
    if !only_cluster("it harms what stands behind the services") {
        return;
    }
    let mut server = Server::start().await;
    let rest = server.rest().await;
    let ledger = Ledger::new(server.folder().join("ledger"));
    let job = shell_with("noted", &format!("{}; sleep 0.05", ledger.note()), json!({"concurrency": 4}));
    rest.apply(&job).await;
    let ids = accepted(&rest, "noted", 200).await;
    server.cluster().nats.restart(Store::Wiped).await;
    let after = accepted(&rest, "noted", 20).await;
    all_succeed(&rest, &ids).await;
    all_succeed(&rest, &after).await;
    let starts = starts(&ledger);
    assert_eq!(starts.len(), 200, "200 payloads, of which the first 20 came twice: {starts:?}");
    let total: usize = starts.values().sum();
    assert_eq!(total, 220, "no call was started twice: {starts:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_broker_is_away_calls_are_accepted_and_run_when_it_is_back() {
    if !only_cluster("it harms what stands behind the services") {
        return;
    }
    let mut server = Server::start().await;
    let rest = server.rest().await;
    rest.apply(&echo("echo")).await;
    rest.invoke("echo", "before").await;
    server.cluster().nats.kill().await;
    let ids = accepted(&rest, "echo", 50).await;
    let api = server.api(0);
    let refused = async || (api.get("/readyz").await.status == 503).then_some(());
    until("readiness to tell", Duration::from_secs(30), refused).await;
    assert_eq!(rest.invoke("echo", "sync").await.text(), "sync", "who waits needs no broker");
    server.cluster().nats.restart(Store::Kept).await;
    all_succeed(&rest, &ids).await;
    let ready = async || api.get("/readyz").await;
    settles("readiness", Duration::from_secs(30), ready, |answer| answer.status == 200).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_database_is_away_nothing_is_promised_and_it_heals_alone() {
    if !only_cluster("it harms what stands behind the services") {
        return;
    }
    let mut server = Server::options().own_postgres().set("grace=2s").start().await;
    let rest = server.rest().await;
    rest.apply(&echo("echo")).await;
    let ids = accepted(&rest, "echo", 30).await;
    let postgres = server.cluster().postgres.as_mut().expect("its own");
    postgres.signal(Signal::Kill);
    let refused = rest.request("POST", "/v1/functions/echo:invoke").body("lost?").send().await;
    assert_eq!(refused.status, 503, "{refused:?}");
    assert!(!refused.header("retry-after").is_empty(), "{refused:?}");
    assert_eq!(rest.without_token().get("/healthz").await.status, 200, "it is alive");
    let api = server.api(0);
    let away = async || (api.get("/readyz").await.status == 503).then_some(());
    until("readiness to tell", Duration::from_secs(30), away).await;
    server.cluster().postgres.as_mut().expect("its own").restart().await;
    answers(&rest, "echo").await;
    all_succeed(&rest, &ids).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dispatcher_that_stood_still_decides_nothing_any_more() {
    if !only_cluster("it harms what stands behind the services") {
        return;
    }
    let server = Server::options().dispatchers(2).set("dispatcher.lease=3s").start().await;
    let rest = server.rest().await;
    let ledger = Ledger::new(server.folder().join("ledger"));
    let script = format!("{}; sleep 1; echo \"$EVENTFLOW_ATTEMPT\"", ledger.note());
    rest.apply(&shell("slow", &script)).await;
    let ids = accepted(&rest, "slow", 24).await;
    let some_run = async || (starts(&ledger).len() >= 8).then_some(());
    until("some to run", LONG, some_run).await;
    server.signal_one(0, UnixSignal::STOP);
    all_succeed(&rest, &ids).await;
    let ends: Vec<_> = join_all(ids.iter().map(|id| rest.record(id))).await;
    server.signal_one(0, UnixSignal::CONT);
    tokio::time::sleep(Duration::from_secs(2)).await;
    let later: Vec<_> = join_all(ids.iter().map(|id| rest.record(id))).await;
    assert_eq!(later, ends, "what has ended stays as it is");
    for record in &later {
        let attempts = record["attempts"].as_array().expect("attempts");
        let causes: BTreeSet<_> =
            attempts.iter().rev().skip(1).map(|attempt| attempt["reason"].to_string()).collect();
        assert!(
            causes.iter().all(|cause| cause == "\"Lost\""),
            "every extra start has its cause: {record:#}"
        );
    }
}

/// 1 MiB there and back: larger than what the record itself holds.
async fn a_large_payload_comes_back(server: &Server) {
    let rest = server.rest().await;
    let job = shell("back", "cat \"$EVENTFLOW_PAYLOAD_FILE\" > \"$EVENTFLOW_RESULT_FILE\"");
    rest.apply(&job).await;
    let payload: Vec<u8> = (0..1 << 20).map(|i: u32| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let id = rest.invoke_async("back", payload.clone()).await;
    all_succeed(&rest, std::slice::from_ref(&id)).await;
    let result = rest.get(&format!("/v1/invocations/{id}/result")).await;
    assert!(result.body == payload, "the result differs: {} bytes", result.body.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_payloads_are_kept_in_the_database_where_it_is_asked_for() {
    if !only_cluster("eventflow dev keeps them in its folder") {
        return;
    }
    let server = Server::options().set("blobs.kind=postgres").start().await;
    a_large_payload_comes_back(&server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_payloads_are_kept_in_a_bucket_where_it_is_asked_for() {
    if !only_cluster("eventflow dev keeps them in its folder") {
        return;
    }
    let s3 = S3Server::start().await;
    let bucket = s3.new_bucket();
    let server = Server::options()
        .set("blobs.kind=s3")
        .set(&format!("blobs.endpoint={}", s3.url()))
        .set("blobs.allow_http=true")
        .set(&format!("blobs.bucket={bucket}"))
        .set(&format!("blobs.access_key={}", S3Server::ACCESS_KEY))
        .set(&format!("blobs.secret_key={}", S3Server::SECRET_KEY))
        .start()
        .await;
    a_large_payload_comes_back(&server).await;
    let kept = std::fs::read_dir(s3.bucket(&bucket)).expect("the bucket").count();
    assert!(kept > 0, "the bucket is empty");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_dispatcher_is_replaced_by_the_other_one() {
    if !only_cluster("it harms what stands behind the services") {
        return;
    }
    let server = Server::options().dispatchers(2).set("dispatcher.lease=3s").start().await;
    let rest = server.rest().await;
    rest.apply(&echo("echo")).await;
    rest.apply(&shell("slow", "sleep 0.3; cat")).await;
    let ids = accepted(&rest, "slow", 40).await;
    server.signal_one(1, UnixSignal::KILL);
    answers(&rest, "echo").await;
    all_succeed(&rest, &ids).await;
}
