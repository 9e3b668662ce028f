//! What is said of a function: three conditions, each with a reason that is documented in docs/conditions.md, and a
//! message that names the next step. Pure.

mod pods;

use super::Problem;
use super::validate::Refusal;
use crate::index::{Key, View};
use crate::reason;
use eventflow_crd::{FunctionStatus, names};
use eventflow_domain::spec::{EnvFrom, RuntimeKind};
use eventflow_domain::{FunctionName, FunctionSpec, Mode, VersionNumber};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use std::sync::Arc;

/// `True`, `False` or `Unknown`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    True,
    False,
    Unknown,
}

impl State {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

/// One condition as found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub kind: &'static str,
    pub status: State,
    pub reason: String,
    pub message: String,
}

/// What conditions are made from.
#[derive(Debug, Clone)]
pub(crate) struct Findings {
    pub key: Key,
    pub generation: Option<i64>,
    pub paused: bool,
    /// As it was before.
    pub status: FunctionStatus,
    pub refusal: Option<Refusal>,
    pub spec: Option<Arc<FunctionSpec>>,
    pub version: Option<VersionNumber>,
    pub deployment: Option<Arc<Deployment>>,
    pub pods: Vec<Arc<Pod>>,
    pub missing: Vec<EnvFrom>,
    pub problem: Option<Problem>,
}

impl Findings {
    pub(crate) fn of(view: &View, key: &Key) -> Self {
        let metadata = &view.declared.metadata;
        let paused = metadata.annotations.as_ref().and_then(|all| all.get(names::PAUSED));
        let status = view.declared.object.as_ref().ok().and_then(|object| object.status.clone());
        Self {
            key: key.clone(),
            generation: metadata.generation,
            paused: paused.is_some_and(|value| value == "true"),
            status: status.unwrap_or_default(),
            refusal: None,
            spec: None,
            version: None,
            deployment: view.deployment.clone(),
            pods: view.pods.clone(),
            missing: Vec::new(),
            problem: None,
        }
    }

    pub(super) fn name(&self) -> Option<FunctionName> {
        self.key.name.parse().ok()
    }
}

type Said = (State, String, String);

fn say(status: State, reason: &str, message: impl Into<String>) -> Said {
    (status, reason.to_owned(), message.into())
}

/// Ready, Progressing, Degraded.
pub(super) fn conditions(findings: &Findings) -> [Found; 3] {
    let trouble = trouble(findings);
    let found = |kind, (status, reason, message): Said| Found { kind, status, reason, message };
    [
        found("Ready", ready(findings, trouble.as_ref())),
        found("Progressing", progressing(findings)),
        found("Degraded", degraded(trouble)),
    ]
}

fn ready(findings: &Findings, trouble: Option<&(String, String)>) -> Said {
    let Key { namespace, name } = &findings.key;
    match &findings.refusal {
        Some(Refusal::Invalid(why)) => {
            let todo = format!("{why}: correct the manifest and `kubectl apply` it again");
            return say(State::False, reason::INVALID_SPEC, todo);
        }
        Some(Refusal::Forbidden(why)) => return say(State::False, reason::POD_SECURITY, why.clone()),
        None => {}
    }
    if findings.paused {
        let todo = format!(
            "calls are refused, waiting ones held back: `eventflow resume {name}`, or \
             `kubectl annotate -n {namespace} function {name} eventflow.io/paused-`"
        );
        return say(State::False, reason::PAUSED, todo);
    }
    if let Some(missing) = findings.missing.first() {
        return missing_config(missing, namespace);
    }
    let Some(spec) = &findings.spec else {
        return say(State::Unknown, reason::PENDING, "not looked at yet");
    };
    match (spec.runtime, spec.mode) {
        (RuntimeKind::Wasm, _) => reported(findings),
        (_, Mode::Job) => {
            let version = findings.version.unwrap_or_default();
            say(
                State::True,
                reason::VERSION_RECORDED,
                format!("version {version} is recorded; each call makes a Job"),
            )
        }
        (_, Mode::Http) => copies(findings, trouble),
    }
}

fn missing_config(missing: &EnvFrom, namespace: &str) -> Said {
    let (reason, kind, create, name) = match missing {
        EnvFrom::SecretRef(name) => (reason::SECRET_NOT_FOUND, "Secret", "secret generic", name),
        EnvFrom::ConfigMapRef(name) => (reason::CONFIG_MAP_NOT_FOUND, "ConfigMap", "configmap", name),
    };
    let todo = format!(
        "{kind} {namespace}/{name} does not exist: `kubectl create {create} -n {namespace} {name} \
         --from-literal=KEY=VALUE`; it is looked for again within a minute"
    );
    say(State::False, reason, todo)
}

/// What the dispatchers said of the version in force.
fn reported(findings: &Findings) -> Said {
    let version = findings.version.unwrap_or_default();
    let report = findings.status.report.as_ref().filter(|report| report.version == version.0);
    if let Some(report) = report {
        let status = if report.ready { State::True } else { State::False };
        return say(status, &report.reason, report.message.clone());
    }
    let todo = format!(
        "no dispatcher has reported on version {version} yet: if that lasts, \
         `kubectl get pods -A -l app=eventflow-dispatcher`"
    );
    say(State::Unknown, reason::AWAITING_REPORT, todo)
}

fn copies(findings: &Findings, trouble: Option<&(String, String)>) -> Said {
    let status = findings.deployment.as_ref().and_then(|deployment| deployment.status.as_ref());
    let spec = findings.deployment.as_ref().and_then(|deployment| deployment.spec.as_ref());
    let ready = status.and_then(|status| status.ready_replicas).unwrap_or(0);
    let wanted = spec.and_then(|spec| spec.replicas).unwrap_or(0);
    if ready > 0 {
        return say(State::True, reason::COPIES_READY, format!("{ready} of {wanted} copies are ready"));
    }
    if let Some((reason, message)) = trouble {
        return say(State::False, reason, message.clone());
    }
    if findings.deployment.is_some() && wanted == 0 {
        return say(State::True, reason::ON_DEMAND, "no copy runs; the next call starts one");
    }
    say(State::False, reason::STARTING, format!("0 of {wanted} copies are ready; calls wait for one"))
}

fn progressing(findings: &Findings) -> Said {
    if findings.refusal.is_some() {
        return say(State::False, reason::INVALID_SPEC, "nothing is done until the manifest is corrected");
    }
    if let Some(Problem::Leftover { .. }) = findings.problem {
        let text = findings.problem.as_ref().map(|problem| problem.message(&findings.key.namespace));
        return say(State::True, reason::LEFTOVER, text.unwrap_or_default());
    }
    let Some(deployment) = &findings.deployment else {
        return say(State::False, reason::COMPLETE, "nothing is being rolled out");
    };
    let spec = deployment.spec.as_ref();
    let status = deployment.status.clone().unwrap_or_default();
    let wanted = spec.and_then(|spec| spec.replicas).unwrap_or(1);
    let (updated, available) = (status.updated_replicas.unwrap_or(0), status.available_replicas.unwrap_or(0));
    let seen = status.observed_generation >= deployment.metadata.generation;
    let old = status.replicas.unwrap_or(0) > updated;
    if seen && updated >= wanted && available >= wanted && !old {
        return say(State::False, reason::COMPLETE, format!("all {wanted} copies run what is declared"));
    }
    if is_over(deployment) {
        let todo = format!(
            "copies did not become ready within spec.startDeadline: `kubectl describe pods -n {} -l function={}`",
            findings.key.namespace, findings.key.name
        );
        return say(State::False, reason::DEADLINE, todo);
    }
    let text = format!("{updated} of {wanted} copies are made, {available} available");
    say(State::True, reason::ROLLING_OUT, text)
}

fn is_over(deployment: &Deployment) -> bool {
    let conditions = deployment.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions.into_iter().flatten().any(|condition| {
        condition.type_ == "Progressing" && condition.reason.as_deref() == Some("ProgressDeadlineExceeded")
    })
}

fn degraded(trouble: Option<(String, String)>) -> Said {
    match trouble {
        Some((reason, message)) => say(State::True, &reason, message),
        None => say(State::False, reason::HEALTHY, "nothing is wrong"),
    }
}

/// What is wrong, if anything: with what was written, with the Deployment, with its pods.
fn trouble(findings: &Findings) -> Option<(String, String)> {
    if let Some(problem) = &findings.problem
        && !matches!(problem, Problem::Leftover { .. })
    {
        return Some((problem.reason().to_owned(), problem.message(&findings.key.namespace)));
    }
    pods::refused(findings).or_else(|| pods::trouble(findings)).or_else(|| {
        let over = findings.deployment.as_ref().is_some_and(|deployment| is_over(deployment));
        over.then(|| {
            let (_, reason, message) = progressing(findings);
            (reason, message)
        })
    })
}

#[cfg(test)]
mod tests;
