//! A cluster in trouble: what was taken ends in one record each, and nothing is started again by hand. How operators and
//! runtimes see a control plane that is away is tested with them; here it is EventFlow as pods, and calls through it.
//! They harm every other test that runs beside them: `scripts/test.sh kube` runs them by themselves.

mod harm;
mod load;

use crate::calls::{IMAGE, ended, function, invoke, mirror};
use crate::node::{self, POD, kubectl, object};
use crate::stack::{self, COMPONENTS, Stack};
use eventflow_e2e::wait;
use harm::{CutOff, Paused, bring_back, kill, of_part, of_pod, of_pods, take_down};
use load::Load;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io::Write as _;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};

/// Tests of this module take turns.
static TURN: Mutex<()> = Mutex::const_new(());
/// How long something stands still or is cut off: longer than watches and probes need to notice.
const AWAY: Duration = Duration::from_secs(10);
/// Longer than the operator's Lease.
const PAST_LEASE: Duration = Duration::from_secs(18);
const OPERATOR: &str = "control-plane=controller-manager";
const DISPATCHER: &str = "app=eventflow-dispatcher";
const NAMESPACE: &str = "faults";

/// How often the pods of a component were started again.
async fn restarts(selector: &str) -> i64 {
    let pods = node::objects(stack::NAMESPACE, "pods", selector).await;
    pods.iter().map(|pod| pod["status"]["containerStatuses"][0]["restartCount"].as_i64().unwrap_or(0)).sum()
}

/// A new declaration becomes ready: the operator works.
async fn declared(name: &str) {
    let spec = json!({"image": IMAGE, "command": ["upper"], "timeout": "60s"});
    let resource = json!({"apiVersion": "eventflow.io/v1alpha1", "kind": "Function", "metadata": {"name": name}, "spec": spec});
    let apply =
        async || node::run(&["apply", "-n", NAMESPACE, "-f", "-"], &resource.to_string()).await.status;
    wait::settles("it is taken", POD, apply, std::process::ExitStatus::success).await;
    let ready = async || {
        let found = object(NAMESPACE, "fn", name).await.unwrap_or_default();
        let conditions = found["status"]["conditions"].as_array().cloned().unwrap_or_default();
        conditions.iter().any(|one| one["type"] == "Ready" && one["status"] == "True")
    };
    wait::settles(&format!("{name} is ready"), POD, ready, |ready| *ready).await;
}

/// The operator that holds the Lease.
async fn leader() -> Vec<rustix::process::Pid> {
    let lease = object(stack::NAMESPACE, "lease", "eventflow-operator").await.expect("the Lease");
    let holder = lease["spec"]["holderIdentity"].as_str().expect("a holder").to_owned();
    let pod = object(stack::NAMESPACE, "pod", &holder).await.expect("the leader's pod");
    of_pod(pod["metadata"]["uid"].as_str().expect("a uid"))
}

async fn ours(load: &Load, times: &mut String) {
    kill(&of_pods(DISPATCHER).await);
    note(times, "dispatchers killed", load.heals("the dispatchers were killed").await);

    let paused = Paused::new(of_pods(DISPATCHER).await.into_iter().take(1).collect());
    sleep(AWAY).await;
    drop(paused);
    note(times, "a dispatcher paused", load.heals("a dispatcher stood still").await);

    kill(&of_pods(OPERATOR).await);
    let since = Instant::now();
    declared("after-kill").await;
    note(times, "operators killed", since.elapsed());

    wait::until("one leads", POD, async || object(stack::NAMESPACE, "lease", "eventflow-operator").await)
        .await;
    let paused = Paused::new(leader().await);
    let since = Instant::now();
    declared("under-another").await;
    note(times, "leader paused", since.elapsed());
    sleep(PAST_LEASE.saturating_sub(since.elapsed())).await;
    drop(paused);
}

async fn control_plane(load: &Load, times: &mut String) {
    for part in ["apiserver", "etcd"] {
        kill(&of_part(part));
        note(times, &format!("{part} killed"), load.heals(&format!("{part} was killed")).await);
        let paused = Paused::new(of_part(part));
        // What needs no pod goes on meanwhile.
        let since = Instant::now();
        let id = load.call("mirror", &format!("without {part}")).await;
        load.ends(&id).await;
        let went_on = since.elapsed();
        assert!(went_on < AWAY, "without {part} a call took {went_on:?}");
        sleep(AWAY.saturating_sub(went_on)).await;
        drop(paused);
        note(times, &format!("{part} paused"), load.heals(&format!("{part} stood still")).await);
    }
    let cut = CutOff::new();
    sleep(AWAY).await;
    drop(cut);
    note(times, "watches cut", load.heals("the watches were cut").await);
    let since = Instant::now();
    declared("after-cut").await;
    note(times, "operator after that", since.elapsed());
}

fn note(times: &mut String, what: &str, took: Duration) {
    let _ = write!(times, "{what} {:.1} s; ", took.as_secs_f64());
}

/// Past the capture of the test's output.
fn say(text: &str) {
    std::io::stderr().write_all(format!("{text}\n").as_bytes()).expect("written");
}

/// A Job outlives whoever made it: a second attempt is made only where there is no Job of the first.
fn made_once(jobs: &[Value]) {
    let mut calls = std::collections::HashSet::new();
    for job in jobs {
        let call = job["metadata"]["labels"]["eventflow.io/invocation"].to_string();
        assert!(calls.insert(call), "two Jobs of one call: {job:#}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_killed_paused_or_cut_off_every_call_that_was_taken_ends_in_one_record() {
    if !node::here() {
        return;
    }
    let _turn = TURN.lock().await;
    let api = function(NAMESPACE, json!({"image": IMAGE, "command": ["upper"], "timeout": "60s"})).await;
    mirror(&api, NAMESPACE).await;
    let load = Load::new(Stack::get().await.gateway().await, NAMESPACE);
    load.heals("nothing").await;
    let mut times = String::new();
    let unharmed = ["app=eventflow-api", "app=eventflow-gateway", "app=eventflow-web"];
    let began = Instant::now();
    let harm = async {
        ours(&load, &mut times).await;
        let before = (restarts(OPERATOR).await, restarts(DISPATCHER).await);
        control_plane(&load, &mut times).await;
        assert_eq!((restarts(OPERATOR).await, restarts(DISPATCHER).await), before, "{times}");
        load.stop();
    };
    tokio::join!(load.run(), harm);
    let (calls, lost) = load.check().await;
    for selector in unharmed {
        assert_eq!(restarts(selector).await, 0, "nobody harmed {selector}");
    }
    made_once(&node::objects(NAMESPACE, "jobs", "function=upper").await);
    let took = began.elapsed().as_secs_f64();
    say(&format!("faults: {calls} calls, {lost} attempts lost, {took:.0} s; {times}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_ended_and_was_removed_while_everything_of_ours_was_down_is_run_again() {
    if !node::here() {
        return;
    }
    let _turn = TURN.lock().await;
    let namespace = "unobserved";
    let api = function(namespace, json!({"image": IMAGE, "command": ["slow"], "timeout": "60s"})).await;
    let id = invoke(&api, namespace, "slow", "10").await;
    let running = async || {
        let pods = node::objects(namespace, "pods", "function=slow").await;
        pods.iter().filter(|pod| pod["status"]["phase"] == "Running").count()
    };
    wait::settles("its pod runs", POD, running, |count| *count == 1).await;
    let all = &COMPONENTS[..4];
    let began = Instant::now();
    let mut times = String::new();
    take_down(all).await;
    note(&mut times, "down after", began.elapsed());
    kubectl(&[
        "wait",
        "--for=condition=Complete",
        "job",
        "-l",
        "function=slow",
        "-n",
        namespace,
        "--timeout=60s",
    ])
    .await;
    kubectl(&["delete", "jobs", "-l", "function=slow", "-n", namespace]).await;
    node::gone(namespace, "jobs,pods", "function=slow").await;
    note(&mut times, "Job gone after", began.elapsed());
    bring_back(all).await;
    note(&mut times, "up again after", began.elapsed());

    let api = Stack::get().await.gateway().await;
    let record = ended(&api, namespace, &id).await;
    let attempts = record["attempts"].as_array().expect("attempts");
    assert_eq!(
        (&record["state"], &record["lost"], attempts.len()),
        (&json!("SUCCEEDED"), &json!(1), 2),
        "{record:#}"
    );
    assert_eq!(attempts[0]["reason"], "Lost", "{record:#}");
    let listed = api.get(&format!("/v1/namespaces/{namespace}/invocations")).await.json();
    assert_eq!(listed["invocations"].as_array().map(Vec::len), Some(1), "{listed:#}");
    let jobs = node::objects(namespace, "jobs", "function=slow").await;
    assert_eq!(jobs.len(), 1, "only the second attempt's is there");
    note(&mut times, "ended after", began.elapsed());
    say(&format!("unobserved: {times}"));
}
