//! What pods say that do not start.

use super::Findings;
use crate::reason;
use crate::reconcile::problem::{denied, short};
use k8s_openapi::api::core::v1::{ContainerStatus, Pod};

type Trouble = (String, String);

/// The Deployment could not make its pods.
pub(super) fn refused(findings: &Findings) -> Option<Trouble> {
    let status = findings.deployment.as_ref()?.status.as_ref()?;
    let failure = status
        .conditions
        .as_ref()?
        .iter()
        .find(|condition| condition.type_ == "ReplicaFailure" && condition.status == "True")?;
    let detail = failure.message.clone().unwrap_or_default();
    let namespace = &findings.key.namespace;
    let todo = match denied(&detail) {
        reason::QUOTA => format!("`kubectl describe resourcequota -n {namespace}`"),
        reason::POD_SECURITY => {
            format!("set spec.podSecurity, or `kubectl get namespace {namespace} -o yaml`")
        }
        _ => format!("`kubectl get events -n {namespace}`"),
    };
    Some((denied(&detail).to_owned(), format!("pods are refused: {}: {todo}", short(&detail))))
}

/// The first pod that has trouble, if any has.
pub(super) fn trouble(findings: &Findings) -> Option<Trouble> {
    let mut pods: Vec<_> =
        findings.pods.iter().filter(|pod| pod.metadata.deletion_timestamp.is_none()).collect();
    // Always the same one first, or the message would change by itself.
    pods.sort_by(|a, b| a.metadata.name.cmp(&b.metadata.name));
    pods.into_iter().find_map(|pod| of(pod, findings))
}

fn of(pod: &Pod, findings: &Findings) -> Option<Trouble> {
    let status = pod.status.as_ref()?;
    if let Some(trouble) =
        status.container_statuses.iter().flatten().find_map(|status| container(status, findings))
    {
        return Some(trouble);
    }
    let (namespace, name) = (&findings.key.namespace, &findings.key.name);
    let unscheduled = status.conditions.iter().flatten().find(|condition| {
        condition.type_ == "PodScheduled" && condition.reason.as_deref() == Some("Unschedulable")
    });
    unscheduled.map(|condition| {
        let why = short(condition.message.as_deref().unwrap_or("no node fits"));
        let todo = "ask for less in spec.resources, or add a node";
        let look = format!("`kubectl describe pods -n {namespace} -l function={name}`");
        (reason::UNSCHEDULABLE.to_owned(), format!("{why}: {todo}: {look}"))
    })
}

fn container(status: &ContainerStatus, findings: &Findings) -> Option<Trouble> {
    let state = status.state.as_ref()?;
    let (namespace, name) = (&findings.key.namespace, &findings.key.name);
    let last = status.last_state.as_ref().and_then(|last| last.terminated.as_ref());
    let ended = state.terminated.as_ref().or(last);
    let waiting = state.waiting.as_ref()?;
    let reason = waiting.reason.as_deref().unwrap_or_default();
    let said = short(waiting.message.as_deref().unwrap_or(reason));
    let look = format!("`kubectl describe pods -n {namespace} -l function={name}`");
    let trouble = |reason: &str, message: String| Some((reason.to_owned(), message));
    match reason {
        "ErrImagePull" | "ImagePullBackOff" | "InvalidImageName" | "ErrImageNeverPull" => trouble(
            reason::IMAGE_PULL_FAILED,
            // The two alternate, and so would the message.
            format!(
                "image {} cannot be pulled: check spec.image and spec.imagePullSecrets: {look}",
                status.image
            ),
        ),
        "CreateContainerConfigError" if said.contains("runAsNonRoot") || said.contains("run as root") => {
            trouble(
                reason::IMAGE_NEEDS_ROOT,
                format!(
                    "image {} runs as root, which podSecurity restricted forbids: build it with a numeric USER, or set \
                 spec.podSecurity: baseline",
                    status.image
                ),
            )
        }
        "CreateContainerConfigError" => trouble(reason::CONTAINER_CONFIG, format!("{said}: {look}")),
        "CreateContainerError" | "RunContainerError" | "StartError" => {
            trouble(reason::CONTAINER_FAILED, format!("the container does not start: {said}: {look}"))
        }
        "CrashLoopBackOff" => {
            let memory = ended.is_some_and(|ended| ended.reason.as_deref() == Some("OOMKilled"));
            if memory {
                let todo = format!("raise spec.resources.memory: {look}");
                return trouble(
                    reason::OUT_OF_MEMORY,
                    format!("copies end because they use too much memory: {todo}"),
                );
            }
            let code = ended.map_or_else(String::new, |ended| format!(" with exit code {}", ended.exit_code));
            let todo = format!("`kubectl logs -n {namespace} -l function={name} --previous`");
            trouble(
                reason::CRASH_LOOP,
                format!("copies end{code} and are started again after a growing pause: {todo}"),
            )
        }
        _ => None,
    }
}
