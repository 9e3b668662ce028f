//! What a pod's status says of its run: pure.

use eventflow_crd::names;
use eventflow_domain::Timestamp;
use eventflow_kubernetes::timestamp;
use k8s_openapi::api::core::v1::{ContainerState, ContainerStatus, Pod, PodStatus};

/// Ours, that fetches the payload.
pub(crate) const FETCH: &str = "eventflow-fetch";
/// Ours, that uploads the result.
pub(crate) const UPLOAD: &str = "eventflow-upload";

/// How far the run is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Not started; what it waits for, if the pod says so.
    Waiting(Option<Why>),
    /// It never will start.
    Hopeless(Why),
    Running {
        started_at: Option<Timestamp>,
    },
    Ended(Exit),
    /// The cluster took the pod away before its end.
    TakenAway(Why),
}

/// A reason of Kubernetes in one word, and in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Why {
    pub(crate) reason: String,
    pub(crate) message: String,
}

impl Why {
    pub(crate) fn new(reason: &str, message: &str) -> Self {
        Self { reason: reason.to_owned(), message: message.to_owned() }
    }

    /// Both in one line.
    pub(crate) fn text(&self) -> String {
        if self.message.is_empty() {
            self.reason.clone()
        } else {
            format!("{}: {}", self.reason, self.message)
        }
    }
}

/// How the function's container ended.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Exit {
    pub(crate) code: i32,
    pub(crate) signal: Option<i32>,
    /// `Completed`, `Error`, `OOMKilled`, `StartError`, …
    pub(crate) reason: String,
    /// What the container left as its termination message.
    pub(crate) message: String,
    pub(crate) started_at: Option<Timestamp>,
    /// The pod was ended by its Job's deadline.
    pub(crate) deadline: bool,
}

/// How a container of ours ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Helper {
    pub(crate) code: i32,
    pub(crate) message: String,
}

pub(crate) fn phase(pod: &Pod) -> Phase {
    let none = PodStatus::default();
    let status = pod.status.as_ref().unwrap_or(&none);
    if let Some(exit) = function(status).and_then(|container| exit(container, status)) {
        // Ended by the eviction, not by itself.
        return match taken_away(status) {
            Some(why) if exit.code != 0 => Phase::TakenAway(why),
            _ => Phase::Ended(exit),
        };
    }
    if let Some(why) = taken_away(status) {
        return Phase::TakenAway(why);
    }
    if status.phase.as_deref() == Some("Failed") {
        return failed(status);
    }
    if let Some(running) = state(status).and_then(|state| state.running.as_ref()) {
        return Phase::Running { started_at: running.started_at.as_ref().map(timestamp) };
    }
    waiting(status)
}

/// The pod is failed although its container never ran, or nobody saw it end.
fn failed(status: &PodStatus) -> Phase {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let why = Why { reason: text(&status.reason), message: text(&status.message) };
    if why.reason == "DeadlineExceeded" {
        let started_at =
            state(status).and_then(|state| state.running.as_ref()?.started_at.as_ref()).map(timestamp);
        return match started_at {
            Some(_) => Phase::Ended(Exit { deadline: true, code: 137, started_at, ..Exit::default() }),
            None => Phase::Hopeless(why),
        };
    }
    if let Some(helper) = helper_of(status, FETCH).filter(|helper| helper.code != 0) {
        return Phase::Hopeless(Why::new("PayloadNotFetched", &helper.message));
    }
    if why.reason.is_empty() {
        return Phase::TakenAway(Why::new("PodFailed", "the pod failed and does not say why"));
    }
    Phase::TakenAway(why)
}

fn function(status: &PodStatus) -> Option<&ContainerStatus> {
    status.container_statuses.iter().flatten().find(|container| container.name == names::CONTAINER)
}

fn state(status: &PodStatus) -> Option<&ContainerState> {
    function(status)?.state.as_ref()
}

fn exit(container: &ContainerStatus, status: &PodStatus) -> Option<Exit> {
    let ended = container.state.as_ref()?.terminated.as_ref()?;
    Some(Exit {
        code: ended.exit_code,
        signal: ended.signal.filter(|signal| *signal > 0),
        reason: ended.reason.clone().unwrap_or_default(),
        message: ended.message.clone().unwrap_or_default(),
        started_at: ended.started_at.as_ref().map(timestamp).filter(|at| at.as_micros() > 0),
        deadline: status.reason.as_deref() == Some("DeadlineExceeded"),
    })
}

/// Evicted, preempted, drained, or on a node that is gone.
fn taken_away(status: &PodStatus) -> Option<Why> {
    let disruption = status
        .conditions
        .iter()
        .flatten()
        .find(|condition| condition.type_ == "DisruptionTarget" && condition.status == "True");
    if let Some(condition) = disruption {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        return Some(Why { reason: text(&condition.reason), message: text(&condition.message) });
    }
    let reason = status.reason.as_deref()?;
    let known = ["Evicted", "NodeLost", "Preempted", "Preempting", "Shutdown", "Terminated", "NodeShutdown"];
    let message = status.message.as_deref().unwrap_or_default();
    known.contains(&reason).then(|| Why::new(reason, message))
}

fn waiting(status: &PodStatus) -> Phase {
    if let Some(why) = unschedulable(status) {
        return Phase::Waiting(Some(why));
    }
    let ours = status.init_container_statuses.iter().flatten();
    let all = ours.chain(status.container_statuses.iter().flatten());
    let waits = all.filter_map(|container| container.state.as_ref()?.waiting.as_ref());
    let said = waits.filter_map(|waiting| {
        let reason = waiting.reason.as_deref()?;
        // Every container waits so until the one before it is done.
        let usual = matches!(reason, "PodInitializing" | "ContainerCreating");
        (!usual).then(|| Why::new(reason, waiting.message.as_deref().unwrap_or_default()))
    });
    match said.into_iter().next() {
        Some(why) if why.reason == "InvalidImageName" => Phase::Hopeless(why),
        why => Phase::Waiting(why),
    }
}

fn unschedulable(status: &PodStatus) -> Option<Why> {
    let condition = status.conditions.iter().flatten().find(|condition| {
        condition.type_ == "PodScheduled"
            && condition.status == "False"
            && condition.reason.as_deref() == Some("Unschedulable")
    })?;
    Some(Why::new("Unschedulable", condition.message.as_deref().unwrap_or_default()))
}

/// How a container of ours ended, if it did.
pub(crate) fn helper(pod: &Pod, name: &str) -> Option<Helper> {
    helper_of(pod.status.as_ref()?, name)
}

fn helper_of(status: &PodStatus, name: &str) -> Option<Helper> {
    let mut ours = status.init_container_statuses.iter().flatten();
    let ended = ours.find(|container| container.name == name)?.state.as_ref()?.terminated.as_ref()?;
    Some(Helper { code: ended.exit_code, message: ended.message.clone().unwrap_or_default() })
}

/// Whether the pod will do nothing more.
pub(crate) fn is_over(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    matches!(phase, Some("Succeeded" | "Failed"))
}

#[cfg(test)]
mod tests;
