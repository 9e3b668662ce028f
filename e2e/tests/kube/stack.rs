//! EventFlow as pods, from images packed of the built binaries, by `kubectl apply -k` of the test overlay. PostgreSQL and
//! nats-server run beside the node.

use crate::node::{self, HOST, kubectl};
use eventflow_e2e::{Rest, root, wait};
use eventflow_testkit::servers::nats::NatsServer;
use eventflow_testkit::servers::postgres::{PostgresOptions, PostgresServer};
use serde_json::{Value, json};
use std::path::Path;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;
use tokio::sync::OnceCell;
use tokio::task::JoinSet;

pub(crate) const NAMESPACE: &str = "eventflow";
/// What is deployed: its Deployment, and the label of its pods. The pages come last: they are told where the gateways are.
pub(crate) const COMPONENTS: [(&str, &str); 5] = [
    ("operator-controller-manager", "control-plane=controller-manager"),
    ("eventflow-dispatcher", "app=eventflow-dispatcher"),
    ("eventflow-api", "app=eventflow-api"),
    ("eventflow-gateway", "app=eventflow-gateway"),
    ("eventflow-web", "app=eventflow-web"),
];

/// All of it, one for all tests of this process.
#[derive(Debug)]
pub(crate) struct Stack {
    _postgres: PostgresServer,
    _nats: NatsServer,
}

impl Stack {
    /// # Panics
    /// Where it does not come up, with the reason: it is tried once.
    pub(crate) async fn get() -> &'static Self {
        static STACK: OnceCell<Result<Stack, String>> = OnceCell::const_new();
        let started = STACK.get_or_init(async || {
            let mut start = JoinSet::from_iter([Self::start()]);
            let ended = start.join_next().await.expect("one task");
            ended.map_err(|error| {
                error.into_panic().downcast::<String>().map_or_else(|_| "?".to_owned(), |text| *text)
            })
        });
        started.await.as_ref().unwrap_or_else(|why| panic!("EventFlow did not come up: {why}"))
    }

    async fn start() -> Self {
        // Our services refuse one that may lose what it has confirmed.
        let durable = PostgresOptions { fsync: true, ..PostgresOptions::default() };
        let (postgres, nats, ()) =
            tokio::join!(PostgresServer::start(durable), NatsServer::start(), images());
        relay(5432, postgres.port());
        relay(4222, nats.port());
        let database = postgres.fresh_database(None).await;
        install(&database).await;
        for (deployment, _) in COMPONENTS {
            if deployment == "eventflow-web" {
                name_gateways().await;
            }
            ready(deployment).await;
        }
        Self { _postgres: postgres, _nats: nats }
    }

    /// A client of one ready replica of the api, logged in.
    pub(crate) async fn api(&self) -> Rest {
        Rest::new(&base("app=eventflow-api").await).login("admin", "admin").await
    }

    /// The same through a gateway.
    pub(crate) async fn gateway(&self) -> Rest {
        Rest::new(&base("app=eventflow-gateway").await).login("admin", "admin").await
    }
}

/// Pods of a component that are ready and stay.
pub(crate) async fn ready_pods(selector: &str) -> Vec<Value> {
    let mut pods = node::objects(NAMESPACE, "pods", selector).await;
    pods.retain(|pod| {
        let conditions = pod["status"]["conditions"].as_array();
        let ready = |c: &Value| c["type"] == "Ready" && c["status"] == "True";
        pod["metadata"]["deletionTimestamp"].is_null() && conditions.is_some_and(|all| all.iter().any(ready))
    });
    pods
}

/// What all replicas of a component have said.
pub(crate) async fn log(selector: &str) -> String {
    kubectl(&["logs", "-n", NAMESPACE, "-l", selector, "--tail=-1", "--prefix"]).await
}

/// nginx resolves names, and there is no DNS: it is given the gateways' addresses.
async fn name_gateways() {
    let pods = ready_pods("app=eventflow-gateway").await;
    let server =
        |pod: &Value| format!("server {}:8080;", pod["status"]["podIP"].as_str().expect("an address"));
    let addresses = pods.iter().map(server).collect::<Vec<_>>().concat();
    let upstream = format!("upstream gateway {{ {addresses} }}\nupstream gateway_grpc {{ {addresses} }}\n");
    let config = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "eventflow-web-upstream"},
        "data": {"upstream.conf": upstream}});
    node::apply(NAMESPACE, &config.to_string()).await;
    // Those that were made before wait for it with growing pauses.
    kubectl(&["delete", "pods", "-n", NAMESPACE, "-l", "app=eventflow-web", "--wait=false"]).await;
}

/// Where a ready pod of ours answers.
pub(crate) async fn base(selector: &str) -> String {
    let address = wait::until("a ready pod", node::POD, async || {
        let pods = ready_pods(selector).await;
        pods.first().and_then(|pod| pod["status"]["podIP"].as_str().map(str::to_owned))
    });
    format!("http://{}:8080", address.await)
}

/// Namespace and Secrets, the custom resource, and everything else.
async fn install(database: &str) {
    let base = root().join("deploy/kustomize");
    let file = |path: &str| base.join(path).display().to_string();
    kubectl(&["apply", "-f", &file("base/namespace.yaml")]).await;
    let key = "0123456789abcdef".repeat(4);
    let secrets = [
        ("eventflow-key", json!({"key": key})),
        (
            "eventflow-postgres",
            json!({"url": format!("postgres://postgres@{HOST}:5432/{database}?sslmode=disable")}),
        ),
        ("eventflow-nats", json!({"servers": format!("nats://{HOST}:4222")})),
    ];
    for (name, data) in secrets {
        let secret =
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": data});
        node::apply(NAMESPACE, &secret.to_string()).await;
    }
    kubectl(&["apply", "--server-side", "-f", &file("base/crd/functions.eventflow.io.yaml")]).await;
    kubectl(&["wait", "--for=condition=Established", "crd/functions.eventflow.io", "--timeout=60s"]).await;
    kubectl(&["apply", "-k", &file("overlays/test")]).await;
}

/// Waits for a rollout; where it does not come, what its pods say is in the message.
pub(crate) async fn ready(deployment: &str) {
    let args = ["rollout", "status", &format!("deployment/{deployment}"), "-n", NAMESPACE, "--timeout=180s"];
    let output = node::run(&args, "").await;
    if !output.status.success() {
        let pods = kubectl(&["get", "pods", "-n", NAMESPACE, "-o", "wide"]).await;
        let all = ["--all-containers", "--prefix", "--tail=15", "-n", NAMESPACE];
        let target = format!("deployment/{deployment}");
        let logs = node::run(&[&["logs", target.as_str()], &all[..]].concat(), "").await;
        let events = kubectl(&["get", "events", "-n", NAMESPACE, "--sort-by=.lastTimestamp"]).await;
        let events: Vec<_> = events.lines().rev().take(15).collect();
        let logs = String::from_utf8_lossy(&logs.stdout).into_owned();
        panic!("{deployment} is not ready\n{pods}\n{logs}\n{}", events.join("\n"));
    }
}

/// Packs our images and those of the sample functions, and loads them into the node.
async fn images() {
    let folder = tempfile::tempdir().expect("a folder");
    let binaries = eventflow_e2e::binary().parent().expect("a folder").to_owned();
    let pages = root().join("web");
    // Where the pages were not built: nginx serves a page, and the way to the gateway is the same.
    let stand_in = folder.path().join("web");
    let pages = if pages.join("dist/index.html").is_file() { pages } else { stand_in.clone() };
    std::fs::create_dir_all(stand_in.join("dist/assets")).expect("a folder");
    std::fs::write(stand_in.join("dist/index.html"), "<!doctype html><title>EventFlow</title>")
        .expect("a page");
    let samples = root().join("e2e/cluster/samples");
    let packed = [
        "eventflow-api",
        "eventflow-dispatcher",
        "eventflow-operator",
        "eventflow-gateway",
        "eventflow-job-agent",
        "eventflow-web",
    ];
    let mut pack = Command::new(root().join("deploy/docker/images.sh"));
    pack.args([binaries.as_path(), &pages, folder.path()]).arg("test").args(packed);
    pack.args([samples.join("nginx-alpine.list"), samples.join("functions.list")]);
    finish(pack).await;
    let files =
        std::fs::read_dir(folder.path()).expect("a folder").map(|entry| entry.expect("a file").path());
    let mut load = Command::new(root().join("e2e/cluster/cluster.sh"));
    load.arg("load").args(files.filter(|file| file.extension().is_some_and(|end| end == "tar")));
    finish(load).await;
}

async fn finish(mut command: Command) {
    let output = command.output().await.expect("it runs");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Carries connections of pods to a server on the loopback, for as long as this process lives.
fn relay(from: u16, to: u16) {
    let listener = std::net::TcpListener::bind((HOST, from)).expect("the port is free in the node's network");
    listener.set_nonblocking(true).expect("non-blocking");
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async move {
            let listener = TcpListener::from_std(listener).expect("a listener");
            let mut connections = JoinSet::new();
            while let Ok((mut pod, _)) = listener.accept().await {
                connections.spawn(async move {
                    if let Ok(mut server) = TcpStream::connect(("127.0.0.1", to)).await {
                        let _ = copy_bidirectional(&mut pod, &mut server).await;
                    }
                });
                while connections.try_join_next().is_some() {}
            }
        });
    });
}

/// What a file of a sample says.
pub(crate) fn sample(name: &str) -> String {
    let path = root().join("deploy/kustomize/samples").join(Path::new(name));
    std::fs::read_to_string(path).expect("a sample")
}
