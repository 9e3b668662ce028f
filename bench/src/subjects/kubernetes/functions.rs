//! The Functions of one round, in a namespace of its own, and a watch that sees when their status is told.

use anyhow::{Context as _, Result};
use eventflow_crd::{Function, names};
use futures::stream::{BoxStream, StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client};
use serde_json::json;
use std::collections::HashSet;
use std::time::Duration;
use tokio::time::timeout;

/// Between two changes that are seen.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) struct Functions {
    pub(super) client: Client,
    pub(super) namespace: String,
    pub(super) count: usize,
    changes: BoxStream<'static, watcher::Result<Function>>,
}

impl Functions {
    /// Declares them; the operator looks after them where `enabled`.
    pub(super) async fn declare(
        client: &Client,
        namespace: &str,
        enabled: bool,
        count: usize,
    ) -> Result<Self> {
        let labels = if enabled { json!({(names::ENABLED): "true"}) } else { json!({}) };
        let object: Namespace =
            serde_json::from_value(json!({"metadata": {"name": namespace, "labels": labels}}))?;
        Api::<Namespace>::all(client.clone()).create(&PostParams::default(), &object).await?;
        let api: Api<Function> = Api::namespaced(client.clone(), namespace);
        let declared = (0..count).map(|n| put(&api, format!("f{n}"), "nginx:alpine"));
        let mut declared = futures::stream::iter(declared).buffer_unordered(super::bare::WORKERS);
        while let Some(function) = declared.next().await {
            function?;
        }
        drop(declared);
        let changes = watcher(api, watcher::Config::default()).default_backoff().applied_objects().boxed();
        Ok(Self { client: client.clone(), namespace: namespace.to_owned(), count, changes })
    }

    pub(super) fn api(&self) -> Api<Function> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// Until every one has a status of what it declares.
    pub(super) async fn all_told(&mut self) -> Result<()> {
        let mut told = HashSet::new();
        while told.len() < self.count {
            let function = self.next().await.with_context(|| format!("{} of {}", told.len(), self.count))?;
            if is_told(&function) {
                told.insert(function.metadata.name.unwrap_or_default());
            }
        }
        Ok(())
    }

    /// Changes one, and waits until its status is of that.
    pub(super) async fn change(&mut self, name: &str, image: &str) -> Result<()> {
        let generation = put(&self.api(), name.to_owned(), image).await?.metadata.generation;
        loop {
            let function = self.next().await.with_context(|| format!("a change of {name}"))?;
            let same = function.metadata.name.as_deref() == Some(name);
            if same && is_told(&function) && function.metadata.generation == generation {
                return Ok(());
            }
        }
    }

    async fn next(&mut self) -> Result<Function> {
        let next = timeout(PATIENCE, self.changes.try_next()).await.context("no change within a minute")?;
        next?.context("the watch ended")
    }

    /// Nobody looks after them any more.
    pub(super) async fn leave(&self) -> Result<()> {
        let patch = Patch::Merge(json!({"metadata": {"labels": {(names::ENABLED): null}}}));
        let namespaces = Api::<Namespace>::all(self.client.clone());
        namespaces.patch(&self.namespace, &PatchParams::default(), &patch).await?;
        Ok(())
    }

    /// As many as are there, as the API server sends them.
    pub(super) async fn list(&self) -> Result<Vec<Function>> {
        Ok(self.api().list(&ListParams::default()).await?.items)
    }
}

async fn put(api: &Api<Function>, name: String, image: &str) -> kube::Result<Function> {
    let object = json!({"apiVersion": "eventflow.io/v1alpha1", "kind": "Function", "metadata": {"name": name},
        "spec": {"image": image, "replicas": 1}});
    api.patch(&name, &PatchParams::apply("bench"), &Patch::Apply(&object)).await
}

fn is_told(function: &Function) -> bool {
    let status = function.status.as_ref();
    status.is_some_and(|status| status.observed_generation == function.metadata.generation)
}
