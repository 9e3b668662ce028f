//! The Job of an attempt: pure.

use super::pod::{FETCH, UPLOAD};
use crate::config::KubernetesConfig;
use crate::runtime::Shared;
use crate::transfer;
use eventflow_crd::names;
use eventflow_domain::function::FunctionVersion;
use eventflow_domain::invocation::Content;
use eventflow_domain::ports::Call;
use eventflow_domain::spec::{PodSecurity, RecordPolicy, ResultChannel};
use eventflow_domain::{Failure, FunctionName, InvocationId, Reason};
use eventflow_workload::{Installation, Role, Subject, container_security, owner, pod_labels, pod_template};
use k8s_openapi::api::batch::v1::{Job, JobSpec};
use k8s_openapi::api::core::v1::{
    Container, DownwardAPIVolumeFile, DownwardAPIVolumeSource, EmptyDirVolumeSource, EnvVar,
    ObjectFieldSelector, PodSpec, PodTemplateSpec, ResourceRequirements, Volume, VolumeMount,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::ResourceExt as _;
use std::collections::BTreeMap;

pub(crate) const MANAGER: &str = names::DISPATCHER;
/// The full id, since a name has the end of it only.
const INVOCATION: &str = "eventflow.io/invocation";
const ATTEMPT: &str = "eventflow.io/attempt";
const TRACE: &str = "eventflow.io/trace-id";
const PAYLOAD: &str = "eventflow.io/payload";

const IN: &str = "eventflow-in";
const OUT: &str = "eventflow-out";
const IN_FOLDER: &str = "/eventflow/in";
const OUT_FOLDER: &str = "/eventflow/out";
const PAYLOAD_FILE: &str = "/eventflow/in/payload";
const RESULT_FILE: &str = "/eventflow/out/result";

/// Beyond start deadline and timeout, which the dispatcher counts: nobody else ends a Job before it.
const BACKSTOP_SECONDS: u64 = 60;
/// From SIGTERM to SIGKILL, where a run is given up.
const GRACE_SECONDS: i64 = 2;
/// The same where a sidecar still uploads the result of up to 64 MiB.
const UPLOAD_SECONDS: i64 = 60;
/// What files beside a result file may take in its folder.
const ROOM: u64 = 16 << 20;
/// Nobody's, in images of ours.
const NOBODY: i64 = 65532;

/// `fn-<function>-<last 12 hex digits of the id>-<attempt>`
pub(crate) fn name(function: &FunctionName, invocation: InvocationId, attempt: u32) -> String {
    format!("fn-{function}-{}-{attempt}", invocation.short())
}

/// Whether a Job is this attempt's: a name alone says too little.
pub(crate) fn belongs(job: &Job, invocation: InvocationId, attempt: u32, version: &FunctionVersion) -> bool {
    let label = |name: &str| job.labels().get(name).map(String::as_str);
    let uid = version.uid.to_string();
    label(INVOCATION) == Some(&invocation.to_string())
        && label(ATTEMPT) == Some(&attempt.to_string())
        && job.owner_references().iter().any(|owner| owner.uid == uid)
}

/// Whether a Job is of this call, whichever attempt.
pub(crate) fn is_of(job: &Job, invocation: InvocationId) -> bool {
    job.labels().get(INVOCATION) == Some(&invocation.to_string())
}

/// What the end of a container's output is, where no file says it.
pub(crate) fn container_log(tail: Vec<u8>) -> Content {
    Content::guessed(tail.into())
}

/// How the payload gets into the pod.
enum Way<'a> {
    Annotation(&'a str),
    Fetched,
}

pub(crate) fn build(shared: &Shared, call: &Call) -> Result<Job, Failure> {
    let (version, config) = (&call.version, &shared.config);
    let installation = Installation { pod_security: config.pod_security, ..Installation::default() };
    let subject =
        Subject { key: &version.key, uid: version.uid, version: version.number, spec: &version.spec };
    let way = way(call, config);
    let needs_agent = matches!(way, Way::Fetched) || version.spec.result == ResultChannel::File;
    if needs_agent && (config.job.agent_image.is_empty() || config.job.transfer_url.is_empty()) {
        let text = "this call needs the job agent (a payload over 64 KiB or of bytes, or `result: file`): \
                    set kubernetes.agent_image and kubernetes.transfer_url of the dispatchers";
        return Err(Failure::new(Reason::StartFailed, text));
    }
    let mut template = pod_template(&subject, Role::Job, &installation, None);
    let metadata = template.metadata.get_or_insert_default();
    let annotations = metadata.annotations.get_or_insert_default();
    annotations.extend(called(call));
    metadata.labels.get_or_insert_default().extend(marks(call));
    if let Way::Annotation(text) = way {
        annotations.insert(PAYLOAD.to_owned(), text.to_owned());
    }
    attach(&mut template, shared, call, &way);
    let seconds = (call.start_deadline + call.timeout).as_secs() + BACKSTOP_SECONDS;
    let mut labels = pod_labels(&subject, Role::Job);
    labels.extend(marks(call));
    Ok(Job {
        metadata: ObjectMeta {
            name: Some(name(&version.key.name, call.invocation, call.attempt)),
            namespace: Some(version.key.namespace.to_string()),
            labels: Some(labels),
            annotations: Some(called(call)),
            owner_references: Some(vec![owner(&version.key, version.uid)]),
            ..ObjectMeta::default()
        },
        spec: Some(JobSpec {
            active_deadline_seconds: i64::try_from(seconds).ok(),
            backoff_limit: Some(0),
            // A pod that is still ending is not replaced, and one that failed is not either.
            pod_replacement_policy: Some("Failed".to_owned()),
            template,
            ttl_seconds_after_finished: i32::try_from(config.job.ttl.as_secs()).ok(),
            ..JobSpec::default()
        }),
        status: None,
    })
}

/// Text that fits goes with the Job itself; what is not to be recorded does not lie about in an object.
fn way<'a>(call: &'a Call, config: &KubernetesConfig) -> Way<'a> {
    let bytes = &call.payload.bytes;
    let fits = bytes.len() <= config.job.inline_payload.min(KubernetesConfig::MAX_INLINE);
    let recorded = call.version.spec.record == RecordPolicy::Full || bytes.is_empty();
    match std::str::from_utf8(bytes) {
        Ok(text) if fits && recorded && !text.contains('\0') => Way::Annotation(text),
        _ => Way::Fetched,
    }
}

fn marks(call: &Call) -> BTreeMap<String, String> {
    [(INVOCATION, call.invocation.to_string()), (ATTEMPT, call.attempt.to_string())]
        .map(|(key, value)| (key.to_owned(), value))
        .into()
}

fn called(call: &Call) -> BTreeMap<String, String> {
    [(INVOCATION, call.invocation.to_string()), (TRACE, call.trace.trace_id_hex())]
        .map(|(key, value)| (key.to_owned(), value))
        .into()
}

fn attach(template: &mut PodTemplateSpec, shared: &Shared, call: &Call, way: &Way<'_>) {
    let file = call.version.spec.result == ResultChannel::File;
    let spec = template.spec.get_or_insert_default();
    spec.termination_grace_period_seconds = Some(if file { UPLOAD_SECONDS } else { GRACE_SECONDS });
    let payload = match way {
        Way::Annotation(_) => annotation_volume(),
        Way::Fetched => folder(IN, shared.config.payload + ROOM),
    };
    let volumes = spec.volumes.get_or_insert_default();
    volumes.extend([payload, folder(OUT, shared.config.payload + ROOM)]);
    for container in spec.containers.iter_mut().filter(|container| container.name == names::CONTAINER) {
        container.env.get_or_insert_default().extend(environment(call));
        let mounts = [mount(IN, IN_FOLDER, true), mount(OUT, OUT_FOLDER, false)];
        container.volume_mounts.get_or_insert_default().extend(mounts);
        if !file {
            container.termination_message_path = Some(RESULT_FILE.to_owned());
            container.termination_message_policy = Some("File".to_owned());
        }
    }
    add_agents(spec, shared, call, way, file);
}

fn add_agents(spec: &mut PodSpec, shared: &Shared, call: &Call, way: &Way<'_>, file: bool) {
    let ours = spec.init_containers.get_or_insert_default();
    if matches!(way, Way::Fetched) {
        ours.push(agent(FETCH, "fetch", shared, call, PAYLOAD_FILE, mount(IN, IN_FOLDER, false)));
    }
    if file {
        let mut upload = agent(UPLOAD, "upload", shared, call, RESULT_FILE, mount(OUT, OUT_FOLDER, true));
        // A native sidecar: it is told to end once the function has ended.
        upload.restart_policy = Some("Always".to_owned());
        ours.push(upload);
    }
    if ours.is_empty() {
        spec.init_containers = None;
    }
}

fn environment(call: &Call) -> Vec<EnvVar> {
    vec![
        var("EVENTFLOW_INVOCATION_ID", call.invocation.to_string()),
        var("EVENTFLOW_ATTEMPT", call.attempt.to_string()),
        var("EVENTFLOW_PAYLOAD_FILE", PAYLOAD_FILE.to_owned()),
        var("EVENTFLOW_RESULT_FILE", RESULT_FILE.to_owned()),
        var("TRACEPARENT", call.trace.to_string()),
    ]
}

fn agent(name: &str, verb: &str, shared: &Shared, call: &Call, file: &str, mount: VolumeMount) -> Container {
    let job = &shared.config.job;
    let (url, path) = (job.transfer_url.trim_end_matches('/'), transfer::path(call.invocation, call.attempt));
    let deadline = call.start_deadline.as_secs().max(1).to_string();
    let mut security = container_security(PodSecurity::Restricted);
    security.run_as_user = Some(NOBODY);
    let resources: BTreeMap<_, _> = [("cpu", "100m"), ("memory", "32Mi")]
        .map(|(resource, amount)| (resource.to_owned(), Quantity(amount.to_owned())))
        .into();
    Container {
        name: name.to_owned(),
        image: Some(job.agent_image.clone()),
        image_pull_policy: Some("IfNotPresent".to_owned()),
        args: Some(vec![verb.to_owned()]),
        env: Some(vec![
            var("EVENTFLOW_AGENT_URL", format!("{url}{path}")),
            var("EVENTFLOW_AGENT_TOKEN", shared.secret.token(call.invocation, call.attempt)),
            var("EVENTFLOW_AGENT_FILE", file.to_owned()),
            var("EVENTFLOW_AGENT_SECONDS", deadline),
        ]),
        resources: Some(ResourceRequirements {
            limits: Some(resources.clone()),
            requests: Some(resources),
            claims: None,
        }),
        security_context: Some(security),
        volume_mounts: Some(vec![mount]),
        ..Container::default()
    }
}

fn var(name: &str, value: String) -> EnvVar {
    EnvVar { name: name.to_owned(), value: Some(value), value_from: None }
}

fn mount(volume: &str, folder: &str, read_only: bool) -> VolumeMount {
    VolumeMount {
        name: volume.to_owned(),
        mount_path: folder.to_owned(),
        read_only: read_only.then_some(true),
        ..VolumeMount::default()
    }
}

fn folder(name: &str, bytes: u64) -> Volume {
    Volume {
        name: name.to_owned(),
        empty_dir: Some(EmptyDirVolumeSource { medium: None, size_limit: Some(Quantity(bytes.to_string())) }),
        ..Volume::default()
    }
}

fn annotation_volume() -> Volume {
    let field_path = format!("metadata.annotations['{PAYLOAD}']");
    let file = DownwardAPIVolumeFile {
        path: "payload".to_owned(),
        field_ref: Some(ObjectFieldSelector { api_version: None, field_path }),
        ..DownwardAPIVolumeFile::default()
    };
    let source = DownwardAPIVolumeSource { default_mode: None, items: Some(vec![file]) };
    Volume { name: IN.to_owned(), downward_api: Some(source), ..Volume::default() }
}
