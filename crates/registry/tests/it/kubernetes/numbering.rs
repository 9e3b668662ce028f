//! Numbers versions, as the operator does: one ControllerRevision for each change of code. They go with their function, as
//! the garbage collector sees to it.

use eventflow_crd::{self as crd, names};
use eventflow_domain::{FunctionVersion, Timestamp, VersionNumber};
use futures::TryStreamExt as _;
use k8s_openapi::api::apps::v1::ControllerRevision;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::runtime::watcher::Event;
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client, ResourceExt as _};
use std::sync::Arc;

/// Until it is dropped.
pub(super) async fn number(client: Client) {
    let functions = Api::<crd::Function>::all(client.clone());
    let changes = watcher(functions, watcher::Config::default()).default_backoff();
    let mut changes = std::pin::pin!(changes);
    loop {
        let _done = match changes.try_next().await {
            Ok(Some(Event::Apply(function) | Event::InitApply(function))) => one(&client, &function).await,
            Ok(Some(Event::Delete(function))) => collect(&client, &function).await,
            Ok(Some(Event::Init | Event::InitDone)) | Err(_) => Some(()),
            Ok(None) => return,
        };
    }
}

async fn collect(client: &Client, object: &crd::Function) -> Option<()> {
    let revisions = Api::<ControllerRevision>::namespaced(client.clone(), &object.namespace()?);
    let of_it = ListParams::default().labels(&format!("{}={}", names::FUNCTION_UID, object.uid()?));
    revisions.delete_collection(&DeleteParams::default(), &of_it).await.ok().map(drop)
}

async fn one(client: &Client, object: &crd::Function) -> Option<()> {
    let function = crd::function(object).ok()?;
    let namespace = function.key.namespace.as_str();
    let revisions = Api::<ControllerRevision>::namespaced(client.clone(), namespace);
    let mine = ListParams::default().labels(&format!("{}={}", names::FUNCTION_UID, function.uid));
    let known = revisions.list(&mine).await.ok()?.items;
    let known = known.iter().filter_map(|revision| crd::version(revision).ok());
    let latest = known.max_by_key(|version| version.number);
    let number = match &latest {
        Some(latest) if latest.spec.same_code(&function.spec) => latest.number,
        Some(latest) => latest.number.next(),
        None => {
            let last =
                object.annotations().get(names::LAST_VERSION).and_then(|text| text.parse::<i32>().ok());
            VersionNumber(last.unwrap_or(0)).next()
        }
    };
    if latest.is_none_or(|latest| latest.number != number) {
        let version = FunctionVersion {
            key: function.key.clone(),
            uid: function.uid,
            number,
            spec: Arc::clone(&function.spec),
            created_at: Timestamp::default(),
            created_by: crd::by(&object.metadata),
        };
        revisions.create(&PostParams::default(), &crd::revision(&version)).await.ok()?;
    }
    let status = serde_json::json!({
        "apiVersion": "eventflow.io/v1alpha1",
        "kind": "Function",
        "status": { "latestVersion": number.0, "observedGeneration": function.generation },
    });
    let api = Api::<crd::Function>::namespaced(client.clone(), namespace);
    let params = PatchParams::apply(names::OPERATOR).force();
    api.patch_status(function.key.name.as_str(), &params, &Patch::Apply(status)).await.ok().map(drop)
}
