//! The pod template, the same for warm copies and Jobs.

use crate::{Installation, Role, Subject, env, labels, quantity, security};
use eventflow_crd::names;
use eventflow_domain::spec::{FunctionSpec, Image, Mode, PodSecurity, Toleration};
use k8s_openapi::api::core::v1 as core;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

/// Bytes that a function may write to `/tmp` where its root file system is read-only.
const TMP: &str = "256Mi";
const DEFAULT_PORT: u16 = 80;

/// The port that the function's code serves on.
pub fn port(spec: &FunctionSpec) -> u16 {
    spec.port.unwrap_or(DEFAULT_PORT)
}

/// The pod of one role. `config` is a digest of the ConfigMaps and Secrets that it reads: where it changes, warm copies
/// are rolled. A Job's maker adds payload, result and what only an attempt knows.
pub fn pod_template(
    subject: &Subject<'_>,
    role: Role,
    installation: &Installation,
    config: Option<&str>,
) -> core::PodTemplateSpec {
    let mut annotations = subject.spec.pod.annotations.clone();
    annotations.extend(config.map(|digest| (names::CONFIG_DIGEST.to_owned(), digest.to_owned())));
    core::PodTemplateSpec {
        metadata: Some(ObjectMeta {
            labels: Some(labels::pod_labels(subject, role)),
            annotations: Some(annotations).filter(|all| !all.is_empty()),
            ..ObjectMeta::default()
        }),
        spec: Some(pod_spec(subject, role, installation)),
    }
}

fn pod_spec(subject: &Subject<'_>, role: Role, installation: &Installation) -> core::PodSpec {
    let options = &subject.spec.pod;
    let profile = security::profile(subject.spec, installation);
    let restricted = profile == PodSecurity::Restricted;
    // A list without repetitions, or the API server does not take it.
    let unique: std::collections::BTreeSet<_> = options.image_pull_secrets.iter().collect();
    let secrets = unique.into_iter();
    let secrets =
        secrets.map(|name| core::LocalObjectReference { name: name.to_string() }).collect::<Vec<_>>();
    let tolerations = options.tolerations.iter().map(toleration).collect::<Vec<_>>();
    core::PodSpec {
        automount_service_account_token: Some(false),
        containers: vec![container(subject, role, profile)],
        // Variables of every Service of the namespace would be the function's otherwise.
        enable_service_links: Some(false),
        image_pull_secrets: Some(secrets).filter(|all| !all.is_empty()),
        node_selector: Some(options.node_selector.clone()).filter(|all| !all.is_empty()),
        restart_policy: Some(if role == Role::Warm { "Always" } else { "Never" }.to_owned()),
        security_context: Some(security::pod_security(profile)),
        tolerations: Some(tolerations).filter(|all| !all.is_empty()),
        topology_spread_constraints: (role == Role::Warm).then(|| vec![spread(subject)]),
        volumes: restricted.then(|| vec![tmp()]),
        ..core::PodSpec::default()
    }
}

fn container(subject: &Subject<'_>, role: Role, profile: PodSecurity) -> core::Container {
    let spec = subject.spec;
    let serves = role == Role::Warm && (spec.mode == Mode::Http || spec.port.is_some());
    let text = |words: &[String]| Some(words.to_vec()).filter(|words| !words.is_empty());
    core::Container {
        name: names::CONTAINER.to_owned(),
        image: spec.image.as_ref().map(Image::to_string),
        image_pull_policy: spec.pod.image_pull_policy.clone(),
        command: text(&spec.command),
        args: text(&spec.args),
        env: Some(env::env(subject, role)),
        env_from: env::env_from(subject),
        ports: serves.then(|| vec![container_port(spec)]),
        readiness_probe: (role == Role::Warm).then(|| probe(spec)).flatten(),
        resources: Some(core::ResourceRequirements {
            limits: Some(quantity::quantities(&spec.resources)),
            requests: Some(quantity::quantities(&spec.resources)),
            claims: None,
        }),
        security_context: Some(security::container_security(profile)),
        // Of a copy that crashes, its last lines are told with its end. What a Job's container leaves is its result.
        termination_message_policy: (role == Role::Warm).then(|| "FallbackToLogsOnError".to_owned()),
        volume_mounts: (profile == PodSecurity::Restricted).then(|| {
            vec![core::VolumeMount {
                name: "tmp".to_owned(),
                mount_path: "/tmp".to_owned(),
                ..core::VolumeMount::default()
            }]
        }),
        ..core::Container::default()
    }
}

fn container_port(spec: &FunctionSpec) -> core::ContainerPort {
    core::ContainerPort {
        name: Some("http".to_owned()),
        container_port: port(spec).into(),
        protocol: Some("TCP".to_owned()),
        ..core::ContainerPort::default()
    }
}

/// Asked every second: a call that waits for a first copy waits for this.
fn probe(spec: &FunctionSpec) -> Option<core::Probe> {
    let port = IntOrString::Int(port(spec).into());
    let (http_get, tcp_socket) = match (&spec.probe_path, spec.mode) {
        (Some(path), _) => {
            let get =
                core::HTTPGetAction { path: Some(path.clone()), port, ..core::HTTPGetAction::default() };
            (Some(get), None)
        }
        (None, Mode::Http) => (None, Some(core::TCPSocketAction { port, host: None })),
        (None, Mode::Job) => return None,
    };
    Some(core::Probe {
        http_get,
        tcp_socket,
        period_seconds: Some(1),
        timeout_seconds: Some(2),
        failure_threshold: Some(3),
        ..core::Probe::default()
    })
}

fn tmp() -> core::Volume {
    core::Volume {
        name: "tmp".to_owned(),
        empty_dir: Some(core::EmptyDirVolumeSource {
            medium: None,
            size_limit: Some(Quantity(TMP.to_owned())),
        }),
        ..core::Volume::default()
    }
}

fn spread(subject: &Subject<'_>) -> core::TopologySpreadConstraint {
    core::TopologySpreadConstraint {
        label_selector: Some(labels::selector(&subject.key.name, Role::Warm)),
        max_skew: 1,
        topology_key: "kubernetes.io/hostname".to_owned(),
        when_unsatisfiable: "ScheduleAnyway".to_owned(),
        ..core::TopologySpreadConstraint::default()
    }
}

fn toleration(from: &Toleration) -> core::Toleration {
    let text = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
    core::Toleration {
        key: text(&from.key),
        operator: text(&from.operator),
        value: text(&from.value),
        effect: text(&from.effect),
        toleration_seconds: from.toleration_seconds,
    }
}
