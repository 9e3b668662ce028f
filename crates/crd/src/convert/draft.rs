use crate::spec::{self, EnvFromSource, FunctionSpec, NameRef};
use eventflow_domain::spec::{
    Mode, PodSecurity, RecordPolicy, ResultChannel, RuntimeKind, Toleration, UrlAccess,
};
use eventflow_domain::validate::{Draft, DraftEnvFrom, DraftRetry, DraftScaling};

/// What is declared, unchecked.
pub fn draft(spec: &FunctionSpec) -> Draft {
    Draft {
        image: spec.image.clone().unwrap_or_default(),
        runtime: Some(match spec.runtime {
            spec::Runtime::Container => RuntimeKind::Container,
            spec::Runtime::Wasm => RuntimeKind::Wasm,
            spec::Runtime::Process => RuntimeKind::Process,
        }),
        mode: spec.mode.map(|mode| match mode {
            spec::Mode::Job => Mode::Job,
            spec::Mode::Http => Mode::Http,
        }),
        command: spec.command.clone(),
        args: spec.args.clone(),
        env: spec.env.clone(),
        env_from: spec.env_from.iter().map(env_from).collect(),
        port: spec.port.map(i64::from),
        replicas: spec.replicas.map(i64::from),
        scaling: spec.scaling.as_ref().map(|scaling| DraftScaling {
            min: Some(scaling.min.into()),
            max: scaling.max.map(i64::from),
            concurrency: Some(scaling.concurrency.into()),
            cpu: scaling.cpu.map(i64::from),
        }),
        cpu: spec.resources.cpu.clone(),
        memory: spec.resources.memory.clone(),
        timeout: spec.timeout.clone(),
        start_deadline: spec.start_deadline.clone(),
        retry: spec.retry.as_ref().map(retry),
        concurrency: spec.concurrency.map(i64::from),
        queue_max: Some(spec.queue.max.into()),
        queue_max_age: spec.queue.max_age.clone(),
        egress: spec.egress.clone(),
        url: Some(match spec.url {
            spec::Url::Private => UrlAccess::Private,
            spec::Url::Public => UrlAccess::Public,
        }),
        record: Some(match spec.record {
            spec::Record::Full => RecordPolicy::Full,
            spec::Record::Metadata => RecordPolicy::Metadata,
        }),
        result: Some(match spec.result {
            spec::ResultChannel::Inline => ResultChannel::Inline,
            spec::ResultChannel::File => ResultChannel::File,
        }),
        ..pod(spec)
    }
}

/// The fields that only a pod understands.
fn pod(spec: &FunctionSpec) -> Draft {
    Draft {
        probe_path: spec.probe.as_ref().map(|probe| probe.path.clone()),
        pod_security: spec.pod_security.map(|security| match security {
            spec::PodSecurity::Restricted => PodSecurity::Restricted,
            spec::PodSecurity::Baseline => PodSecurity::Baseline,
        }),
        image_pull_secrets: spec.image_pull_secrets.clone(),
        image_pull_policy: match spec.image_pull_policy {
            None => String::new(),
            Some(spec::PullPolicy::Always) => "Always".to_owned(),
            Some(spec::PullPolicy::IfNotPresent) => "IfNotPresent".to_owned(),
            Some(spec::PullPolicy::Never) => "Never".to_owned(),
        },
        node_selector: spec.node_selector.clone(),
        tolerations: spec.tolerations.iter().map(toleration).collect(),
        labels: spec.labels.clone(),
        annotations: spec.annotations.clone(),
        ..Draft::default()
    }
}

fn env_from(source: &EnvFromSource) -> DraftEnvFrom {
    let name = |reference: &Option<NameRef>| reference.as_ref().map(|reference| reference.name.clone());
    DraftEnvFrom { secret: name(&source.secret_ref), config: name(&source.config_map_ref) }
}

fn retry(retry: &spec::Retry) -> DraftRetry {
    DraftRetry {
        max_attempts: retry.max_attempts.into(),
        initial: retry.backoff.initial.clone(),
        max: retry.backoff.max.clone(),
        factor: Some(retry.backoff.factor),
        jitter: Some(retry.backoff.jitter),
    }
}

fn toleration(toleration: &spec::Toleration) -> Toleration {
    Toleration {
        key: toleration.key.clone(),
        operator: toleration.operator.clone(),
        value: toleration.value.clone(),
        effect: toleration.effect.clone(),
        toleration_seconds: toleration.toleration_seconds,
    }
}
