//! Jobs that failed, as events of their function. Jobs are not kept: the dispatchers decide what becomes of a call.

use super::{Watches, one};
use eventflow_crd::names;
use eventflow_domain::Timestamp;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::runtime::watcher::{Config, Event};
use kube::{Api, ResourceExt as _};
use std::time::Duration;

/// Failures that are older are known already.
const FRESH: Duration = Duration::from_secs(60);

pub(super) async fn watch(watches: &Watches, namespace: &str) {
    let api: Api<Job> = Api::namespaced(watches.client.clone(), namespace);
    let config = Config::default().labels(&format!("{}={}", names::ROLE, names::JOB));
    one::watch(watches, api, config, |event: Event<Job>| async move {
        if let Event::Apply(job) = event
            && watches.leadership.may_write()
            && let Some((about, note)) = failed(&job, watches.clock.now())
        {
            watches.events.invocation_failed(&about, note).await;
        }
    })
    .await;
}

/// The function and what to say, where the Job has just failed.
fn failed(job: &Job, now: Timestamp) -> Option<(ObjectMeta, String)> {
    let conditions = job.status.as_ref()?.conditions.as_ref()?;
    let failed =
        conditions.iter().find(|condition| condition.type_ == "Failed" && condition.status == "True")?;
    let when = Timestamp::from_micros(failed.last_transition_time.as_ref()?.0.as_microsecond());
    if now.since(when) > FRESH {
        return None;
    }
    let owner = job.owner_references().iter().find(|owner| owner.kind == "Function")?;
    let about = ObjectMeta {
        name: Some(owner.name.clone()),
        namespace: job.namespace(),
        uid: Some(owner.uid.clone()),
        ..ObjectMeta::default()
    };
    let reason = failed.reason.as_deref().unwrap_or("Failed");
    let detail = failed.message.as_deref().unwrap_or_default();
    Some((about, format!("job {} failed: {reason}: {detail}: `eventflow invocations list`", job.name_any())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn job(when: &str, status: &str) -> Job {
        serde_json::from_value(json!({
            "metadata": {"name": "fn-a-b302099a8057-1", "namespace": "media",
                "ownerReferences": [{"apiVersion": "eventflow.io/v1alpha1", "kind": "Function", "name": "a", "uid": "u"}]},
            "status": {"conditions": [{"type": "Failed", "status": status, "reason": "DeadlineExceeded",
                "message": "too long", "lastTransitionTime": when}]},
        }))
        .expect("a Job")
    }

    #[test]
    fn a_fresh_failure_is_told_once_and_an_old_one_never() {
        let now: Timestamp = "2026-01-01T00:01:00Z".parse().expect("a time");
        let (about, note) = failed(&job("2026-01-01T00:00:30Z", "True"), now).expect("told");
        assert_eq!(about.name.as_deref(), Some("a"));
        assert!(note.starts_with("job fn-a-b302099a8057-1 failed: DeadlineExceeded"), "{note}");
        assert!(failed(&job("2025-12-31T23:59:00Z", "True"), now).is_none());
        assert!(failed(&job("2026-01-01T00:00:30Z", "False"), now).is_none());
    }
}
