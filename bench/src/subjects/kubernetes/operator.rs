//! An operator that knows nothing comes up among many Functions: how fast it brings them about, how long one change takes
//! to its status, and what it keeps in memory.

use super::functions::Functions;
use super::{bare, client, cluster, define, rate, written};
use crate::plan::Plan;
use crate::process::{Process, memory};
use crate::report::{Aim, Report};
use crate::stats::millis;
use anyhow::{Context as _, Result};
use eventflow_testkit::servers::kubernetes::Kubernetes;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::{ControllerRevision, Deployment};
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::api::ListParams;
use kube::{Api, Client, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::process::Command;
use tokio::time::Instant;

/// Function, revision, two policies, Service, Deployment.
const OBJECTS: usize = 6;
const CHANGES: usize = 200;
const SUBJECT: &str = "operator: cold, 1,000 Functions";

/// What a side did for its Functions.
struct Round {
    rate: f64,
    /// For each Function.
    writes: f64,
}

pub(in crate::subjects) async fn measure(binary: &Path, plan: &Plan, report: &mut Report) -> Result<()> {
    let Some(cluster) = cluster(SUBJECT, report).await else { return Ok(()) };
    define(&cluster).await?;
    let client = client(&cluster).await?;
    let operator = Running { program: binary.with_file_name("eventflow-operator"), cluster: &cluster };
    let empty = operator.empty(&client).await?;
    let mut found = Found::default();
    for pair in 0..plan.rollouts {
        let bare = format!("bare-{pair}");
        // Who goes first changes.
        let first =
            if pair % 2 == 1 { Some(loop_of_calls(&client, &bare, plan.functions).await?) } else { None };
        let mut functions =
            Functions::declare(&client, &format!("ours-{pair}"), true, plan.functions).await?;
        let (process, ours) = operator.round(&mut functions).await?;
        let objects = (plan.functions * OBJECTS) as f64;
        found.grown.push(memory(process.pid()?)?.0.saturating_sub(empty) as f64 / objects);
        found.sizes.push(bytes(&functions).await? / objects);
        found.times.extend(changes(&mut functions).await?);
        functions.leave().await?;
        process.kill().await?;
        let bare = match first {
            Some(bare) => bare,
            None => loop_of_calls(&client, &bare, plan.functions).await?,
        };
        found.rounds.push((ours, bare));
    }
    found.tell(report);
    Ok(())
}

/// All rounds.
#[derive(Default)]
struct Found {
    /// The operator's, and the bare loop's.
    rounds: Vec<(Round, Round)>,
    /// Milliseconds from a change to its status.
    times: Vec<f64>,
    /// Bytes of memory for each watched object.
    grown: Vec<f64>,
    /// Bytes of each as JSON.
    sizes: Vec<f64>,
}

impl Found {
    fn tell(mut self, report: &mut Report) {
        let of = |get: fn(&(Round, Round)) -> f64| self.rounds.iter().map(get).collect::<Vec<_>>();
        let rates = of(|(ours, bare)| ours.rate / bare.rate);
        report.values(SUBJECT, "Functions a second", of(|(ours, _)| ours.rate), "/s", None);
        report.ratio(SUBJECT, "the bare loop's", of(|(_, bare)| bare.rate), "/s", None);
        report.ratio(SUBJECT, "rate by rate", rates, "x", Some(Aim::AtLeast(0.7)));
        report.ratio(SUBJECT, "writes of each", of(|(ours, _)| ours.writes), "", None);
        report.ratio(SUBJECT, "the bare loop's writes", of(|(_, bare)| bare.writes), "", None);
        self.times.sort_by(f64::total_cmp);
        let at =
            |part: usize| vec![self.times.get(self.times.len() * part / 100).copied().unwrap_or(f64::NAN)];
        let subject = "operator: one change among them";
        report.values(subject, "p50 to its status", at(50), " ms", None);
        report.ratio(subject, "p99 to its status", at(99), " ms", Some(Aim::AtMost(50.0)));
        let subject = "operator: memory of a watched object";
        let kib = |bytes: &[f64]| bytes.iter().map(|bytes| bytes / 1024.0).collect::<Vec<_>>();
        let of_size = self.grown.iter().zip(&self.sizes).map(|(grown, size)| grown / size).collect();
        report.values(subject, "grown for each", kib(&self.grown), " KiB", None);
        report.ratio(subject, "its size as JSON", kib(&self.sizes), " KiB", None);
        report.ratio(subject, "grown by size", of_size, "x", Some(Aim::AtMost(2.0)));
    }
}

async fn loop_of_calls(client: &Client, namespace: &str, count: usize) -> Result<Round> {
    let mut functions = Functions::declare(client, namespace, false, count).await?;
    let before = written(client).await?;
    let took = bare::measure(&mut functions).await?;
    let writes = written(client).await? - before;
    Ok(Round { rate: rate(count, took), writes: writes as f64 / count as f64 })
}

/// How operators are started.
struct Running<'a> {
    program: PathBuf,
    cluster: &'a Kubernetes,
}

impl Running<'_> {
    /// From exec to the last status.
    async fn round(&self, functions: &mut Functions) -> Result<(Process, Round)> {
        let before = written(&functions.client).await?;
        let began = Instant::now();
        let process = self.start(&functions.namespace).await?;
        functions.all_told().await?;
        let took = began.elapsed();
        let writes = written(&functions.client).await? - before;
        let round =
            Round { rate: rate(functions.count, took), writes: writes as f64 / functions.count as f64 };
        Ok((process, round))
    }

    /// The memory of one that leads and has nothing to look after.
    async fn empty(&self, client: &Client) -> Result<u64> {
        let mut one = Functions::declare(client, "empty", true, 1).await?;
        let process = self.start("empty").await?;
        one.all_told().await?;
        tokio::time::sleep(Duration::from_secs(2)).await;
        let memory = memory(process.pid()?)?.0;
        one.leave().await?;
        process.kill().await?;
        Ok(memory)
    }

    /// Its Lease is in `namespace`: nobody holds that yet.
    async fn start(&self, namespace: &str) -> Result<Process> {
        let mut command = Command::new(&self.program);
        command.env("KUBECONFIG", self.cluster.kubeconfig());
        for setting in [
            "listen=127.0.0.1:0",
            "admin_listen=127.0.0.1:0",
            "admission.listen=127.0.0.1:0",
            "admission.webhook=",
            &format!("operator.namespace={namespace}"),
            &format!("operator.workers={}", bare::WORKERS),
        ] {
            command.args(["--set", setting]);
        }
        Process::start(command, false).await.context("the operator")
    }
}

/// One after the other; milliseconds.
async fn changes(functions: &mut Functions) -> Result<Vec<f64>> {
    let mut times = Vec::with_capacity(CHANGES);
    for n in 0..CHANGES {
        let began = Instant::now();
        functions.change(&format!("f{}", n % 50), &format!("nginx:{n}")).await?;
        times.push(millis(began.elapsed()));
    }
    Ok(times)
}

/// Of all objects of the Functions, as JSON.
async fn bytes(functions: &Functions) -> Result<f64> {
    async fn of<K>(functions: &Functions) -> Result<usize>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
            + Clone
            + Debug
            + DeserializeOwned
            + Serialize,
    {
        let api: Api<K> = Api::namespaced(functions.client.clone(), &functions.namespace);
        let all = api.list(&ListParams::default()).await?.items;
        all.iter().map(|object| Ok(serde_json::to_vec(object)?.len())).sum()
    }
    let sizes = [
        of::<eventflow_crd::Function>(functions).await?,
        of::<ControllerRevision>(functions).await?,
        of::<NetworkPolicy>(functions).await?,
        of::<Service>(functions).await?,
        of::<Deployment>(functions).await?,
    ];
    Ok(sizes.iter().sum::<usize>() as f64)
}
