use std::time::Duration;

/// How Jobs are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobSettings {
    /// The image with `eventflow-job-agent`, for payloads and results that no object can hold; empty = such calls fail.
    pub agent_image: String,
    /// How pods reach the transfer port of the dispatchers: `http://host:port`. Empty = such calls fail.
    pub transfer_url: String,
    /// How long a Job stays after its end.
    pub ttl: Duration,
    /// Bytes of a text payload that go into the pod's annotations; more is fetched. At most 64 KiB.
    pub inline_payload: usize,
}

/// The runtime's settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KubernetesConfig {
    pub job: JobSettings,
    /// What pods may do where the function does not say.
    pub pod_security: eventflow_domain::spec::PodSecurity,
    /// Bytes of a payload or a result.
    pub payload: u64,
    /// Bytes of output that are a result: the last ones.
    pub stdout_result: usize,
}

impl KubernetesConfig {
    /// A text payload up to this goes into an annotation.
    pub const MAX_INLINE: usize = 64 << 10;
    /// What the kubelet reads of a termination message.
    pub const MAX_MESSAGE: usize = 4096;
}

impl Default for JobSettings {
    fn default() -> Self {
        Self {
            agent_image: String::new(),
            transfer_url: String::new(),
            ttl: Duration::from_secs(3600),
            inline_payload: KubernetesConfig::MAX_INLINE,
        }
    }
}

impl Default for KubernetesConfig {
    fn default() -> Self {
        let limits = eventflow_domain::limits::Limits::default();
        Self {
            job: JobSettings::default(),
            pod_security: eventflow_domain::spec::PodSecurity::Restricted,
            payload: limits.payload,
            stdout_result: usize::try_from(limits.stdout_result).unwrap_or(usize::MAX),
        }
    }
}
