//! Jobs made in a second: attempts through the runtime, beside a bare loop that posts the same objects with the same
//! client. Nobody acts on the objects: only their making is measured.

use super::{client, cluster, rate};
use crate::eventflow::PAYLOAD;
use crate::plan::Plan;
use crate::report::{Aim, Report};
use anyhow::{Context as _, Result};
use eventflow_blobs::FolderBlobs;
use eventflow_domain::invocation::Content;
use eventflow_domain::logs::Stream;
use eventflow_domain::ports::{Blobs, Call, LogSink, Runtime as _};
use eventflow_domain::spec::Image;
use eventflow_domain::trace::TraceContext;
use eventflow_domain::{
    FunctionKey, FunctionSpec, FunctionUid, FunctionVersion, InvocationId, RuntimeKind, Timestamp,
    VersionNumber,
};
use eventflow_kubernetes::{Chosen, Namespaces};
use eventflow_lifecycle::SystemClock;
use eventflow_runtime_kubernetes::{KubernetesConfig, KubernetesRuntime, Secret};
use futures::future::try_join_all;
use futures::stream::{StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::batch::v1::Job;
use kube::Api;
use kube::api::{DeleteParams, ListParams, PostParams};
use kube::runtime::{WatchStreamExt as _, watcher};
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;

const SUBJECT: &str = "Jobs: attempts made";
/// Long enough for every Job of a round to be made.
const TIMEOUT: Duration = Duration::from_secs(600);

#[derive(Debug)]
struct Nobody;

impl LogSink for Nobody {
    fn write(&self, _: Stream, _: &[u8]) {}
}

pub(in crate::subjects) async fn measure(plan: &Plan, report: &mut Report) -> Result<()> {
    let Some(cluster) = cluster(SUBJECT, report).await else { return Ok(()) };
    let client = client(&cluster).await?;
    let folder = tempfile::tempdir()?;
    let blobs: Arc<dyn Blobs> = Arc::new(FolderBlobs::open(folder.path().to_owned()).await?);
    let here = Chosen::Listed(["default".to_owned()].into());
    let (namespaces, choosing) = Namespaces::follow(client.clone(), here);
    let (runtime, following) = KubernetesRuntime::new(
        KubernetesConfig::default(),
        client.clone(),
        namespaces.clone(),
        Arc::new(SystemClock::new()),
        blobs,
        Secret::derived(b"key"),
    );
    let mut tasks = JoinSet::new();
    tasks.spawn(choosing);
    tasks.spawn(following);
    runtime.watches().listed(&namespaces).await;
    let version = version()?;
    let jobs = Api::<Job>::namespaced(client, "default");
    let (mut rates, mut bare_rates) = (Vec::new(), Vec::new());
    for _ in 0..plan.pairs {
        let ours = through_the_runtime(&runtime, &version, &jobs, plan.jobs).await?;
        let same = jobs.list(&ListParams::default()).await?.items;
        clear(&jobs).await?;
        let bare = bare_loop(&jobs, same).await?;
        clear(&jobs).await?;
        rates.push(rate(plan.jobs, ours));
        bare_rates.push(rate(plan.jobs, bare));
    }
    let ratios = rates.iter().zip(&bare_rates).map(|(ours, bare)| ours / bare).collect();
    report.values(SUBJECT, "Jobs a second", rates, "/s", None);
    report.ratio(SUBJECT, "the bare loop's", bare_rates, "/s", None);
    report.ratio(SUBJECT, "rate by rate", ratios, "x", Some(Aim::AtLeast(0.8)));
    Ok(())
}

fn version() -> Result<Arc<FunctionVersion>> {
    let spec = FunctionSpec {
        runtime: RuntimeKind::Container,
        image: Some(Image::Oci("registry.example/f:1".to_owned())),
        ..eventflow_testkit::spec()
    };
    Ok(Arc::new(FunctionVersion {
        key: FunctionKey::new("default".parse()?, "rate".parse()?),
        uid: FunctionUid::generate(),
        number: VersionNumber(1),
        spec: Arc::new(spec),
        created_at: Timestamp::default(),
        created_by: "bench".to_owned(),
    }))
}

/// Until the last of them was seen by a watch.
async fn through_the_runtime(
    runtime: &Arc<KubernetesRuntime>,
    version: &Arc<FunctionVersion>,
    jobs: &Api<Job>,
    count: usize,
) -> Result<Duration> {
    let mut seen = watcher(jobs.clone(), watcher::Config::default()).applied_objects().boxed();
    let mut runs = JoinSet::new();
    let began = Instant::now();
    let ids: Vec<_> = (0..count)
        .map(|_| {
            let call = call(version);
            let (runtime, id) = (Arc::clone(runtime), call.invocation);
            runs.spawn(async move { runtime.run(call, Arc::new(Nobody)).await });
            id
        })
        .collect();
    let mut names = HashSet::new();
    while names.len() < count {
        let job = seen.try_next().await?.context("the watch ended")?;
        names.insert(job.metadata.name);
    }
    let took = began.elapsed();
    for id in ids {
        // The objects are still needed.
        runtime.leave(id, 1);
    }
    Ok(took)
}

fn call(version: &Arc<FunctionVersion>) -> Call {
    Call {
        invocation: InvocationId::generate(),
        attempt: 1,
        version: Arc::clone(version),
        env: Arc::new([]),
        payload: Content { bytes: PAYLOAD, content_type: None },
        trace: TraceContext::generate(),
        timeout: TIMEOUT,
        start_deadline: TIMEOUT,
        adopted: false,
    }
}

async fn bare_loop(jobs: &Api<Job>, same: Vec<Job>) -> Result<Duration> {
    let objects: Vec<Job> = same.into_iter().map(fresh).collect();
    let params = PostParams::default();
    let began = Instant::now();
    try_join_all(objects.iter().map(|job| jobs.create(&params, job))).await?;
    Ok(began.elapsed())
}

/// As whoever made it sent it.
fn fresh(mut job: Job) -> Job {
    job.metadata.resource_version = None;
    job.metadata.uid = None;
    job.metadata.managed_fields = None;
    job.metadata.creation_timestamp = None;
    job.metadata.generation = None;
    job.status = None;
    if let Some(spec) = &mut job.spec {
        spec.selector = None;
        let labels = spec.template.metadata.as_mut().and_then(|metadata| metadata.labels.as_mut());
        for labels in labels.into_iter().chain(job.metadata.labels.as_mut()) {
            labels.retain(|name, _| !name.contains("controller-uid") && !name.contains("job-name"));
        }
    }
    job
}

async fn clear(jobs: &Api<Job>) -> Result<()> {
    jobs.delete_collection(&DeleteParams::background(), &ListParams::default()).await?;
    while !jobs.list(&ListParams::default()).await?.items.is_empty() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}
