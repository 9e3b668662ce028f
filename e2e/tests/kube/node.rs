//! The node that pods run on, and kubectl.

use eventflow_e2e::wait;
use serde_json::Value;
use std::path::PathBuf;
use std::process::{Output, Stdio};
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;

/// Whatever a pod needs to be scheduled, started and ready on a busy machine.
pub(crate) const POD: Duration = Duration::from_secs(120);

/// Where the host is, seen from pods: the bridge of their network.
pub(crate) const HOST: &str = "10.231.0.1";

/// Whether this process is in the network of a cluster with a node. Where it cannot be, that is said and counted.
pub(crate) fn here() -> bool {
    let folder = std::env::var_os("EVENTFLOW_CLUSTER").map(PathBuf::from);
    let mode = folder.and_then(|folder| std::fs::read_to_string(folder.join("mode")).ok());
    if mode.as_deref().map(str::trim) == Some("all") {
        return true;
    }
    assert!(
        !rustix::process::geteuid().is_root(),
        "run it in a cluster: scripts/test.sh kube, or e2e/cluster/cluster.sh exec cargo test …"
    );
    eventflow_e2e::skipped("pods need a node, and that needs root", false);
    false
}

/// Runs kubectl to its end, `input` on its standard input.
pub(crate) async fn run(args: &[&str], input: &str) -> Output {
    let mut child = tokio::process::Command::new("kubectl")
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("kubectl runs");
    let mut stdin = child.stdin.take().expect("a pipe");
    let _ = stdin.write_all(input.as_bytes()).await;
    drop(stdin);
    child.wait_with_output().await.expect("kubectl ends")
}

/// What kubectl prints.
///
/// # Panics
/// With its words where it fails.
pub(crate) async fn kubectl(args: &[&str]) -> String {
    with_input(args, "").await
}

pub(crate) async fn apply(namespace: &str, manifest: &str) -> String {
    with_input(&["apply", "-n", namespace, "-f", "-"], manifest).await
}

async fn with_input(args: &[&str], input: &str) -> String {
    let output = run(args, input).await;
    assert!(output.status.success(), "kubectl {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// An object, where it is there.
pub(crate) async fn object(namespace: &str, kind: &str, name: &str) -> Option<Value> {
    let output = run(&["get", kind, name, "-n", namespace, "-o", "json"], "").await;
    output.status.success().then(|| serde_json::from_slice(&output.stdout).expect("JSON"))
}

/// All objects that a selector finds.
pub(crate) async fn objects(namespace: &str, kinds: &str, selector: &str) -> Vec<Value> {
    let text = kubectl(&["get", kinds, "-n", namespace, "-l", selector, "-o", "json"]).await;
    let list: Value = serde_json::from_str(&text).expect("JSON");
    list["items"].as_array().cloned().unwrap_or_default()
}

/// A namespace of a test, opted in, with the bindings of the component `tenant`; it goes with the cluster.
pub(crate) async fn namespace(name: &str) {
    let labels = "{pod-security.kubernetes.io/enforce: baseline}";
    let manifest =
        format!("{{apiVersion: v1, kind: Namespace, metadata: {{name: {name}, labels: {labels}}}}}");
    apply("default", &manifest).await;
    let bindings = eventflow_e2e::root().join("deploy/kustomize/components/tenant/bindings.yaml");
    kubectl(&["apply", "-n", name, "-f", &bindings.display().to_string()]).await;
    // Last, so that whoever sees it may look into the namespace.
    kubectl(&["label", "namespace", name, "eventflow.io/enabled=true"]).await;
}

/// Waits until nothing that a selector finds is left.
pub(crate) async fn gone(namespace: &str, kinds: &str, selector: &str) {
    let names = async || {
        let found = objects(namespace, kinds, selector).await;
        found.iter().map(|one| format!("{}/{}", one["kind"], one["metadata"]["name"])).collect::<Vec<_>>()
    };
    wait::settles("everything of it is gone", POD, names, Vec::is_empty).await;
}
