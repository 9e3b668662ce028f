//! How fast a cold operator brings N Functions about, beside a bare client loop that sends the same calls; how long one
//! change takes to its status; memory for each watched object.
//!
//! `KUBECONFIG=… cargo run --release -p eventflow-operator --example cold_rate -- 1000`, with the definition installed.

#![expect(clippy::print_stdout, reason = "an example talks to whoever runs it")]

use eventflow_crd::Function;
use eventflow_domain::{FunctionVersion, Timestamp, VersionNumber};
use eventflow_lifecycle::{ShutdownConfig, Supervisor, SystemClock};
use eventflow_operator::{Config, Metrics, Operator};
use eventflow_workload::{Installation, Subject, deployment, network_policies, service};
use futures::StreamExt as _;
use k8s_openapi::api::apps::v1::{ControllerRevision, Deployment};
use k8s_openapi::api::core::v1::{Namespace, Service};
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use kube::{Api, Client, ResourceExt as _};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

const WORKERS: usize = 8;

#[tokio::main]
async fn main() -> Outcome<()> {
    let count: usize = std::env::args().nth(1).map_or(Ok(1000), |text| text.parse())?;
    let client = Client::try_default().await?;
    // Turn and turn about, so that neither has the warmer server: bare, operator, bare.
    let bare = loop_of_calls(&client, "bench-bare-1", count).await?;
    let cold = operator(&client, "bench-operator", count).await?;
    let again = loop_of_calls(&client, "bench-bare-2", count).await?;
    let mean = f64::midpoint(bare, again);
    println!("bare loop     {bare:.0}/s and {again:.0}/s");
    println!("cold operator {cold:.0}/s = {:.2}x of the loop", cold / mean);
    Ok(())
}

async fn room(client: &Client, name: &str, enabled: bool) -> Outcome<()> {
    let labels = if enabled { json!({"eventflow.io/enabled": "true", "bench": name}) } else { json!({}) };
    let object: Namespace = serde_json::from_value(json!({"metadata": {"name": name, "labels": labels}}))?;
    Api::<Namespace>::all(client.clone()).create(&PostParams::default(), &object).await?;
    Ok(())
}

async fn declare(client: &Client, namespace: &str, count: usize) -> Outcome<Vec<Function>> {
    let api: Api<Function> = Api::namespaced(client.clone(), namespace);
    let made = futures::stream::iter(0..count).map(|n| {
        let api = api.clone();
        async move {
            let object = json!({"apiVersion": "eventflow.io/v1alpha1", "kind": "Function",
                "metadata": {"name": format!("f{n}")}, "spec": {"image": "nginx:alpine", "replicas": 1}});
            api.patch(&format!("f{n}"), &PatchParams::apply("bench"), &Patch::Apply(&object)).await
        }
    });
    let made: Vec<_> = made.buffer_unordered(WORKERS).collect().await;
    Ok(made.into_iter().collect::<Result<_, _>>()?)
}

/// The calls of a cold reconcile, without anything that decides about them. Functions a second.
async fn loop_of_calls(client: &Client, namespace: &str, count: usize) -> Outcome<f64> {
    room(client, namespace, false).await?;
    let functions = declare(client, namespace, count).await?;
    let start = Instant::now();
    let sent = futures::stream::iter(functions)
        .map(|function| calls(client.clone(), namespace.to_owned(), function));
    let sent: Vec<_> = sent.buffer_unordered(WORKERS).collect().await;
    sent.into_iter().collect::<kube::Result<Vec<()>>>()?;
    Ok(count as f64 / start.elapsed().as_secs_f64())
}

async fn calls(client: Client, namespace: String, function: Function) -> kube::Result<()> {
    let Ok((key, spec)) = eventflow_crd::validate(&function) else { return Ok(()) };
    let Some(uid) = eventflow_crd::uid(&function.metadata) else { return Ok(()) };
    let (version, installation) = (VersionNumber(1), Installation::default());
    let subject = Subject { key: &key, uid, version, spec: &spec };
    let params = PatchParams::apply("bare");
    let name = function.name_any();
    Api::<Function>::namespaced(client.clone(), &namespace).get(&name).await?;
    let kept = eventflow_crd::revision(&FunctionVersion {
        key: key.clone(),
        uid,
        number: version,
        spec: Arc::new(spec.clone()),
        created_at: Timestamp::default(),
        created_by: "bare".to_owned(),
    });
    Api::<ControllerRevision>::namespaced(client.clone(), &namespace)
        .create(&PostParams::default(), &kept)
        .await?;
    let event = json!({"metadata": {"name": format!("{name}.1"), "namespace": namespace}, "action": "Create",
        "reason": "VersionCreated", "type": "Normal", "eventTime": "2026-01-01T00:00:00.000000Z",
        "reportingController": "bare", "reportingInstance": "bare",
        "regarding": {"kind": "Function", "name": name, "namespace": namespace}});
    if let Ok(event) = serde_json::from_value::<Event>(event) {
        Api::<Event>::namespaced(client.clone(), &namespace).create(&PostParams::default(), &event).await?;
    }
    for policy in network_policies(&subject, &installation) {
        let api = Api::<NetworkPolicy>::namespaced(client.clone(), &namespace);
        api.patch(&policy.name_any(), &params, &Patch::Apply(&policy)).await?;
    }
    let object = service(&subject);
    let api = Api::<Service>::namespaced(client.clone(), &namespace);
    api.patch(&object.name_any(), &params, &Patch::Apply(&object)).await?;
    let object = deployment(&subject, &installation, Some(1), None);
    let api = Api::<Deployment>::namespaced(client.clone(), &namespace);
    api.patch(&object.name_any(), &params, &Patch::Apply(&object)).await?;
    let status = json!({"apiVersion": "eventflow.io/v1alpha1", "kind": "Function",
        "status": {"observedGeneration": 1, "latestVersion": 1, "mode": "job", "replicas": 0, "readyReplicas": 0}});
    let api = Api::<Function>::namespaced(client, &namespace);
    api.patch_status(&name, &params, &Patch::Apply(&status)).await?;
    Ok(())
}

/// From the start of an operator that knows nothing to the last status. Functions a second.
async fn operator(client: &Client, namespace: &str, count: usize) -> Outcome<f64> {
    room(client, namespace, true).await?;
    declare(client, namespace, count).await?;
    let before = resident();
    let supervisor = Supervisor::new(ShutdownConfig::default());
    let config = Config {
        identity: "bench".to_owned(),
        namespace: namespace.to_owned(),
        namespaces: format!("bench={namespace}"),
        workers: WORKERS,
        ..Config::default()
    };
    let clock = Arc::new(SystemClock::new());
    let start = Instant::now();
    let running = Operator::start(client, config, clock, &Metrics::default(), &supervisor.handle());
    let api: Api<Function> = Api::namespaced(client.clone(), namespace);
    loop {
        tokio::time::sleep(Duration::from_millis(250)).await;
        // Looked at seldom, so that looking costs little.
        if running.queue.depth() == 0 && running.index.functions() == count {
            let all = api.list(&ListParams::default()).await?;
            if all
                .iter()
                .all(|f| f.status.as_ref().is_some_and(|s| s.observed_generation == f.metadata.generation))
            {
                break;
            }
        }
    }
    let took = start.elapsed();
    let grown = resident().saturating_sub(before);
    // Function, revision, two policies, Service, Deployment.
    println!("{count} functions, {} objects: {} KiB each", count * 6, grown / (count as u64 * 6));
    changes(&api).await?;
    supervisor.handle().shutdown("the bench is over");
    Ok(count as f64 / took.as_secs_f64())
}

/// From one change to its status, one after the other.
async fn changes(api: &Api<Function>) -> Outcome<()> {
    let mut times = Vec::new();
    for n in 0..200 {
        let name = format!("f{}", n % 50);
        let object = json!({"apiVersion": "eventflow.io/v1alpha1", "kind": "Function", "metadata": {"name": name},
            "spec": {"image": format!("nginx:{n}"), "replicas": 1}});
        let start = Instant::now();
        let declared = api.patch(&name, &PatchParams::apply("bench"), &Patch::Apply(&object)).await?;
        loop {
            let found = api.get(&name).await?;
            if found.status.and_then(|status| status.observed_generation) == declared.metadata.generation {
                break;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        times.push(start.elapsed());
    }
    times.sort();
    let at = |part: usize| times.get(times.len() * part / 100).copied().unwrap_or_default();
    println!("one change to its status: p50 {:?}, p99 {:?}", at(50), at(99));
    Ok(())
}

/// KiB.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}
