use super::{duration_to_wire, timestamp_to_wire};
use crate::v1;
use eventflow_domain::function::{
    Condition, ConditionStatus, CopyState, Function, FunctionEvent, FunctionVersion, Manager, Readiness,
    WarmCopy,
};
use eventflow_domain::ports::{QueueStats, WindowStats};
use eventflow_domain::quantity::format_duration;
use eventflow_domain::spec::{
    EnvFrom, FunctionSpec, Mode, PodSecurity, RecordPolicy, ResultChannel, RuntimeKind, Scale, Toleration,
    UrlAccess,
};
use eventflow_domain::validate::{Draft, DraftEnvFrom, DraftRetry, DraftScaling};
use eventflow_domain::{Error, FunctionKey, Result};
use std::time::Duration;

/// The function that an apply is about: names in path and body must agree.
pub fn apply_target(request: &v1::ApplyFunctionRequest) -> Result<FunctionKey> {
    let function = request.function.as_ref();
    let pick = |field: &str, outer: &str, inner: Option<&str>| match inner.filter(|inner| !inner.is_empty()) {
        Some(inner) if outer.is_empty() || outer == inner => Ok(inner.to_owned()),
        Some(inner) => {
            Err(Error::invalid(field, format!("is {inner:?} in the body but {outer:?} in the request")))
        }
        None => Ok(outer.to_owned()),
    };
    let name = pick("name", &request.name, function.map(|f| f.name.as_str()))?;
    let namespace = pick("namespace", &request.namespace, function.map(|f| f.namespace.as_str()))?;
    function.map(check_enums).transpose()?;
    super::function_key(&namespace, &name)
}

/// Values of enums that this version does not know: taken for "not said", they would be ignored.
fn check_enums(function: &v1::Function) -> Result<()> {
    super::known_values([
        ("runtime", function.runtime, v1::Runtime::try_from(function.runtime).is_ok()),
        ("mode", function.mode, v1::Mode::try_from(function.mode).is_ok()),
        ("url", function.url, v1::UrlAccess::try_from(function.url).is_ok()),
        ("record", function.record, v1::RecordPolicy::try_from(function.record).is_ok()),
        ("result", function.result, v1::ResultChannel::try_from(function.result).is_ok()),
        ("podSecurity", function.pod_security, v1::PodSecurity::try_from(function.pod_security).is_ok()),
    ])
}

/// The filters of a list that are enums.
pub fn list_filters(
    request: &v1::ListFunctionsRequest,
) -> Result<(Option<RuntimeKind>, Option<v1::FunctionState>)> {
    super::known_values([
        ("runtime", request.runtime, v1::Runtime::try_from(request.runtime).is_ok()),
        ("state", request.state, v1::FunctionState::try_from(request.state).is_ok()),
    ])?;
    let state = Some(request.state()).filter(|state| *state != v1::FunctionState::Unspecified);
    Ok((runtime(request.runtime()), state))
}

/// What was declared, unchecked. Output-only fields are passed over.
pub fn draft(function: &v1::Function) -> Draft {
    let resources = function.resources.clone().unwrap_or_default();
    let queue = function.queue.clone().unwrap_or_default();
    Draft {
        image: function.image.clone(),
        runtime: runtime(function.runtime()),
        mode: mode(function.mode()),
        command: function.command.clone(),
        args: function.args.clone(),
        env: function.env.clone().into_iter().collect(),
        env_from: function.env_from.iter().map(env_from).collect(),
        port: function.port.map(i64::from),
        replicas: function.replicas.map(i64::from),
        scaling: function.scaling.map(|scaling| DraftScaling {
            min: scaling.min.map(i64::from),
            max: scaling.max.map(i64::from),
            concurrency: scaling.concurrency.map(i64::from),
            cpu: scaling.cpu.map(i64::from),
        }),
        cpu: resources.cpu,
        memory: resources.memory,
        timeout: function.timeout.clone(),
        start_deadline: function.start_deadline.clone(),
        retry: function.retry.clone().map(retry),
        concurrency: function.concurrency.map(i64::from),
        queue_max: queue.max.map(i64::from),
        queue_max_age: queue.max_age,
        egress: function.egress.clone(),
        url: match function.url() {
            v1::UrlAccess::Unspecified => None,
            v1::UrlAccess::Private => Some(UrlAccess::Private),
            v1::UrlAccess::Public => Some(UrlAccess::Public),
        },
        record: match function.record() {
            v1::RecordPolicy::Unspecified => None,
            v1::RecordPolicy::Full => Some(RecordPolicy::Full),
            v1::RecordPolicy::Metadata => Some(RecordPolicy::Metadata),
        },
        result: match function.result() {
            v1::ResultChannel::Unspecified => None,
            v1::ResultChannel::Inline => Some(ResultChannel::Inline),
            v1::ResultChannel::File => Some(ResultChannel::File),
        },
        probe_path: function.probe.as_ref().map(|probe| probe.path.clone()),
        pod_security: match function.pod_security() {
            v1::PodSecurity::Unspecified => None,
            v1::PodSecurity::Restricted => Some(PodSecurity::Restricted),
            v1::PodSecurity::Baseline => Some(PodSecurity::Baseline),
        },
        image_pull_secrets: function.image_pull_secrets.clone(),
        image_pull_policy: function.image_pull_policy.clone(),
        node_selector: function.node_selector.clone().into_iter().collect(),
        tolerations: function.tolerations.iter().cloned().map(toleration).collect(),
        labels: function.labels.clone().into_iter().collect(),
        annotations: function.annotations.clone().into_iter().collect(),
    }
}

fn runtime(runtime: v1::Runtime) -> Option<RuntimeKind> {
    match runtime {
        v1::Runtime::Unspecified => None,
        v1::Runtime::Container => Some(RuntimeKind::Container),
        v1::Runtime::Wasm => Some(RuntimeKind::Wasm),
        v1::Runtime::Process => Some(RuntimeKind::Process),
    }
}

pub fn runtime_to_wire(runtime: RuntimeKind) -> v1::Runtime {
    match runtime {
        RuntimeKind::Container => v1::Runtime::Container,
        RuntimeKind::Wasm => v1::Runtime::Wasm,
        RuntimeKind::Process => v1::Runtime::Process,
    }
}

fn mode(mode: v1::Mode) -> Option<Mode> {
    match mode {
        v1::Mode::Unspecified => None,
        v1::Mode::Job => Some(Mode::Job),
        v1::Mode::Http => Some(Mode::Http),
    }
}

fn env_from(source: &v1::EnvFromSource) -> DraftEnvFrom {
    let name = |reference: &Option<v1::NameRef>| reference.as_ref().map(|reference| reference.name.clone());
    DraftEnvFrom { secret: name(&source.secret_ref), config: name(&source.config_map_ref) }
}

fn retry(retry: v1::RetryPolicy) -> DraftRetry {
    let backoff = retry.backoff.unwrap_or_default();
    DraftRetry {
        max_attempts: retry.max_attempts.into(),
        initial: backoff.initial,
        max: backoff.max,
        factor: backoff.factor,
        jitter: backoff.jitter,
    }
}

fn toleration(toleration: v1::Toleration) -> Toleration {
    Toleration {
        key: toleration.key,
        operator: toleration.operator,
        value: toleration.value,
        effect: toleration.effect,
        toleration_seconds: toleration.toleration_seconds,
    }
}

/// A function as it stands, without figures.
pub fn function_to_wire(function: &Function) -> v1::Function {
    let readiness = &function.readiness;
    v1::Function {
        uid: function.uid.to_string(),
        state: readiness_state(function).into(),
        conditions: readiness.conditions.iter().map(condition).collect(),
        version: Some(function.version.0),
        generation: Some(function.generation),
        etag: function.etag(),
        create_time: Some(timestamp_to_wire(function.created_at)),
        update_time: Some(timestamp_to_wire(function.updated_at)),
        desired_copies: Some(readiness.desired_copies as i32),
        ready_copies: Some(readiness.ready_copies as i32),
        managed_by: manager_to_wire(function.managed_by).into(),
        copies: readiness.copies.iter().map(copy_to_wire).collect(),
        events: readiness.events.iter().map(event_to_wire).collect(),
        ..declared(&function.key, &function.spec)
    }
}

pub fn version_to_wire(version: &FunctionVersion, current: bool) -> v1::FunctionVersion {
    v1::FunctionVersion {
        version: version.number.0,
        function: Some(declared(&version.key, &version.spec)),
        create_time: Some(timestamp_to_wire(version.created_at)),
        created_by: version.created_by.clone(),
        current,
    }
}

/// What the function's state is in one word.
pub fn readiness_state(function: &Function) -> v1::FunctionState {
    let is = |kind: &str, status| function.readiness.condition(kind).is_some_and(|c| c.status == status);
    if function.deleting {
        v1::FunctionState::Deleting
    } else if function.paused {
        v1::FunctionState::Paused
    } else if is(Readiness::DEGRADED, ConditionStatus::True) || is(Readiness::READY, ConditionStatus::False) {
        v1::FunctionState::Degraded
    } else if function.readiness.is_ready() {
        v1::FunctionState::Ready
    } else {
        v1::FunctionState::Pending
    }
}

fn declared(key: &FunctionKey, spec: &FunctionSpec) -> v1::Function {
    let (replicas, scaling) = match spec.scale {
        Scale::Fixed(copies) => (Some(copies as i32), None),
        Scale::Auto { min, max, concurrency, cpu } => (
            None,
            Some(v1::Scaling {
                min: Some(min as i32),
                max: Some(max as i32),
                concurrency: Some(concurrency as i32),
                cpu: cpu.map(|cpu| cpu as i32),
            }),
        ),
    };
    v1::Function {
        name: key.name.to_string(),
        namespace: key.namespace.to_string(),
        image: spec.image.as_ref().map(ToString::to_string).unwrap_or_default(),
        runtime: runtime_to_wire(spec.runtime).into(),
        mode: match spec.mode {
            Mode::Job => v1::Mode::Job,
            Mode::Http => v1::Mode::Http,
        }
        .into(),
        command: spec.command.clone(),
        args: spec.args.clone(),
        env: spec.env.iter().map(|(name, value)| (name.to_string(), value.clone())).collect(),
        env_from: spec.env_from.iter().map(env_from_to_wire).collect(),
        port: spec.port.map(i32::from),
        replicas,
        scaling,
        resources: Some(v1::Resources {
            cpu: spec.resources.cpu.to_string(),
            memory: spec.resources.memory.to_string(),
        }),
        timeout: format_duration(spec.timeout),
        start_deadline: format_duration(spec.start_deadline),
        ..policy(spec)
    }
}

/// The fields that do not make a version.
fn policy(spec: &FunctionSpec) -> v1::Function {
    let pod = &spec.pod;
    v1::Function {
        retry: (spec.retry.max_attempts > 1).then(|| v1::RetryPolicy {
            max_attempts: spec.retry.max_attempts as i32,
            backoff: Some(v1::Backoff {
                initial: format_duration(spec.retry.backoff.initial),
                max: format_duration(spec.retry.backoff.max),
                factor: Some(spec.retry.backoff.factor),
                jitter: Some(spec.retry.backoff.jitter),
            }),
        }),
        concurrency: spec.concurrency.map(|n| n as i32),
        queue: Some(v1::QueuePolicy {
            max: Some(spec.queue.max as i32),
            max_age: format_duration(spec.queue.max_age),
        }),
        egress: spec.egress.iter().map(|to| format!("{}:{}", to.host, to.port)).collect(),
        url: match spec.url {
            UrlAccess::Private => v1::UrlAccess::Private,
            UrlAccess::Public => v1::UrlAccess::Public,
        }
        .into(),
        record: match spec.record {
            RecordPolicy::Full => v1::RecordPolicy::Full,
            RecordPolicy::Metadata => v1::RecordPolicy::Metadata,
        }
        .into(),
        result: match spec.result {
            ResultChannel::Inline => v1::ResultChannel::Inline,
            ResultChannel::File => v1::ResultChannel::File,
        }
        .into(),
        pod_security: pod
            .security
            .map_or(v1::PodSecurity::Unspecified, |security| match security {
                PodSecurity::Restricted => v1::PodSecurity::Restricted,
                PodSecurity::Baseline => v1::PodSecurity::Baseline,
            })
            .into(),
        probe: spec.probe_path.clone().map(|path| v1::Probe { path }),
        image_pull_secrets: pod.image_pull_secrets.iter().map(ToString::to_string).collect(),
        image_pull_policy: pod.image_pull_policy.clone().unwrap_or_default(),
        node_selector: pod.node_selector.clone().into_iter().collect(),
        tolerations: pod.tolerations.iter().cloned().map(toleration_to_wire).collect(),
        labels: pod.labels.clone().into_iter().collect(),
        annotations: pod.annotations.clone().into_iter().collect(),
        ..v1::Function::default()
    }
}

fn env_from_to_wire(source: &EnvFrom) -> v1::EnvFromSource {
    let reference = |name: &eventflow_domain::ConfigName| Some(v1::NameRef { name: name.to_string() });
    match source {
        EnvFrom::SecretRef(name) => v1::EnvFromSource { secret_ref: reference(name), config_map_ref: None },
        EnvFrom::ConfigMapRef(name) => {
            v1::EnvFromSource { secret_ref: None, config_map_ref: reference(name) }
        }
    }
}

fn toleration_to_wire(toleration: Toleration) -> v1::Toleration {
    v1::Toleration {
        key: toleration.key,
        operator: toleration.operator,
        value: toleration.value,
        effect: toleration.effect,
        toleration_seconds: toleration.toleration_seconds,
    }
}

fn manager_to_wire(manager: Manager) -> v1::Manager {
    match manager {
        Manager::Api => v1::Manager::Api,
        Manager::Kubectl => v1::Manager::Kubectl,
        Manager::GitOps => v1::Manager::Gitops,
    }
}

fn copy_to_wire(copy: &WarmCopy) -> v1::WarmCopy {
    v1::WarmCopy {
        name: copy.name.clone(),
        state: match copy.state {
            CopyState::Starting => v1::WarmCopyState::Starting,
            CopyState::Ready => v1::WarmCopyState::Ready,
            CopyState::Failed => v1::WarmCopyState::Failed,
            CopyState::Stopping => v1::WarmCopyState::Stopping,
        }
        .into(),
        restarts: i32::try_from(copy.restarts).unwrap_or(i32::MAX),
        start_time: copy.started_at.map(timestamp_to_wire),
        last_exit: copy.last_exit.as_ref().map(|exit| v1::WarmCopyExit {
            reason: exit.reason.clone(),
            message: exit.message.clone(),
            exit_code: exit.exit_code,
            time: Some(timestamp_to_wire(exit.at)),
        }),
    }
}

fn event_to_wire(event: &FunctionEvent) -> v1::FunctionEvent {
    v1::FunctionEvent {
        r#type: if event.warning { "Warning" } else { "Normal" }.to_owned(),
        reason: event.reason.clone(),
        message: event.message.clone(),
        object: event.object.clone(),
        count: i32::try_from(event.count).unwrap_or(i32::MAX),
        time: Some(timestamp_to_wire(event.at)),
    }
}

fn condition(condition: &Condition) -> v1::Condition {
    v1::Condition {
        r#type: condition.kind.clone(),
        status: match condition.status {
            ConditionStatus::True => "True",
            ConditionStatus::False => "False",
            ConditionStatus::Unknown => "Unknown",
        }
        .to_owned(),
        reason: condition.reason.clone(),
        message: condition.message.clone(),
        observed_generation: condition.observed_generation,
        last_transition_time: Some(timestamp_to_wire(condition.since)),
    }
}

/// Figures of a function's recent calls.
pub fn stats_to_wire(window: Duration, stats: &WindowStats, queue: Option<&QueueStats>) -> v1::FunctionStats {
    let minutes = window.as_secs_f64() / 60.0;
    let of_queue = |get: fn(&QueueStats) -> u64| queue.map_or(0, |queue| get(queue) as i64);
    v1::FunctionStats {
        window: Some(duration_to_wire(window)),
        calls: stats.calls as i64,
        failed: stats.failed as i64,
        calls_per_minute: if minutes > 0.0 { stats.calls as f64 / minutes } else { 0.0 },
        p50: stats.p50.map(duration_to_wire),
        p99: stats.p99.map(duration_to_wire),
        last_call_time: stats.last_call.map(timestamp_to_wire),
        queued: of_queue(|queue| queue.queued),
        retrying: of_queue(|queue| queue.retrying),
        running: of_queue(|queue| queue.running),
        dead_letters: of_queue(|queue| queue.dead_letters),
        oldest_queued_time: queue.and_then(|queue| queue.oldest_queued).map(timestamp_to_wire),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use eventflow_domain::function::FunctionVersion;
    use eventflow_domain::{FunctionUid, Timestamp, VersionNumber};
    use pretty_assertions::assert_eq;

    #[test]
    fn a_version_shows_what_was_declared_and_nothing_that_is_output_only() {
        let written = v1::Function { command: vec!["cat".to_owned()], ..v1::Function::default() };
        let written = v1::Function { runtime: v1::Runtime::Process.into(), ..written };
        let key = super::super::function_key("media", "resize").expect("a key");
        let version = FunctionVersion {
            key,
            uid: FunctionUid::generate(),
            number: VersionNumber(7),
            spec: std::sync::Arc::new(draft(&written).validate().expect("valid")),
            created_at: Timestamp::from_millis(1_000),
            created_by: "admin".to_owned(),
        };
        let shown = version_to_wire(&version, true);
        assert_eq!((shown.version, shown.current, shown.created_by.as_str()), (7, true, "admin"));
        let function = shown.function.expect("a declaration");
        assert_eq!((function.namespace.as_str(), function.name.as_str()), ("media", "resize"));
        let output_only = [
            function.version,
            function.generation.map(|_| 0),
            function.desired_copies,
            function.ready_copies,
        ];
        assert_eq!(output_only, [None; 4]);
        assert!(function.uid.is_empty() && function.etag.is_empty() && function.create_time.is_none());
    }

    #[test]
    fn unknown_numbers_of_enums_are_refused_with_their_field() {
        let request = v1::ListFunctionsRequest { runtime: 99, state: -1, ..Default::default() };
        let refused = list_filters(&request).expect_err("unknown");
        let fields: Vec<_> = refused.field_violations().iter().map(|one| one.field.as_str()).collect();
        assert_eq!(fields, ["runtime", "state"]);
        let request = v1::ListFunctionsRequest { runtime: 3, ..Default::default() };
        assert_eq!(list_filters(&request).expect("fine"), (Some(RuntimeKind::Process), None));
    }

    #[test]
    fn a_declaration_survives_being_applied_read_and_applied_again() {
        let written = v1::Function {
            name: "resize".to_owned(),
            image: "registry.example/resize:1.4".to_owned(),
            port: Some(8080),
            env: [("A".to_owned(), "1".to_owned())].into(),
            scaling: Some(v1::Scaling { min: Some(1), cpu: Some(70), ..v1::Scaling::default() }),
            retry: Some(v1::RetryPolicy { max_attempts: 4, backoff: None }),
            egress: vec!["api.example.com:443".to_owned()],
            timeout: "1m30s".to_owned(),
            ..v1::Function::default()
        };
        let spec = draft(&written).validate().expect("valid");
        let key = super::super::function_key("", "resize").expect("a key");
        let again = draft(&declared(&key, &spec)).validate().expect("valid");
        assert_eq!(spec, again);
    }

    #[test]
    fn names_in_path_and_body_must_agree() {
        let request = |outer: &str, inner: &str| v1::ApplyFunctionRequest {
            name: outer.to_owned(),
            function: Some(v1::Function { name: inner.to_owned(), ..v1::Function::default() }),
            ..v1::ApplyFunctionRequest::default()
        };
        for (outer, inner) in [("a", ""), ("", "a"), ("a", "a")] {
            assert_eq!(apply_target(&request(outer, inner)).expect("a key").to_string(), "default/a");
        }
        assert!(apply_target(&request("a", "b")).is_err());
        let nameless = apply_target(&request("", "")).expect_err("no name");
        assert_eq!(nameless.field_violations()[0].field, "name");
    }
}
