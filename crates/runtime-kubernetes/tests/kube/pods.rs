//! Where pods run.

use crate::world::{KEY, World, agent, spawn};
use bytes::Bytes;
use eventflow_domain::invocation::{Body, Source, Stored};
use eventflow_domain::logs::Stream;
use eventflow_domain::ports::{Accepted, Call, HttpRequest, NewInvocation, Ran, Runtime as _, Start, Store};
use eventflow_domain::spec::{Mode, ResultChannel, Scale};
use eventflow_domain::{FunctionSpec, Reason, StartKind, WorkerId};
use eventflow_lifecycle::SystemClock;
use eventflow_runtime_kubernetes::{KubernetesConfig, Secret, Transfer};
use eventflow_store::SqliteStore;
use futures::{StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Node, Service};
use kube::api::{ListParams, PostParams};
use kube::{Api, ResourceExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

#[expect(clippy::disallowed_methods, reason = "whoever starts the node says where it is")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The node's kubeconfig, where there is a node.
fn kubeconfig() -> Option<PathBuf> {
    let found = variable("KUBECONFIG").filter(|_| variable("EVENTFLOW_CLUSTER").is_some());
    if found.is_none() {
        // Past the capture of what tests print, so that it is seen and counted.
        let said = b"SKIPPED: needs a node: e2e/cluster/cluster.sh run all cargo test --test kube\n";
        std::io::Write::write_all(&mut std::io::stderr(), said).expect("written");
    }
    found.map(PathBuf::from)
}

async fn node(config: KubernetesConfig) -> Option<World> {
    Some(World::at(&kubeconfig()?, config).await)
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Gives the node the image of the job agent, packed from the binary that stands beside this test.
fn load_agent(folder: &Path) -> String {
    let mut beside = std::env::current_exe().expect("this test is a file");
    // target/debug/deps/kube-…
    beside.pop();
    beside.pop();
    assert!(beside.join("eventflow-job-agent").exists(), "build eventflow-job-agent first");
    let run = |program: &str, args: &[&str]| {
        let done = Command::new(root().join(program)).args(args).output().expect("runs");
        assert!(done.status.success(), "{program}: {}", String::from_utf8_lossy(&done.stderr));
    };
    let (binaries, out) = (beside.to_str().expect("text"), folder.to_str().expect("text"));
    run("deploy/docker/images.sh", &[binaries, out, out, "test", "eventflow-job-agent"]);
    run("e2e/cluster/cluster.sh", &["load", &format!("{out}/eventflow-job-agent.tar")]);
    "docker.io/library/eventflow-job-agent:test".to_owned()
}

fn shell(spec: &mut FunctionSpec, script: &str) {
    spec.command = ["sh", "-c", script].map(str::to_owned).to_vec();
}

fn result(ran: Ran) -> Bytes {
    assert_eq!(ran.failure, None, "should succeed");
    ran.output.expect("a result").content.bytes
}

#[tokio::test]
async fn a_job_reads_its_payload_and_gives_back_what_it_prints_or_writes() {
    let Some(world) = node(KubernetesConfig::default()).await else { return };
    let echo = world.function("echo", |spec| shell(spec, "cat $EVENTFLOW_PAYLOAD_FILE")).await;
    let text = "first line\nzweite Zeile: ä\n";
    let (run, printed) = world.start(World::call(&echo, text.as_bytes()));
    assert_eq!(result(run.await.expect("ended")), text);
    assert_eq!(printed.of(Stream::Stdout), text, "every line, from the first");
    assert!(!printed.of(Stream::System).contains("partial"), "{}", printed.of(Stream::System));

    let file = world
        .function("file", |spec| shell(spec, "echo noise; printf '{\"a\":1}' >$EVENTFLOW_RESULT_FILE"))
        .await;
    let (run, printed) = world.start(World::call(&file, b""));
    assert_eq!(result(run.await.expect("ended")), "{\"a\":1}");
    assert_eq!(printed.of(Stream::Stdout), "noise\n");

    let both = world.function("both", |spec| shell(spec, "echo out; echo err >&2; exit 3")).await;
    let (run, printed) = world.start(World::call(&both, b""));
    let ran = run.await.expect("ended");
    assert_eq!((ran.failure.expect("failed").reason, ran.exit_code), (Reason::ExitCode, Some(3)));
    let lines = printed.of(Stream::Stdout);
    assert!(lines.contains("out\n") && lines.contains("err\n"), "{lines}");
    assert!(printed.of(Stream::System).contains("come as one stream"));
}

#[tokio::test]
async fn a_job_is_ended_at_its_timeout_with_its_logs_and_for_its_memory() {
    let Some(world) = node(KubernetesConfig::default()).await else { return };
    let endless = world.function("endless", |spec| shell(spec, "echo begun; sleep 1000")).await;
    let call = Call { timeout: Duration::from_secs(2), ..World::call(&endless, b"") };
    let began = Instant::now();
    let (run, printed) = world.start(call);
    let ran = run.await.expect("ended");
    assert_eq!(ran.failure.expect("failed").reason, Reason::Timeout);
    assert_eq!(printed.of(Stream::Stdout), "begun\n");
    assert!(began.elapsed() < Duration::from_secs(40), "{:?}", began.elapsed());
    world.no_job_is_left().await;
    let hungry = world
        .function("hungry", |spec| {
            spec.resources.memory = eventflow_domain::quantity::Memory(32 << 20);
            shell(spec, "x=aaaaaaaaaaaaaaaa; while true; do x=$x$x; done");
        })
        .await;
    let (run, _) = world.start(World::call(&hungry, b""));
    assert_eq!(run.await.expect("ended").failure.expect("failed").reason, Reason::OutOfMemory);
    let missing = world.function("missing", |spec| spec.command = vec!["/no/such/program".to_owned()]).await;
    let (run, _) = world.start(World::call(&missing, b""));
    assert_eq!(run.await.expect("ended").failure.expect("failed").reason, Reason::StartFailed);
    let unpulled = world
        .function("unpulled", |spec| {
            spec.image = Some(eventflow_domain::spec::Image::Oci("localhost/nowhere:1".to_owned()));
            shell(spec, "true");
        })
        .await;
    let call = Call { start_deadline: Duration::from_secs(8), ..World::call(&unpulled, b"") };
    let (run, _) = world.start(call);
    let failure = run.await.expect("ended").failure.expect("failed");
    assert_eq!(failure.reason, Reason::StartDeadline);
    assert!(failure.message.contains("ImagePull"), "{}", failure.message);
}

#[tokio::test]
async fn twenty_mebibytes_go_in_and_come_out() {
    let Some(kubeconfig) = kubeconfig() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let clock = Arc::new(SystemClock::new());
    let store = SqliteStore::open(&folder.path().join("store"), clock, eventflow_store::Options::default())
        .await
        .expect("a store");
    let store: Arc<dyn Store> = Arc::new(store);
    let listener = tokio::net::TcpListener::bind("0.0.0.0:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let client = eventflow_kubernetes::connect(Some(&kubeconfig)).await.expect("a client");
    let nodes = Api::<Node>::all(client).list(&ListParams::default()).await.expect("nodes").items;
    let addresses =
        nodes.into_iter().filter_map(|node| node.status.and_then(|status| status.addresses)).flatten();
    let host =
        addresses.into_iter().find(|address| address.type_ == "InternalIP").expect("an address").address;
    let mut config = agent(&format!("http://{host}:{port}"));
    config.job.agent_image = load_agent(folder.path());
    let world = World::at(&kubeconfig, config).await;
    let transfer = Transfer {
        store: Arc::clone(&store),
        blobs: Arc::clone(&world.blobs),
        secret: Secret::derived(KEY),
        limit: 64 << 20,
    };
    let _serving = spawn(async move { axum::serve(listener, transfer.routes()).await.expect("serves") });

    let copy = world
        .function("copy", |spec| {
            spec.result = ResultChannel::File;
            shell(spec, "echo copying; cp $EVENTFLOW_PAYLOAD_FILE $EVENTFLOW_RESULT_FILE");
        })
        .await;
    let payload: Vec<u8> = (0..20u32 << 20).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let call = World::call(&copy, &payload);
    let key = format!("payloads/{}", call.invocation);
    let stream = futures::stream::iter([Ok(Bytes::from(payload.clone()))]).boxed();
    world.blobs.put(&key, stream, 64 << 20).await.expect("kept");
    accepted(&store, &call, Body::Blob(key.into()), payload.len() as u64).await;
    let (run, printed) = world.start(call);
    let back = result(run.await.expect("ended"));
    assert!(back == payload, "{} bytes came back", back.len());
    assert_eq!(printed.of(Stream::Stdout), "copying\n");
}

async fn accepted(store: &Arc<dyn Store>, call: &Call, body: Body, size: u64) {
    let now = call.invocation.created_at();
    let new = NewInvocation {
        id: call.invocation,
        function: call.version.key.clone(),
        function_uid: call.version.uid,
        version: call.version.number,
        source: Source::Async,
        caller: "test".into(),
        replay_of: None,
        trace: call.trace,
        payload: Stored { body, size, content_type: None },
        created_at: now,
        idempotency: None,
        start: Start::Running {
            worker: WorkerId::generate("test"),
            lease: Duration::from_secs(600),
            started_at: now,
        },
        queue_max: 10,
    };
    assert!(matches!(store.accept(new).await.expect("accepted"), Accepted::New));
}

/// As the operator makes them.
async fn served(world: &World, version: &Arc<eventflow_domain::FunctionVersion>) {
    let subject = eventflow_workload::Subject {
        key: &version.key,
        uid: version.uid,
        version: version.number,
        spec: &version.spec,
    };
    let installation = eventflow_workload::Installation {
        pod_security: eventflow_domain::spec::PodSecurity::Baseline,
        ..eventflow_workload::Installation::default()
    };
    let copies = eventflow_workload::copies(&version.spec).start();
    let deployment = eventflow_workload::deployment(&subject, &installation, Some(copies), None);
    let client = world.client.clone();
    Api::<Deployment>::namespaced(client.clone(), &world.namespace)
        .create(&PostParams::default(), &deployment)
        .await
        .expect("made");
    Api::<Service>::namespaced(client, &world.namespace)
        .create(&PostParams::default(), &eventflow_workload::service(&subject))
        .await
        .expect("made");
}

fn request(path: &str, body: &str) -> HttpRequest {
    HttpRequest {
        method: http::Method::GET,
        uri: path.parse().expect("a path"),
        headers: http::HeaderMap::new(),
        body: futures::stream::iter([Ok(Bytes::from(body.to_owned()))]).boxed(),
        upgrade: false,
    }
}

#[tokio::test]
async fn a_request_to_an_http_function_at_zero_is_held_until_its_first_copy_is_ready() {
    let Some(world) = node(KubernetesConfig::default()).await else { return };
    let version = world
        .function("hello", |spec| {
            spec.mode = Mode::Http;
            spec.port = Some(8080);
            spec.scale = Scale::Auto { min: 0, max: 3, concurrency: 4, cpu: None };
            shell(spec, "mkdir -p /tmp/w; echo hello >/tmp/w/index.html; exec httpd -f -p 8080 -h /tmp/w");
        })
        .await;
    served(&world, &version).await;
    let began = Instant::now();
    let call = World::call(&version, b"");
    let held = (0..6).map(|_| {
        let (call, runtime) = (
            Call { invocation: eventflow_domain::InvocationId::generate(), ..call.clone() },
            Arc::clone(&world.runtime),
        );
        async move {
            let logs = Arc::<crate::world::Printed>::default();
            let answer = runtime.serve(call, request("/index.html", ""), logs).await.expect("an answer");
            let start = answer.start;
            let body: Vec<Bytes> = answer.body.try_collect().await.expect("whole");
            (start, answer.status.as_u16(), body.concat())
        }
    });
    let answers = futures::future::join_all(held).await;
    println!("six held requests answered after {:?}", began.elapsed());
    for (start, status, body) in &answers {
        assert_eq!((*status, body.as_slice()), (200, b"hello\n".as_slice()));
        assert_eq!(*start, StartKind::Cold);
    }
    let warm =
        world.runtime.serve(call, request("/index.html", ""), Arc::<crate::world::Printed>::default()).await;
    assert_eq!(warm.expect("an answer").start, StartKind::Warm);
    let api = Api::<Deployment>::namespaced(world.client.clone(), &world.namespace);
    let deployment = api.get("fn-hello").await.expect("there");
    assert_eq!(deployment.spec.and_then(|spec| spec.replicas), Some(1), "one copy, whoever asked");
    assert!(world.jobs().list(&ListParams::default()).await.expect("an answer").items.is_empty());
}

#[tokio::test]
async fn an_attempt_costs_two_writes_at_most() {
    let Some(world) = node(KubernetesConfig::default()).await else { return };
    let version = world.function("quick", |spec| shell(spec, "true")).await;
    let (run, _) = world.start(World::call(&version, b""));
    assert_eq!(run.await.expect("ended").failure, None);
    let job = world.job().await;
    let writers: Vec<_> = job.managed_fields().iter().filter_map(|entry| entry.manager.clone()).collect();
    let ours = writers.iter().filter(|writer| *writer == "eventflow-dispatcher").count();
    assert_eq!(ours, 1, "made once, and never written again: {writers:?}");
}
