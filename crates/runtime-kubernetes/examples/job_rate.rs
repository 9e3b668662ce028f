//! Jobs made per second: attempts through the runtime, beside a bare loop that posts the same objects with the same
//! client. Rounds alternate; the figure is the median of their ratios.
//!
//! `cargo run --release -p eventflow-runtime-kubernetes --example job_rate [JOBS] [ROUNDS]`
#![expect(clippy::print_stdout, clippy::disallowed_methods, reason = "a program for people, not a service")]

use eventflow_blobs::FolderBlobs;
use eventflow_domain::function::FunctionVersion;
use eventflow_domain::invocation::Content;
use eventflow_domain::logs::Stream;
use eventflow_domain::ports::{Blobs, Call, LogSink, Runtime as _};
use eventflow_domain::spec::Image;
use eventflow_domain::trace::TraceContext;
use eventflow_domain::{FunctionKey, FunctionSpec, InvocationId, RuntimeKind, Timestamp, VersionNumber};
use eventflow_kubernetes::{Chosen, Namespaces, connect};
use eventflow_lifecycle::SystemClock;
use eventflow_runtime_kubernetes::{KubernetesConfig, KubernetesRuntime, Secret};
use eventflow_testkit::servers::kubernetes::{Kubernetes, Mode};
use futures::future::join_all;
use k8s_openapi::api::batch::v1::Job;
use kube::Api;
use kube::api::{DeleteParams, ListParams, PostParams};
use std::sync::Arc;
use std::time::{Duration, Instant};

#[derive(Debug)]
struct Nobody;

impl LogSink for Nobody {
    fn write(&self, _: Stream, _: &[u8]) {}
}

fn argument(at: usize, default: usize) -> usize {
    std::env::args().nth(at).and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[tokio::main]
async fn main() {
    let (count, rounds) = (argument(1, 300), argument(2, 5));
    // Nobody acts on the objects: only their making is measured.
    let server = Kubernetes::start(Mode::Api).await;
    let client = connect(Some(&server.kubeconfig())).await.expect("a client");
    let folder = tempfile::tempdir().expect("a folder");
    let blobs: Arc<dyn Blobs> = Arc::new(FolderBlobs::open(folder.path().to_owned()).await.expect("blobs"));
    let (namespaces, choosing) =
        Namespaces::follow(client.clone(), Chosen::Listed(["default".to_owned()].into()));
    let (runtime, following) = KubernetesRuntime::new(
        KubernetesConfig::default(),
        client.clone(),
        namespaces.clone(),
        Arc::new(SystemClock::new()),
        blobs,
        Secret::derived(b"key"),
    );
    tokio::spawn(choosing);
    tokio::spawn(following);
    runtime.watches().listed(&namespaces).await;
    let version = version();
    let jobs = Api::<Job>::namespaced(client, "default");
    let mut ratios = Vec::new();
    for round in 1..=rounds {
        let ours = through_the_runtime(&runtime, &version, &jobs, count).await;
        let same = jobs.list(&ListParams::default()).await.expect("an answer").items;
        clear(&jobs).await;
        let bare = bare_loop(&jobs, same).await;
        clear(&jobs).await;
        let rate = |took: Duration| count as f64 / took.as_secs_f64();
        println!(
            "round {round}: runtime {:.0}/s, bare loop {:.0}/s, ratio {:.2}",
            rate(ours),
            rate(bare),
            rate(ours) / rate(bare)
        );
        ratios.push(rate(ours) / rate(bare));
    }
    ratios.sort_by(f64::total_cmp);
    println!(
        "median ratio {:.2} of {count} Jobs in {rounds} rounds",
        ratios.get(ratios.len() / 2).copied().unwrap_or_default()
    );
}

fn version() -> Arc<FunctionVersion> {
    let spec = FunctionSpec {
        runtime: RuntimeKind::Container,
        image: Some(Image::Oci("registry.example/f:1".to_owned())),
        ..eventflow_testkit::spec()
    };
    Arc::new(FunctionVersion {
        key: FunctionKey::new("default".parse().expect("a name"), "rate".parse().expect("a name")),
        uid: eventflow_domain::FunctionUid::generate(),
        number: VersionNumber(1),
        spec: Arc::new(spec),
        created_at: Timestamp::default(),
        created_by: "bench".to_owned(),
    })
}

async fn through_the_runtime(
    runtime: &Arc<KubernetesRuntime>,
    version: &Arc<FunctionVersion>,
    jobs: &Api<Job>,
    count: usize,
) -> Duration {
    let began = Instant::now();
    let runs: Vec<_> = (0..count)
        .map(|_| {
            let call = Call {
                invocation: InvocationId::generate(),
                attempt: 1,
                version: Arc::clone(version),
                env: Arc::new([]),
                payload: Content { bytes: vec![b'x'; 256].into(), content_type: None },
                trace: TraceContext::generate(),
                timeout: Duration::from_secs(600),
                start_deadline: Duration::from_secs(600),
                adopted: false,
            };
            let (runtime, id) = (Arc::clone(runtime), call.invocation);
            (id, tokio::spawn(async move { runtime.run(call, Arc::new(Nobody)).await }))
        })
        .collect();
    let one = ListParams::default().limit(1);
    loop {
        let page = jobs.list(&one).await.expect("an answer");
        let there = page.items.len() + page.metadata.remaining_item_count.unwrap_or(0) as usize;
        if there >= count {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let took = began.elapsed();
    for (id, run) in runs {
        // The objects are still needed.
        runtime.leave(id, 1);
        run.abort();
    }
    took
}

async fn bare_loop(jobs: &Api<Job>, same: Vec<Job>) -> Duration {
    let objects: Vec<Job> = same.into_iter().map(fresh).collect();
    let params = PostParams::default();
    let began = Instant::now();
    let all = join_all(objects.iter().map(|job| jobs.create(&params, job))).await;
    let took = began.elapsed();
    assert!(all.iter().all(Result::is_ok));
    took
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

async fn clear(jobs: &Api<Job>) {
    jobs.delete_collection(&DeleteParams::background(), &ListParams::default()).await.expect("deleted");
    while !jobs.list(&ListParams::default()).await.expect("an answer").items.is_empty() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
