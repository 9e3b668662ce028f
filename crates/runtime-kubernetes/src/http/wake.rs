//! The first copy from zero: the one write that a held request may need.

use super::pool::Pool;
use eventflow_crd::names;
use eventflow_domain::FunctionKey;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v1::Scale;
use kube::api::PostParams;
use kube::{Api, Client};
use std::sync::Arc;
use std::time::Duration;

const ASK: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(500);
const MOST_PAUSE: Duration = Duration::from_secs(10);

/// Wakes until a copy is ready or nobody waits any more.
pub(super) async fn wake(client: Client, pool: Arc<Pool>, key: FunctionKey) -> FunctionKey {
    let api = Api::<Deployment>::namespaced(client, key.namespace.as_str());
    let name = names::child(&key.name);
    let mut pause = PAUSE;
    while pool.is_empty() && pool.is_wanted() {
        match tokio::time::timeout(ASK, from_zero(&api, &name)).await {
            Ok(Ok(true)) => tracing::info!(function = %key, "started the first copy"),
            Ok(Ok(false)) => {}
            Ok(Err(error)) => {
                tracing::warn!(function = %key, %error, "cannot start the first copy, trying again");
            }
            Err(_) => tracing::warn!(function = %key, "the API server does not answer in time"),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(MOST_PAUSE);
    }
    key
}

/// Whether there was none, and now is one. Of many that try, one writes.
async fn from_zero(api: &Api<Deployment>, name: &str) -> Result<bool, kube::Error> {
    let mut scale = api.get_scale(name).await?;
    if scale.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(0) > 0 {
        return Ok(false);
    }
    set(&mut scale, 1);
    let params = PostParams { field_manager: Some(names::DISPATCHER.to_owned()), ..PostParams::default() };
    match api.replace_scale(name, &params, &scale).await {
        Ok(_) => Ok(true),
        Err(error) if eventflow_kubernetes::is_conflict(&error) => Ok(false),
        Err(error) => Err(error),
    }
}

pub(crate) fn set(scale: &mut Scale, replicas: i32) {
    scale.spec.get_or_insert_default().replicas = Some(replicas);
}
