//! The control plane that contract tests stand on.

use eventflow_testkit::servers::Signal;
use eventflow_testkit::servers::kubernetes::{Kubernetes, Mode, Part};
use std::time::Duration;
use tokio::time::{sleep, timeout};

const CONFIG_MAP: &str =
    "{apiVersion: v1, kind: ConfigMap, metadata: {name: kept, namespace: default}, data: {a: b}}";

async fn read(server: &Kubernetes) -> Option<String> {
    let output =
        server.kubectl(&["get", "cm", "kept", "-o", "jsonpath={.data.a}", "--request-timeout=2s"], "").await;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

async fn eventually_read(server: &Kubernetes) -> String {
    let answer = async {
        loop {
            match read(server).await {
                Some(value) => return value,
                None => sleep(Duration::from_millis(100)).await,
            }
        }
    };
    let answer = timeout(Duration::from_secs(60), answer).await;
    answer.unwrap_or_else(|_| panic!("no answer: {}", server.log(Part::ApiServer)))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_control_plane_comes_back_with_what_it_had() {
    let server = Kubernetes::start(Mode::Api).await;
    server.apply(CONFIG_MAP).await;
    server.signal(Part::Etcd, Signal::Kill);
    server.signal(Part::ApiServer, Signal::Kill);
    assert_eq!(eventually_read(&server).await, "b");
    server.keep_down(Part::ApiServer);
    while read(&server).await.is_some() {
        sleep(Duration::from_millis(10)).await;
    }
    assert!(!server.is_up(Part::ApiServer), "kept down");
    server.let_up(Part::ApiServer);
    assert_eq!(eventually_read(&server).await, "b");
    let folder = server.kubeconfig().parent().expect("a folder").to_owned();
    drop(server);
    assert!(!folder.exists(), "nothing is left");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_control_planes_know_nothing_of_each_other() {
    let (one, other) = tokio::join!(Kubernetes::start(Mode::Control), Kubernetes::start(Mode::Api));
    one.apply(CONFIG_MAP).await;
    assert_eq!(read(&one).await.as_deref(), Some("b"));
    assert_eq!(read(&other).await, None);
}
