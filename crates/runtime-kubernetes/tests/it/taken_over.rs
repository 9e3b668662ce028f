//! A run whose dispatcher is gone goes on, and another one follows it.

use crate::world::{Printed, World, ended, running, spawn};
use eventflow_domain::Reason;
use eventflow_domain::ports::{Call, LogSink, Run, Runtime as _};
use eventflow_runtime_kubernetes::KubernetesConfig;
use kube::ResourceExt as _;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

fn run_of(call: &Call) -> Run {
    Run { invocation: call.invocation, attempt: call.attempt, version: Arc::clone(&call.version) }
}

#[tokio::test]
async fn a_run_that_is_left_goes_on_and_is_followed_by_another_dispatcher() {
    let world = World::control().await;
    let version = world.function("f", |_| ()).await;
    let call = World::call(&version, b"");
    let (run, _) = world.start(call.clone());
    let pod = world.pod().await;
    world.says(&pod, running()).await;
    assert!(world.runtime.leave(call.invocation, call.attempt));
    drop(run);

    let (other, _tasks) = world.another(KubernetesConfig::default()).await;
    assert!(other.outlives(&version));
    assert!(other.is_there(&run_of(&call)).await.expect("an answer"));
    let adopted = Call { adopted: true, ..call.clone() };
    let followed =
        spawn(async move { other.run(adopted, Arc::<Printed>::default() as Arc<dyn LogSink>).await });
    tokio::time::sleep(Duration::from_secs(1)).await;
    world.says(&pod, ended(0, "Completed", "done")).await;
    let ran = followed.await.expect("ended");
    assert_eq!(ran.failure, None);
    assert_eq!(ran.output.expect("a result").content.bytes, "done");
    assert_eq!(
        world.jobs().list(&ListParams::default()).await.expect("an answer").items.len(),
        1,
        "one Job in all"
    );
}

#[tokio::test]
async fn a_run_that_ended_while_nobody_looked_still_gives_its_result() {
    let world = World::control().await;
    let version = world.function("f", |_| ()).await;
    let call = World::call(&version, b"");
    let (run, _) = world.start(call.clone());
    let pod = world.pod().await;
    assert!(world.runtime.leave(call.invocation, call.attempt));
    drop(run);
    world.says(&pod, ended(4, "Error", "")).await;
    let (other, _tasks) = world.another(KubernetesConfig::default()).await;
    let ran = other.run(Call { adopted: true, ..call }, Arc::<Printed>::default()).await;
    let failure = ran.failure.expect("a failure");
    assert_eq!((failure.reason, ran.exit_code), (Reason::ExitCode, Some(4)));
}

#[tokio::test]
async fn a_job_that_is_gone_is_lost_and_never_made_again() {
    let world = World::control().await;
    let version = world.function("f", |_| ()).await;
    let call = World::call(&version, b"");
    assert!(!world.runtime.is_there(&run_of(&call)).await.expect("an answer"));
    let ran = world.runtime.run(Call { adopted: true, ..call }, Arc::<Printed>::default()).await;
    assert_eq!(ran.failure.expect("a failure").reason, Reason::Lost);
    assert!(world.jobs().list(&ListParams::default()).await.expect("an answer").items.is_empty());
}

#[tokio::test]
async fn a_try_whose_answer_was_lost_finds_its_own_job_and_starts_no_second_pod() {
    let world = World::control().await;
    let version = world.function("f", |_| ()).await;
    let call = World::call(&version, b"");
    let (first, _) = world.start(call.clone());
    let pod = world.pod().await;
    assert!(world.runtime.leave(call.invocation, call.attempt));
    drop(first);
    let (again, _) = world.start(call);
    tokio::time::sleep(Duration::from_secs(1)).await;
    world.says(&pod, ended(0, "Completed", "once")).await;
    assert_eq!(again.await.expect("ended").output.expect("a result").content.bytes, "once");
    assert_eq!(world.pods().list(&ListParams::default()).await.expect("an answer").items.len(), 1);
}

#[tokio::test]
async fn a_job_of_the_name_that_is_not_ours_is_refused_and_left_alone() {
    let world = World::control().await;
    let version = world.function("f", |_| ()).await;
    let call = World::call(&version, b"");
    let (first, _) = world.start(call.clone());
    let job = world.job().await;
    assert!(world.runtime.leave(call.invocation, call.attempt));
    drop(first);
    let other =
        json!({"metadata": {"labels": {"eventflow.io/invocation": "01890a5d-ac96-774b-bcce-b302099a8057"}}});
    world
        .jobs()
        .patch(&job.name_any(), &PatchParams::default(), &Patch::Merge(other))
        .await
        .expect("patched");
    let (again, _) = world.start(call);
    let failure = again.await.expect("ended").failure.expect("a failure");
    assert_eq!(failure.reason, Reason::StartFailed);
    assert!(failure.message.contains("not of this call"), "{}", failure.message);
    assert!(world.jobs().get_opt(&job.name_any()).await.expect("an answer").is_some());
    world.jobs().delete(&job.name_any(), &DeleteParams::background()).await.expect("deleted");
}
