use crate::world::{World, agent, ended, running};
use eventflow_domain::logs::Stream;
use eventflow_domain::ports::{Call, Runtime as _};
use eventflow_domain::spec::ResultChannel;
use eventflow_domain::{Reason, StartKind};
use kube::ResourceExt as _;
use kube::api::{DeleteParams, ListParams, PostParams};
use serde_json::json;
use std::time::Duration;

#[tokio::test]
async fn one_attempt_is_one_job_with_everything_that_names_it() {
    let world = World::control().await;
    let version = world.function("resize", |spec| spec.args = vec!["x".to_owned()]).await;
    let call = World::call(&version, b"hello");
    let (id, trace) = (call.invocation, call.trace);
    let (_run, _) = world.start(call);
    let job = world.job().await;
    assert_eq!(job.name_any(), format!("fn-resize-{}-1", id.short()));
    let labels = job.labels();
    let label = |name: &str| labels.get(name).map(String::as_str).unwrap_or_default().to_owned();
    assert_eq!(label("eventflow.io/invocation"), id.to_string());
    assert_eq!(
        (label("function"), label("eventflow.io/role"), label("eventflow.io/version")),
        ("resize".into(), "job".into(), "1".into())
    );
    let annotation = |name: &str| job.annotations().get(name).cloned().unwrap_or_default();
    assert_eq!(annotation("eventflow.io/trace-id"), trace.trace_id_hex());
    assert_eq!(job.owner_references()[0].uid, version.uid.to_string());
    let spec = job.spec.expect("a spec");
    assert_eq!((spec.backoff_limit, spec.ttl_seconds_after_finished), (Some(0), Some(3600)));
    assert_eq!(spec.pod_replacement_policy.as_deref(), Some("Failed"));
    assert!(spec.active_deadline_seconds.expect("a backstop") > 120);
    let pod = spec.template.spec.expect("a pod");
    assert_eq!(pod.restart_policy.as_deref(), Some("Never"));
    assert_eq!(pod.automount_service_account_token, Some(false));
    assert!(pod.init_containers.is_none(), "a small text needs no helper");
    let payload = spec.template.metadata.and_then(|meta| meta.annotations).expect("annotations");
    assert_eq!(payload.get("eventflow.io/payload").map(String::as_str), Some("hello"));
    let env = pod.containers[0].env.clone().expect("variables");
    let value = |name: &str| {
        env.iter().find(|var| var.name == name).and_then(|var| var.value.clone()).unwrap_or_default()
    };
    assert_eq!(value("EVENTFLOW_INVOCATION_ID"), id.to_string());
    assert_eq!((value("EVENTFLOW_ATTEMPT"), value("TRACEPARENT")), ("1".to_owned(), trace.to_string()));
    assert_eq!(value("EVENTFLOW_PAYLOAD_FILE"), "/eventflow/in/payload");
}

#[tokio::test]
async fn a_run_ends_with_the_exit_and_the_result_file_of_its_container() {
    let world = World::control().await;
    let version = world.function("f", |_| ()).await;
    let (run, _) = world.start(World::call(&version, b""));
    let pod = world.pod().await;
    world.says(&pod, running()).await;
    world.says(&pod, ended(0, "Completed", "{\"ok\":true}")).await;
    let ran = run.await.expect("ended");
    assert_eq!((ran.failure, ran.exit_code, ran.start), (None, Some(0), StartKind::Cold));
    let content = ran.output.expect("a result").content;
    assert_eq!(content.bytes, "{\"ok\":true}");
    assert_eq!(content.content_type.as_deref(), Some("application/json"));
    assert_eq!(
        world.jobs().list(&ListParams::default()).await.expect("an answer").items.len(),
        1,
        "left to its time to live"
    );
}

#[tokio::test]
async fn failures_have_the_reason_that_the_cluster_gives() {
    let world = World::control().await;
    for (name, status, reason) in [
        ("code", ended(3, "Error", ""), Reason::ExitCode),
        ("oom", ended(137, "OOMKilled", ""), Reason::OutOfMemory),
        ("start", ended(128, "StartError", "no such file"), Reason::StartFailed),
        (
            "evicted",
            json!({"phase": "Failed", "reason": "Evicted", "message": "low on memory"}),
            Reason::Evicted,
        ),
    ] {
        let version = world.function(name, |_| ()).await;
        let (run, _) = world.start(World::call(&version, b""));
        let pod = world.pod().await;
        world.says(&pod, status).await;
        let failure = run.await.expect("ended").failure.expect("a failure");
        assert_eq!(failure.reason, reason, "{name}: {failure:?}");
        world
            .jobs()
            .delete_collection(&DeleteParams::background(), &ListParams::default())
            .await
            .expect("deleted");
        world
            .pods()
            .delete_collection(&DeleteParams::default().grace_period(0), &ListParams::default())
            .await
            .expect("deleted");
        world.no_job_is_left().await;
        while !world.pods().list(&ListParams::default()).await.expect("an answer").items.is_empty() {
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    }
}

fn hurried(call: Call) -> Call {
    Call { start_deadline: Duration::from_secs(2), ..call }
}

#[tokio::test]
async fn what_does_not_start_in_time_says_what_it_waited_for() {
    let world = World::control().await;
    let version = world.function("nowhere", |_| ()).await;
    let (run, _) = world.start(hurried(World::call(&version, b"")));
    let failure = run.await.expect("ended").failure.expect("a failure");
    assert_eq!(failure.reason, Reason::StartDeadline);
    assert!(
        failure.message.contains("Unschedulable") && failure.message.contains("2s"),
        "{}",
        failure.message
    );
    world.no_job_is_left().await;
}

#[tokio::test]
async fn a_quota_is_waited_for_and_then_told() {
    let world = World::control().await;
    let quota = json!({"metadata": {"name": "none"}, "spec": {"hard": {"pods": "0"}}});
    let quota = serde_json::from_value::<k8s_openapi::api::core::v1::ResourceQuota>(quota).expect("a quota");
    kube::Api::namespaced(world.client.clone(), &world.namespace)
        .create(&PostParams::default(), &quota)
        .await
        .expect("made");
    let version = world.function("f", |_| ()).await;
    let call = Call { start_deadline: Duration::from_secs(4), ..World::call(&version, b"") };
    let (run, _) = world.start(call);
    let failure = run.await.expect("ended").failure.expect("a failure");
    assert_eq!(failure.reason, Reason::StartDeadline);
    assert!(failure.message.contains("exceeded quota"), "{}", failure.message);
    world.no_job_is_left().await;
}

#[tokio::test]
async fn the_timeout_counts_from_the_start_of_the_container_and_ends_the_job() {
    let world = World::control().await;
    let version = world.function("f", |_| ()).await;
    let call = Call { timeout: Duration::from_secs(2), ..World::call(&version, b"") };
    let (run, _) = world.start(call);
    let pod = world.pod().await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let started = tokio::time::Instant::now();
    world.says(&pod, running()).await;
    let ran = run.await.expect("ended");
    let failure = ran.failure.expect("a failure");
    assert_eq!(failure.reason, Reason::Timeout, "{}", failure.message);
    assert!(started.elapsed() >= Duration::from_secs(2));
    world.no_job_is_left().await;
}

#[tokio::test]
async fn a_run_that_is_dropped_ends_its_job() {
    let world = World::control().await;
    let version = world.function("f", |_| ()).await;
    let (run, _) = world.start(World::call(&version, b""));
    world.job().await;
    drop(run);
    world.no_job_is_left().await;
}

#[tokio::test]
async fn a_payload_that_no_annotation_holds_is_fetched_by_a_helper_with_a_token_of_its_own() {
    let world = World::control().await;
    let version = world.function("f", |spec| spec.result = ResultChannel::File).await;
    let (run, _) = world.start(World::call(&version, &[0xff; 10]));
    let failure = run.await.expect("ended").failure.expect("a failure");
    assert_eq!(failure.reason, Reason::StartFailed);
    assert!(failure.message.contains("kubernetes.agent_image"), "{}", failure.message);

    let (runtime, _tasks) = world.another(agent("http://10.1.2.3:9091/")).await;
    let call = World::call(&version, &[0xff; 10]);
    let (id, attempt) = (call.invocation, call.attempt);
    let _run = crate::world::spawn(async move {
        runtime.run(call, std::sync::Arc::<crate::world::Printed>::default()).await
    });
    let pod = world.job().await.spec.and_then(|spec| spec.template.spec).expect("a pod");
    let helpers = pod.init_containers.expect("helpers");
    let names: Vec<_> = helpers.iter().map(|helper| helper.name.as_str()).collect();
    assert_eq!(names, ["eventflow-fetch", "eventflow-upload"]);
    assert_eq!(helpers[1].restart_policy.as_deref(), Some("Always"), "a native sidecar");
    let env = helpers[0].env.clone().expect("variables");
    let url = env.iter().find(|var| var.name == "EVENTFLOW_AGENT_URL").and_then(|var| var.value.clone());
    assert_eq!(url, Some(format!("http://10.1.2.3:9091/v1/attempts/{id}/{attempt}")));
    let security = helpers[0].security_context.clone().expect("a profile");
    assert_eq!((security.run_as_non_root, security.read_only_root_filesystem), (Some(true), Some(true)));
}

#[tokio::test]
async fn a_pod_that_somebody_deletes_is_no_failure_of_the_function() {
    let world = World::control().await;
    let version = world.function("f", |_| ()).await;
    let (run, printed) = world.start(World::call(&version, b""));
    let pod = world.pod().await;
    world.says(&pod, running()).await;
    world.pods().delete(&pod.name_any(), &DeleteParams::default().grace_period(0)).await.expect("deleted");
    let failure = run.await.expect("ended").failure.expect("a failure");
    assert_eq!(failure.reason, Reason::Evicted, "{}", failure.message);
    assert!(printed.of(Stream::System).contains("the log is partial"), "{}", printed.of(Stream::System));
    world.no_job_is_left().await;
}

#[tokio::test]
async fn a_namespace_that_is_not_enabled_runs_nothing() {
    let world = World::control().await;
    let version = world.function("f", |_| ()).await;
    let mut other = (*version).clone();
    other.key.namespace = "kube-system".parse().expect("a namespace");
    let (run, _) = world.start(World::call(&std::sync::Arc::new(other), b""));
    let failure = run.await.expect("ended").failure.expect("a failure");
    assert!(failure.message.contains("kubectl label namespace kube-system"), "{}", failure.message);
}
