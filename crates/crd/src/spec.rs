//! What a Function declares. The comments of the fields are the descriptions of the schema: `kubectl explain fn.spec`.

#![expect(unreachable_pub, reason = "the derive repeats each struct inside a function")]

use crate::{FunctionStatus, rules};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A function: code that EventFlow runs when it is invoked.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, CustomResource, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[kube(
    group = "eventflow.io",
    version = "v1alpha1",
    kind = "Function",
    namespaced,
    doc = "A function: code that EventFlow runs when it is invoked.",
    shortname = "fn",
    category = "eventflow",
    status = "FunctionStatus",
    derive = "PartialEq",
    derive = "Default",
    validation = rules::name(),
    scale(
        spec_replicas_path = ".spec.replicas",
        status_replicas_path = ".status.replicas",
        label_selector_path = ".status.selector"
    ),
    printcolumn(name = "Ready", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].status"#),
    printcolumn(name = "Reason", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].reason"#),
    printcolumn(name = "Mode", type_ = "string", json_path = ".status.mode"),
    printcolumn(name = "Replicas", type_ = "integer", json_path = ".status.replicas"),
    printcolumn(name = "Version", type_ = "integer", json_path = ".status.latestVersion"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Image", type_ = "string", json_path = ".spec.image", priority = 1),
    printcolumn(name = "URL", type_ = "string", json_path = ".status.url", priority = 1)
)]
#[x_kube(validation = rules::no_process(), validation = rules::image(), validation = rules::one_way_to_scale(),
    validation = rules::port_is_for_http())]
pub struct FunctionSpec {
    /// What holds the code: an OCI image reference; for wasm an OCI artifact, or an uploaded one as artifact@sha256:….
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    #[x_kube(validation = rules::image_grammar())]
    pub image: Option<String>,
    /// Where the code runs: container or wasm. (process is for `eventflow dev` and refused in a cluster.)
    #[serde(default)]
    pub runtime: Runtime,
    /// What an invoke does: job (one run to completion) or http (one request to a server). Default: http where port is
    /// set, else job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// The program; default: the image's own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1000), inner(length(max = 131_072)))]
    pub command: Vec<String>,
    /// The program's arguments; default: the image's own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1000), inner(length(max = 131_072)))]
    pub args: Vec<String>,
    /// Environment variables, at most 32 KiB in all.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 500))]
    #[x_kube(validation = rules::env())]
    pub env: BTreeMap<String, String>,
    /// Secrets and ConfigMaps of this namespace whose keys become environment variables. A change of them rolls the
    /// warm copies.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub env_from: Vec<EnvFromSource>,
    /// The port that the code serves on (mode http); told to it as PORT.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub port: Option<i32>,
    /// Warm copies. Default: 0 in job mode, 1 in http mode. Not beside scaling.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1000))]
    pub replicas: Option<i32>,
    /// Warm copies by demand. Not beside replicas.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scaling: Option<Scaling>,
    /// What one copy or one run may use; request and limit are the same.
    #[serde(default)]
    pub resources: Resources,
    /// Of one run, counted from its start: 1s to 24h.
    #[serde(default = "defaults::timeout")]
    #[schemars(length(max = 32))]
    #[x_kube(validation = rules::timeout())]
    pub timeout: String,
    /// For pulling, scheduling and starting: 1s to 1h.
    #[serde(default = "defaults::start_deadline")]
    #[schemars(length(max = 32))]
    #[x_kube(validation = rules::start_deadline())]
    pub start_deadline: String,
    /// How failed attempts are repeated. Default: one attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
    /// Most runs of this function at once, over all dispatchers. Default: the installation's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10_000))]
    pub concurrency: Option<i32>,
    /// Bounds of the function's queue.
    #[serde(default)]
    pub queue: Queue,
    /// Hosts that the code may reach, host:port. Wasm reaches nothing else; for pods it opens the network policy.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100), inner(length(max = 260)))]
    #[x_kube(validation = rules::all_egress())]
    pub egress: Vec<String>,
    /// Who may call the function's own URL, /fn/NAMESPACE/NAME/: private (callers with a token) or public.
    #[serde(default)]
    pub url: Url,
    /// What of a call is kept: full, or metadata (neither payload nor result once the call has ended).
    #[serde(default)]
    pub record: Record,
    /// How a Job gives its result back: inline, or file (a result file over 4 KiB is uploaded).
    #[serde(default)]
    pub result: ResultChannel,
    /// What the pod may do: restricted or baseline, as of the Pod Security Standards. Default: the installation's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod_security: Option<PodSecurity>,
    /// How readiness of a warm copy is probed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe: Option<Probe>,
    /// Secrets of this namespace that images are pulled with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(max = 253)))]
    pub image_pull_secrets: Vec<String>,
    /// When the image is pulled. Default: Kubernetes' own, by the tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_pull_policy: Option<PullPolicy>,
    /// Labels that a node must have.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 64))]
    pub node_selector: BTreeMap<String, String>,
    /// Taints that the pods tolerate.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub tolerations: Vec<Toleration>,
    /// More labels of the pods.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 64))]
    pub labels: BTreeMap<String, String>,
    /// More annotations of the pods.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 64))]
    pub annotations: BTreeMap<String, String>,
}

macro_rules! choice {
    ($(#[$doc:meta])* $name:ident { $($variant:ident),+ }, default $default:ident, $case:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = $case)]
        pub enum $name { $($variant),+ }

        impl Default for $name {
            fn default() -> Self {
                Self::$default
            }
        }
    };
}

choice!(
    /// Where the code runs.
    Runtime { Container, Wasm, Process }, default Container, "lowercase"
);
choice!(
    /// What an invoke does.
    Mode { Job, Http }, default Job, "lowercase"
);
choice!(
    /// Who may call the function's own URL.
    Url { Private, Public }, default Private, "lowercase"
);
choice!(
    /// What of a call is kept.
    Record { Full, Metadata }, default Full, "lowercase"
);
choice!(
    /// How a Job gives its result back.
    ResultChannel { Inline, File }, default Inline, "lowercase"
);
choice!(
    /// What a pod may do.
    PodSecurity { Restricted, Baseline }, default Restricted, "lowercase"
);
choice!(
    /// When an image is pulled.
    PullPolicy { Always, IfNotPresent, Never }, default IfNotPresent, "PascalCase"
);

/// A Secret or a ConfigMap.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rules::one_source())]
pub struct EnvFromSource {
    /// A Secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<NameRef>,
    /// A ConfigMap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_map_ref: Option<NameRef>,
}

/// An object of the function's own namespace.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
pub struct NameRef {
    /// Its name.
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = rules::object_name())]
    pub name: String,
}

/// Warm copies by demand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(validation = rules::min_within_max(), validation = rules::min_with_cpu())]
pub struct Scaling {
    /// Fewest copies; at least 1 where cpu is set.
    #[serde(default)]
    #[schemars(range(min = 0, max = 1000))]
    pub min: i32,
    /// Most copies. Default: 20, or min where that is more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub max: Option<i32>,
    /// Requests that one copy takes at once.
    #[serde(default = "defaults::per_copy")]
    #[schemars(range(min = 1, max = 10_000))]
    pub concurrency: i32,
    /// Mean CPU of the copies, in percent of resources.cpu, that a HorizontalPodAutoscaler aims at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub cpu: Option<i32>,
}

impl Default for Scaling {
    fn default() -> Self {
        Self { min: 0, max: None, concurrency: defaults::per_copy(), cpu: None }
    }
}

/// What one copy or one run may use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
pub struct Resources {
    /// CPU: 1m to 256.
    #[serde(default = "defaults::cpu")]
    #[schemars(length(max = 16))]
    #[x_kube(validation = rules::cpu())]
    pub cpu: String,
    /// Memory: 1Mi to 1024Gi.
    #[serde(default = "defaults::memory")]
    #[schemars(length(max = 20))]
    #[x_kube(validation = rules::memory())]
    pub memory: String,
}

impl Default for Resources {
    fn default() -> Self {
        Self { cpu: defaults::cpu(), memory: defaults::memory() }
    }
}

/// How failed attempts are repeated.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Retry {
    /// Attempts in all, the first among them.
    #[schemars(range(min = 1, max = 100))]
    pub max_attempts: i32,
    /// The waits between attempts.
    #[serde(default)]
    pub backoff: Backoff,
}

/// Exponential backoff: initial * factor^(n-1), at most max, spread by plus or minus jitter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, KubeSchema)]
pub struct Backoff {
    /// The first wait.
    #[serde(default = "defaults::initial")]
    #[schemars(length(max = 32))]
    #[x_kube(validation = rules::wait())]
    pub initial: String,
    /// The longest wait; at most queue.maxAge.
    #[serde(default = "defaults::longest")]
    #[schemars(length(max = 32))]
    #[x_kube(validation = rules::wait())]
    pub max: String,
    /// By what each wait is longer than the one before.
    #[serde(default = "defaults::factor")]
    #[schemars(range(min = 1.0, max = 10.0))]
    pub factor: f64,
    /// The share by which a wait is spread.
    #[serde(default = "defaults::jitter")]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub jitter: f64,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            initial: defaults::initial(),
            max: defaults::longest(),
            factor: defaults::factor(),
            jitter: defaults::jitter(),
        }
    }
}

/// Bounds of a function's queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Queue {
    /// Calls that may wait; one more is refused with 429.
    #[serde(default = "defaults::queue")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub max: i32,
    /// How long a call may wait before it ends as FAILED Expired: 1s to 30d.
    #[serde(default = "defaults::age")]
    #[schemars(length(max = 32))]
    #[x_kube(validation = rules::queue_age())]
    pub max_age: String,
}

impl Default for Queue {
    fn default() -> Self {
        Self { max: defaults::queue(), max_age: defaults::age() }
    }
}

/// How readiness of a warm copy is probed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
pub struct Probe {
    /// A path that answers 2xx or 3xx once the copy is ready. Without it, a TCP connection is enough.
    #[serde(default)]
    #[schemars(length(max = 1024))]
    #[x_kube(validation = rules::path())]
    pub path: String,
}

/// A taint that pods tolerate, as in Kubernetes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Toleration {
    /// The taint's key; empty with operator Exists matches all.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 317))]
    pub key: String,
    /// Equal or Exists; empty is Equal.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(extend("enum" = ["", "Equal", "Exists"]))]
    pub operator: String,
    /// The taint's value.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 63))]
    pub value: String,
    /// NoSchedule, PreferNoSchedule or NoExecute; empty matches all.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(extend("enum" = ["", "NoSchedule", "PreferNoSchedule", "NoExecute"]))]
    pub effect: String,
    /// How long the taint is tolerated, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub toleration_seconds: Option<i64>,
}

/// The same values as the domain's; a test holds them to it.
mod defaults {
    pub(super) fn timeout() -> String {
        "30s".to_owned()
    }
    pub(super) fn start_deadline() -> String {
        "2m".to_owned()
    }
    pub(super) fn per_copy() -> i32 {
        10
    }
    pub(super) fn cpu() -> String {
        "100m".to_owned()
    }
    pub(super) fn memory() -> String {
        "128Mi".to_owned()
    }
    pub(super) fn initial() -> String {
        "1s".to_owned()
    }
    pub(super) fn longest() -> String {
        "5m".to_owned()
    }
    pub(super) fn factor() -> f64 {
        2.0
    }
    pub(super) fn jitter() -> f64 {
        0.2
    }
    pub(super) fn queue() -> i32 {
        10_000
    }
    pub(super) fn age() -> String {
        "24h".to_owned()
    }
}
