//! Beside bare loops of the same calls, on a real API server on which nobody else acts.

mod bare;
mod functions;
mod jobs;
mod operator;

pub(super) use jobs::measure as jobs;
pub(super) use operator::measure as operator;

use crate::report::Report;
use anyhow::{Context as _, Result, ensure};
use eventflow_testkit::servers::kubernetes::{Kubernetes, Mode};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use std::time::Duration;

/// Starts one, where this machine has the program: it takes ten minutes to build.
async fn cluster(subject: &str, report: &mut Report) -> Option<Kubernetes> {
    if Kubernetes::is_built() {
        return Some(Kubernetes::start(Mode::Api).await);
    }
    report.skipped(subject, "Kubernetes was never built here: e2e/cluster/cluster.sh build");
    None
}

/// A client as an administrator.
async fn client(cluster: &Kubernetes) -> Result<Client> {
    let file = Kubeconfig::read_from(cluster.kubeconfig())?;
    Ok(Client::try_from(Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await?)?)
}

/// Things a second.
fn rate(count: usize, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64()
}

/// Makes Functions a kind that the API server knows.
async fn define(cluster: &Kubernetes) -> Result<()> {
    cluster.apply(&serde_json::to_string(&eventflow_crd::definition())?).await;
    let wait = ["wait", "--for=condition=Established", "--timeout=30s", "crd/functions.eventflow.io"];
    let output = cluster.kubectl(&wait, "").await;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

/// How many writes it has taken so far.
async fn written(client: &Client) -> Result<u64> {
    let one = kube::api::ListParams::default().limit(1);
    let list = kube::Api::<k8s_openapi::api::core::v1::Namespace>::all(client.clone()).list(&one).await?;
    Ok(list.metadata.resource_version.context("no resourceVersion")?.parse()?)
}
