//! The container of a call, or of a warm copy: pure.

use crate::config::ContainerConfig;
use crate::engine::About;
use crate::verdict::{CONTAINER_FAILED, IMAGE_NEEDS_ROOT};
use bollard::models::{
    ContainerCreateBody, HostConfig, HostConfigLogConfig, Mount, MountType, MountVolumeOptions, PortBinding,
};
use eventflow_domain::FunctionVersion;
use eventflow_domain::invocation::{Failure, Reason};
use eventflow_domain::ports::Call;
use eventflow_domain::spec::{Image, PodSecurity};
use eventflow_runtime_http::warm::NotStarted;
use std::collections::HashMap;

pub(crate) const INSTALLATION: &str = "eventflow.io/installation";
pub(crate) const SERVER: &str = "eventflow.io/server";
const ROLE: &str = "eventflow.io/role";
const FUNCTION: &str = "eventflow.io/function";
const VERSION: &str = "eventflow.io/version";
const INVOCATION: &str = "eventflow.io/invocation";
const ATTEMPT: &str = "eventflow.io/attempt";

/// Where the volume of a job is.
pub(crate) const FOLDER: &str = "/eventflow";
pub(crate) const PAYLOAD_FILE: &str = "/eventflow/in/payload";
pub(crate) const RESULT_FILE: &str = "/eventflow/out/result";
/// As in the cluster.
const DEFAULT_PORT: u16 = 80;
/// What a function may write to `/tmp` where its root file system is read-only.
const TMP: &str = "rw,nosuid,nodev,mode=1777,size=256m";

/// What decides the shape of a container beside the function.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ground<'a> {
    pub(crate) config: &'a ContainerConfig,
    pub(crate) about: &'a About,
    /// The user that the image names.
    pub(crate) image_user: &'a str,
}

/// `fn-<function>-<last 12 hex digits of the id>-<attempt>`, as a Job is called.
pub(crate) fn job_name(call: &Call) -> String {
    format!("fn-{}-{}-{}", call.version.key.name, call.invocation.short(), call.attempt)
}

/// The reference of the image; check() has seen to it that there is one.
pub(crate) fn image(version: &FunctionVersion) -> Result<&str, Failure> {
    match &version.spec.image {
        Some(Image::Oci(reference)) => Ok(reference),
        _ => Err(Failure::new(Reason::StartFailed, "the function names no OCI image")),
    }
}

/// The port that the function's code serves on, in its container.
pub(crate) fn port(version: &FunctionVersion) -> u16 {
    version.spec.port.unwrap_or(DEFAULT_PORT)
}

/// One run.
pub(crate) fn job(ground: Ground<'_>, call: &Call) -> Result<ContainerCreateBody, Failure> {
    let mut body = common(ground, &call.version, &call.env, "job")?;
    let labels = body.labels.get_or_insert_default();
    labels.insert(INVOCATION.to_owned(), call.invocation.to_string());
    labels.insert(ATTEMPT.to_owned(), call.attempt.to_string());
    body.env.get_or_insert_default().extend([
        format!("EVENTFLOW_INVOCATION_ID={}", call.invocation),
        format!("EVENTFLOW_ATTEMPT={}", call.attempt),
        format!("EVENTFLOW_PAYLOAD_FILE={PAYLOAD_FILE}"),
        format!("EVENTFLOW_RESULT_FILE={RESULT_FILE}"),
        format!("TRACEPARENT={}", call.trace),
    ]);
    // A volume of its own: a read-only root takes no files, and the engine may be in a machine of its own, to which
    // our folders are not known.
    let volume = Mount {
        typ: Some(MountType::VOLUME),
        target: Some(FOLDER.to_owned()),
        volume_options: Some(MountVolumeOptions {
            no_copy: Some(true),
            labels: body.labels.clone(),
            ..MountVolumeOptions::default()
        }),
        ..Mount::default()
    };
    body.host_config.get_or_insert_default().mounts = Some(vec![volume]);
    Ok(body)
}

/// A warm copy; the engine chooses its port on loopback.
pub(crate) fn copy(
    ground: Ground<'_>,
    version: &FunctionVersion,
    env: &[(String, String)],
) -> Result<ContainerCreateBody, Failure> {
    let mut body = common(ground, version, env, "warm")?;
    let port = port(version);
    body.env.get_or_insert_default().push(format!("PORT={port}"));
    let inside = format!("{port}/tcp");
    let outside = PortBinding { host_ip: Some("127.0.0.1".to_owned()), host_port: Some(String::new()) };
    body.exposed_ports = Some(vec![inside.clone()]);
    body.host_config.get_or_insert_default().port_bindings =
        Some(HashMap::from([(inside, Some(vec![outside]))]));
    Ok(body)
}

fn common(
    ground: Ground<'_>,
    version: &FunctionVersion,
    env: &[(String, String)],
    role: &str,
) -> Result<ContainerCreateBody, Failure> {
    let Ground { config, about, image_user } = ground;
    let (spec, key) = (&version.spec, &version.key);
    let security = spec.pod.security.unwrap_or(config.security);
    let restricted = security == PodSecurity::Restricted;
    if restricted && is_root(image_user) {
        return Err(needs_root());
    }
    let mut labels: HashMap<String, String> =
        spec.pod.labels.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
    labels.extend(
        [
            (INSTALLATION, config.installation.id.clone()),
            (SERVER, config.installation.server.to_string()),
            (ROLE, role.to_owned()),
            (FUNCTION, key.to_string()),
            (VERSION, version.number.to_string()),
        ]
        .map(|(key, value)| (key.to_owned(), value)),
    );
    let words = |words: &[String]| Some(words.to_vec()).filter(|words| !words.is_empty());
    let mut all: Vec<String> = env.iter().map(|(name, value)| format!("{name}={value}")).collect();
    all.extend([
        format!("EVENTFLOW_FUNCTION={}", key.name),
        format!("EVENTFLOW_NAMESPACE={}", key.namespace),
        format!("EVENTFLOW_VERSION={}", version.number),
    ]);
    Ok(ContainerCreateBody {
        image: Some(image(version)?.to_owned()),
        entrypoint: words(&spec.command),
        cmd: words(&spec.args),
        env: Some(all),
        labels: Some(labels),
        tty: Some(false),
        open_stdin: Some(false),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        host_config: Some(host_config(config, about, version, restricted)),
        ..ContainerCreateBody::default()
    })
}

fn host_config(
    config: &ContainerConfig,
    about: &About,
    version: &FunctionVersion,
    restricted: bool,
) -> HostConfig {
    let resources = &version.spec.resources;
    let memory = i64::try_from(resources.memory.0).ok().filter(|_| about.limits.memory);
    // An engine refuses more than its machine has, which would be no limit.
    let cpu = i64::from(resources.cpu.0.min(about.cpus.saturating_mul(1000))) * 1_000_000;
    HostConfig {
        memory,
        // No swap beside it.
        memory_swap: memory.filter(|_| about.limits.swap),
        nano_cpus: about.limits.cpu.then_some(cpu),
        pids_limit: about.limits.pids.then(|| config.pids.into()),
        network_mode: config.network.clone(),
        privileged: Some(false),
        readonly_rootfs: Some(restricted),
        tmpfs: restricted.then(|| HashMap::from([("/tmp".to_owned(), TMP.to_owned())])),
        cap_drop: Some(vec![if restricted { "ALL" } else { "NET_RAW" }.to_owned()]),
        security_opt: Some(vec!["no-new-privileges".to_owned()]),
        // We read it as it comes; kept a second time it would fill the disk of whoever prints without end.
        log_config: Some(HostConfigLogConfig { typ: Some("none".to_owned()), config: None }),
        auto_remove: Some(false),
        ..HostConfig::default()
    }
}

/// Of the user that an image names: `user`, `uid`, `user:group`, `uid:gid`, or nothing.
pub(crate) fn is_root(user: &str) -> bool {
    let user = user.split(':').next().unwrap_or_default();
    user.is_empty() || user == "root" || user.parse::<u32>() == Ok(0)
}

pub(crate) fn needs_root() -> Failure {
    let text = format!(
        "{IMAGE_NEEDS_ROOT}: the image runs as root, which podSecurity restricted forbids: build it with a USER, or set \
         podSecurity: baseline"
    );
    Failure::new(Reason::StartFailed, text)
}

/// A container that cannot be described will not be made.
pub(crate) fn unfit(failure: Failure) -> NotStarted {
    let root = failure.message.starts_with(IMAGE_NEEDS_ROOT);
    NotStarted { failure, word: if root { IMAGE_NEEDS_ROOT } else { CONTAINER_FAILED } }
}

#[cfg(test)]
#[path = "object/tests.rs"]
mod tests;
