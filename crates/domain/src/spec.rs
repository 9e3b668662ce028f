//! What a team declares: the function's spec, parsed and with defaults applied. The manifest, the API and the
//! custom resource are read into this one type; see [`crate::validate`] for the rules between fields.

use crate::ids::ArtifactDigest;
use crate::names::{ConfigName, EnvName};
use crate::quantity::{Cpu, Memory};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// Where the code runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RuntimeKind {
    Container,
    Wasm,
    Process,
}

impl fmt::Display for RuntimeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Container => "container",
            Self::Wasm => "wasm",
            Self::Process => "process",
        })
    }
}

/// What an invoke does: one run to completion, or one request to a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    Job,
    Http,
}

/// What holds the code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Image {
    /// An OCI reference, as written.
    Oci(String),
    /// An uploaded artifact, `artifact@sha256:…`.
    Artifact(ArtifactDigest),
}

impl fmt::Display for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Oci(reference) => f.write_str(reference),
            Self::Artifact(digest) => write!(f, "artifact@{digest}"),
        }
    }
}

/// A secret or config whose keys become environment variables.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum EnvFrom {
    SecretRef(ConfigName),
    ConfigMapRef(ConfigName),
}

/// How many warm copies there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scale {
    /// `replicas`: exactly so many.
    Fixed(u32),
    /// `scaling`: between `min` and `max`, `concurrency` requests to a copy, by CPU percent where `cpu` is set.
    Auto { min: u32, max: u32, concurrency: u32, cpu: Option<u32> },
}

impl Scale {
    pub fn min(self) -> u32 {
        match self {
            Self::Fixed(n) => n,
            Self::Auto { min, .. } => min,
        }
    }

    pub fn max(self) -> u32 {
        match self {
            // Zero fixed copies means "none kept warm", not "never run".
            Self::Fixed(n) => n.max(1),
            Self::Auto { max, .. } => max,
        }
    }

    /// Requests that one copy takes at once.
    pub fn per_copy(self) -> u32 {
        match self {
            Self::Fixed(_) => Self::DEFAULT_CONCURRENCY,
            Self::Auto { concurrency, .. } => concurrency,
        }
    }

    pub const DEFAULT_CONCURRENCY: u32 = 10;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resources {
    pub cpu: Cpu,
    pub memory: Memory,
}

impl Default for Resources {
    fn default() -> Self {
        Self { cpu: Cpu(100), memory: Memory(128 << 20) }
    }
}

/// Whether and when a failed attempt is made again.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RetryPolicy {
    /// Attempts in all, the first among them.
    pub max_attempts: u32,
    pub backoff: Backoff,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self { max_attempts: 1, backoff: Backoff::default() }
    }
}

/// Exponential backoff: `initial · factor^(n-1)`, at most `max`, spread by ± `jitter`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Backoff {
    pub initial: Duration,
    pub max: Duration,
    pub factor: f64,
    /// The share by which a wait is spread, 0 to 1.
    pub jitter: f64,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { initial: Duration::from_secs(1), max: Duration::from_secs(300), factor: 2.0, jitter: 0.2 }
    }
}

impl Backoff {
    /// The wait after the `failed`-th failed attempt (from 1). `unit` is a random number in 0..1.
    pub fn wait(&self, failed: u32, unit: f64) -> Duration {
        let exponent = i32::try_from(failed.saturating_sub(1)).unwrap_or(i32::MAX);
        let base = (self.initial.as_secs_f64() * self.factor.powi(exponent)).min(self.max.as_secs_f64());
        let spread = 1.0 + self.jitter * (2.0 * unit.clamp(0.0, 1.0) - 1.0);
        Duration::try_from_secs_f64((base * spread).min(self.max.as_secs_f64())).unwrap_or(self.max)
    }
}

/// The bounds of a function's queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueuePolicy {
    /// Calls that may wait; one more is refused with 429.
    pub max: u32,
    /// How long a call may wait before it ends as FAILED Expired.
    pub max_age: Duration,
}

impl Default for QueuePolicy {
    fn default() -> Self {
        Self { max: 10_000, max_age: Duration::from_secs(24 * 3600) }
    }
}

/// A host and port that a function may reach.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Egress {
    pub host: String,
    pub port: u16,
}

/// Who may call the function's URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UrlAccess {
    #[default]
    Private,
    Public,
}

/// What of a call is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RecordPolicy {
    #[default]
    Full,
    /// Neither payload nor result, once the call has ended.
    Metadata,
}

/// How a Job gives its result back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ResultChannel {
    #[default]
    Inline,
    File,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PodSecurity {
    Restricted,
    Baseline,
}

/// What only a pod understands; kept as declared, unused in the local shape.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct PodOptions {
    pub security: Option<PodSecurity>,
    pub image_pull_secrets: Vec<ConfigName>,
    pub image_pull_policy: Option<String>,
    pub node_selector: BTreeMap<String, String>,
    /// Kubernetes tolerations as JSON objects, checked by the cluster.
    pub tolerations: Vec<Toleration>,
    pub labels: BTreeMap<String, String>,
    pub annotations: BTreeMap<String, String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Toleration {
    pub key: String,
    pub operator: String,
    pub value: String,
    pub effect: String,
    pub toleration_seconds: Option<i64>,
}

/// A function as declared, with defaults applied.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FunctionSpec {
    pub runtime: RuntimeKind,
    pub mode: Mode,
    pub image: Option<Image>,
    pub command: Vec<String>,
    pub args: Vec<String>,
    pub env: BTreeMap<EnvName, String>,
    pub env_from: Vec<EnvFrom>,
    pub port: Option<u16>,
    pub scale: Scale,
    pub resources: Resources,
    /// Of one run, counted from its start.
    pub timeout: Duration,
    /// For pulling, scheduling and starting.
    pub start_deadline: Duration,
    pub retry: RetryPolicy,
    /// Most runs at once, over all dispatchers; `None` is the installation's own bound.
    pub concurrency: Option<u32>,
    pub queue: QueuePolicy,
    pub egress: Vec<Egress>,
    pub url: UrlAccess,
    pub record: RecordPolicy,
    pub result: ResultChannel,
    pub probe_path: Option<String>,
    pub pod: PodOptions,
}

impl FunctionSpec {
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);
    pub const DEFAULT_START_DEADLINE: Duration = Duration::from_secs(120);

    /// Whether `other` runs differently: such a change makes a new version, any other is a change of policy.
    pub fn same_code(&self, other: &Self) -> bool {
        self.runtime == other.runtime
            && self.mode == other.mode
            && self.image == other.image
            && self.command == other.command
            && self.args == other.args
            && self.env == other.env
            && self.env_from == other.env_from
            && self.port == other.port
            && self.resources == other.resources
            && self.timeout == other.timeout
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn backoff_stays_within_its_bounds(failed in 1u32..1000, unit in 0.0f64..1.0) {
            let backoff = Backoff::default();
            let wait = backoff.wait(failed, unit);
            prop_assert!(wait <= backoff.max);
            prop_assert!(wait >= backoff.initial.mul_f64(0.79));
        }
    }

    #[test]
    fn backoff_doubles() {
        let backoff = Backoff { jitter: 0.0, ..Backoff::default() };
        let waits: Vec<u64> = (1..=5).map(|n| backoff.wait(n, 0.5).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16]);
    }
}
