//! The calls of a cold reconcile, without anything that decides about them.

use super::functions::Functions;
use anyhow::{Context as _, Result};
use eventflow_crd::Function;
use eventflow_domain::{FunctionVersion, Timestamp, VersionNumber};
use eventflow_workload::{Installation, Subject, deployment, network_policies, service};
use futures::StreamExt as _;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::ControllerRevision;
use k8s_openapi::api::events::v1::Event;
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client, Resource, ResourceExt as _};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// At once, as the operator has them.
pub(super) const WORKERS: usize = 8;

/// From the list of all Functions to the last status.
pub(super) async fn measure(functions: &mut Functions) -> Result<Duration> {
    let (client, namespace) = (functions.client.clone(), functions.namespace.clone());
    let began = Instant::now();
    let all = functions.list().await?;
    let sent = async {
        let calls = all.into_iter().map(|function| one(&client, &namespace, function));
        let mut calls = futures::stream::iter(calls).buffer_unordered(WORKERS);
        while let Some(done) = calls.next().await {
            done?;
        }
        anyhow::Ok(())
    };
    tokio::try_join!(sent, functions.all_told())?;
    Ok(began.elapsed())
}

async fn one(client: &Client, namespace: &str, function: Function) -> Result<()> {
    let (key, spec) = eventflow_crd::validate(&function).map_err(|refused| anyhow::anyhow!("{refused:?}"))?;
    let uid = eventflow_crd::uid(&function.metadata).context("no uid")?;
    let (version, installation) = (VersionNumber(1), Installation::default());
    let subject = Subject { key: &key, uid, version, spec: &spec };
    let name = function.name_any();
    let functions: Api<Function> = Api::namespaced(client.clone(), namespace);
    functions.get(&name).await?;
    let kept = eventflow_crd::revision(&FunctionVersion {
        key: key.clone(),
        uid,
        number: version,
        spec: Arc::new(spec.clone()),
        created_at: Timestamp::default(),
        created_by: "bare".to_owned(),
    });
    let revisions: Api<ControllerRevision> = Api::namespaced(client.clone(), namespace);
    revisions.create(&PostParams::default(), &kept).await?;
    tell(client, namespace, &name).await?;
    for policy in network_policies(&subject, &installation) {
        apply(client, namespace, &policy).await?;
    }
    apply(client, namespace, &service(&subject)).await?;
    apply(client, namespace, &deployment(&subject, &installation, Some(1), None)).await?;
    let status = json!({"apiVersion": "eventflow.io/v1alpha1", "kind": "Function",
        "status": {"observedGeneration": 1, "latestVersion": 1, "mode": "job", "replicas": 0, "readyReplicas": 0}});
    functions.patch_status(&name, &params(), &Patch::Apply(&status)).await?;
    Ok(())
}

fn params() -> PatchParams {
    PatchParams::apply("bare")
}

async fn apply<K>(client: &Client, namespace: &str, object: &K) -> Result<()>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
        + Clone
        + Debug
        + DeserializeOwned
        + Serialize,
{
    let api: Api<K> = Api::namespaced(client.clone(), namespace);
    api.patch(&object.name_any(), &params(), &Patch::Apply(object)).await?;
    Ok(())
}

async fn tell(client: &Client, namespace: &str, name: &str) -> Result<()> {
    let event = json!({"metadata": {"name": format!("{name}.1"), "namespace": namespace}, "action": "Create",
        "reason": "VersionCreated", "type": "Normal", "eventTime": "2026-01-01T00:00:00.000000Z",
        "reportingController": "bare", "reportingInstance": "bare",
        "regarding": {"kind": "Function", "name": name, "namespace": namespace}});
    let event: Event = serde_json::from_value(event)?;
    Api::<Event>::namespaced(client.clone(), namespace).create(&PostParams::default(), &event).await?;
    Ok(())
}
