use crate::spec::{self, EnvFromSource, FunctionSpec, NameRef};
use eventflow_domain::ConfigName;
use eventflow_domain::quantity::format_duration;
use eventflow_domain::spec::{
    self as domain, EnvFrom, Mode, PodSecurity, RecordPolicy, ResultChannel, RuntimeKind, Scale, UrlAccess,
};

/// A spec as a Function declares it: read again it is the same spec.
pub fn declare(from: &domain::FunctionSpec) -> FunctionSpec {
    let (replicas, scaling) = match from.scale {
        Scale::Fixed(copies) => (Some(copies as i32), None),
        Scale::Auto { min, max, concurrency, cpu } => (
            None,
            Some(spec::Scaling {
                min: min as i32,
                max: Some(max as i32),
                concurrency: concurrency as i32,
                cpu: cpu.map(|cpu| cpu as i32),
            }),
        ),
    };
    FunctionSpec {
        image: from.image.as_ref().map(ToString::to_string),
        runtime: match from.runtime {
            RuntimeKind::Container => spec::Runtime::Container,
            RuntimeKind::Wasm => spec::Runtime::Wasm,
            RuntimeKind::Process => spec::Runtime::Process,
        },
        mode: Some(match from.mode {
            Mode::Job => spec::Mode::Job,
            Mode::Http => spec::Mode::Http,
        }),
        command: from.command.clone(),
        args: from.args.clone(),
        env: from.env.iter().map(|(name, value)| (name.to_string(), value.clone())).collect(),
        env_from: from.env_from.iter().map(env_from).collect(),
        port: from.port.map(i32::from),
        replicas,
        scaling,
        resources: spec::Resources {
            cpu: from.resources.cpu.to_string(),
            memory: from.resources.memory.to_string(),
        },
        timeout: format_duration(from.timeout),
        start_deadline: format_duration(from.start_deadline),
        ..policy(from)
    }
}

/// The fields that make no version.
fn policy(from: &domain::FunctionSpec) -> FunctionSpec {
    let backoff = &from.retry.backoff;
    FunctionSpec {
        retry: (from.retry.max_attempts > 1).then(|| spec::Retry {
            max_attempts: from.retry.max_attempts as i32,
            backoff: spec::Backoff {
                initial: format_duration(backoff.initial),
                max: format_duration(backoff.max),
                factor: backoff.factor,
                jitter: backoff.jitter,
            },
        }),
        concurrency: from.concurrency.map(|n| n as i32),
        queue: spec::Queue { max: from.queue.max as i32, max_age: format_duration(from.queue.max_age) },
        egress: from.egress.iter().map(|to| format!("{}:{}", to.host, to.port)).collect(),
        url: match from.url {
            UrlAccess::Private => spec::Url::Private,
            UrlAccess::Public => spec::Url::Public,
        },
        record: match from.record {
            RecordPolicy::Full => spec::Record::Full,
            RecordPolicy::Metadata => spec::Record::Metadata,
        },
        result: match from.result {
            ResultChannel::Inline => spec::ResultChannel::Inline,
            ResultChannel::File => spec::ResultChannel::File,
        },
        probe: from.probe_path.clone().map(|path| spec::Probe { path }),
        ..pod(&from.pod)
    }
}

fn pod(from: &domain::PodOptions) -> FunctionSpec {
    FunctionSpec {
        pod_security: from.security.map(|security| match security {
            PodSecurity::Restricted => spec::PodSecurity::Restricted,
            PodSecurity::Baseline => spec::PodSecurity::Baseline,
        }),
        image_pull_secrets: from.image_pull_secrets.iter().map(ToString::to_string).collect(),
        image_pull_policy: from.image_pull_policy.as_deref().and_then(|policy| match policy {
            "Always" => Some(spec::PullPolicy::Always),
            "IfNotPresent" => Some(spec::PullPolicy::IfNotPresent),
            "Never" => Some(spec::PullPolicy::Never),
            _ => None,
        }),
        node_selector: from.node_selector.clone(),
        tolerations: from.tolerations.iter().map(toleration).collect(),
        labels: from.labels.clone(),
        annotations: from.annotations.clone(),
        ..FunctionSpec::default()
    }
}

fn env_from(source: &EnvFrom) -> EnvFromSource {
    let reference = |name: &ConfigName| Some(NameRef { name: name.to_string() });
    match source {
        EnvFrom::SecretRef(name) => EnvFromSource { secret_ref: reference(name), config_map_ref: None },
        EnvFrom::ConfigMapRef(name) => EnvFromSource { secret_ref: None, config_map_ref: reference(name) },
    }
}

fn toleration(from: &domain::Toleration) -> spec::Toleration {
    spec::Toleration {
        key: from.key.clone(),
        operator: from.operator.clone(),
        value: from.value.clone(),
        effect: from.effect.clone(),
        toleration_seconds: from.toleration_seconds,
    }
}
