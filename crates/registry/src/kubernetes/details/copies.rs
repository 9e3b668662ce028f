//! From the pods of a function to its copies: pure.

use eventflow_crd::names;
use eventflow_domain::function::CopyExit;
use eventflow_domain::{CopyState, Function, FunctionName, Readiness, Timestamp, WarmCopy};
use eventflow_kubernetes::{failure, timestamp};
use k8s_openapi::api::core::v1::{ContainerStateTerminated, ContainerStatus, Pod, PodCondition, PodStatus};
use kube::ResourceExt as _;

/// A container waits so before it was ever tried.
const USUAL: [&str; 3] = ["", "ContainerCreating", "PodInitializing"];
/// A container waits so after it has ended: why it ended says more.
const CRASHED: &str = "CrashLoopBackOff";

pub(super) fn selector(name: &FunctionName) -> String {
    format!("{}={name},{}={}", names::FUNCTION, names::ROLE, names::WARM)
}

/// The copies by name, without those of an earlier function of this name. Where there are too many to show, those with
/// trouble are shown.
pub(super) fn of(pods: &[Pod], function: &Function) -> Vec<WarmCopy> {
    let made = |pod: &&Pod| pod.creation_timestamp().is_none_or(|at| timestamp(&at) >= function.created_at);
    let mut copies: Vec<_> = pods.iter().filter(made).map(copy).collect();
    copies.sort_by_key(|copy| match copy.state {
        CopyState::Failed => 0,
        CopyState::Starting => 1,
        CopyState::Ready | CopyState::Stopping => 2,
    });
    copies.truncate(Readiness::MOST_COPIES);
    copies.sort_by(|a, b| a.name.cmp(&b.name));
    copies
}

fn copy(pod: &Pod) -> WarmCopy {
    let none = PodStatus::default();
    let status = pod.status.as_ref().unwrap_or(&none);
    let container = status.container_statuses.iter().flatten().find(|one| one.name == names::CONTAINER);
    let running = container.and_then(|one| one.state.as_ref()?.running.as_ref()?.started_at.as_ref());
    let ended = container.and_then(last_end);
    let started = running.or_else(|| ended.and_then(|ended| ended.started_at.as_ref()));
    WarmCopy {
        name: pod.name_any(),
        state: state(pod, status, container),
        restarts: container.map_or(0, |one| u32::try_from(one.restart_count).unwrap_or(0)),
        started_at: started.map(timestamp).filter(|at| at.as_micros() > 0),
        last_exit: exit(pod, status, container),
    }
}

fn state(pod: &Pod, status: &PodStatus, container: Option<&ContainerStatus>) -> CopyState {
    if pod.metadata.deletion_timestamp.is_some() {
        return CopyState::Stopping;
    }
    if condition(status, "Ready").is_some_and(|ready| ready.status == "True") {
        return CopyState::Ready;
    }
    let ended =
        container.is_some_and(|one| one.state.as_ref().is_some_and(|state| state.terminated.is_some()));
    if ended || waiting(container).is_some() || status.phase.as_deref() == Some("Failed") {
        return CopyState::Failed;
    }
    CopyState::Starting
}

/// Why the copy last ended, or what keeps it from starting.
fn exit(pod: &Pod, status: &PodStatus, container: Option<&ContainerStatus>) -> Option<CopyExit> {
    let since = |condition: Option<&PodCondition>| {
        let time = condition.and_then(|one| one.last_transition_time.clone());
        time.or_else(|| pod.creation_timestamp()).map_or_else(Timestamp::default, |time| timestamp(&time))
    };
    let said = |reason: &str, message: &str, at| CopyExit {
        reason: reason.to_owned(),
        message: message.to_owned(),
        exit_code: None,
        at,
    };
    let waits = waiting(container);
    if let Some((reason, message)) = waits.filter(|(reason, _)| *reason != CRASHED) {
        return Some(said(reason, message, since(condition(status, "ContainersReady"))));
    }
    if let Some(ended) = container.and_then(last_end) {
        let at = ended.finished_at.as_ref().map(timestamp).filter(|at| at.as_micros() > 0);
        let at = at.unwrap_or_else(|| since(condition(status, "ContainersReady")));
        return Some(crash(ended, waits.is_some(), at));
    }
    if let Some(reason) = status.reason.as_deref().filter(|_| status.phase.as_deref() == Some("Failed")) {
        let message = status.message.as_deref().unwrap_or_default();
        return Some(said(reason, message, since(condition(status, "Ready"))));
    }
    let unplaced = condition(status, "PodScheduled").filter(|placed| placed.status == "False")?;
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    Some(said(&text(&unplaced.reason), &text(&unplaced.message), since(Some(unplaced))))
}

fn crash(ended: &ContainerStateTerminated, paused: bool, at: Timestamp) -> CopyExit {
    let kubernetes = ended.reason.as_deref().unwrap_or_default();
    let words = ended.message.as_deref().unwrap_or_default().trim();
    let signal = ended.signal.filter(|signal| *signal > 0);
    let (reason, mut message) = match failure(kubernetes, ended.exit_code, signal, words) {
        Some(failure) => (failure.reason.to_string(), failure.message),
        None => ("Completed".to_owned(), "ended by itself, which a warm copy never should".to_owned()),
    };
    if paused {
        message.push_str("; it is started again after a growing pause");
    }
    // Those that say why the container did not start are in it already.
    if !words.is_empty() && !message.contains(words) {
        message = format!("{message}\n{words}");
    }
    CopyExit { reason, message, exit_code: Some(ended.exit_code), at }
}

fn last_end(container: &ContainerStatus) -> Option<&ContainerStateTerminated> {
    let now = container.state.as_ref().and_then(|state| state.terminated.as_ref());
    now.or_else(|| container.last_state.as_ref()?.terminated.as_ref())
}

/// What an unusual wait is for, and in words.
fn waiting(container: Option<&ContainerStatus>) -> Option<(&str, &str)> {
    let waiting = container?.state.as_ref()?.waiting.as_ref()?;
    let reason = waiting.reason.as_deref().unwrap_or_default();
    (!USUAL.contains(&reason)).then(|| (reason, waiting.message.as_deref().unwrap_or_default()))
}

fn condition<'a>(status: &'a PodStatus, kind: &str) -> Option<&'a PodCondition> {
    status.conditions.iter().flatten().find(|condition| condition.type_ == kind)
}

#[cfg(test)]
mod tests;
