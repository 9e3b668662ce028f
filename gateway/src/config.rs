use eventflow_auth::origin::HostPolicy;
use std::time::Duration;

/// Bounds and policies of the gateway.
#[derive(Debug, Clone)]
pub struct GatewayConfig {
    /// Which `Host` and `Origin` are served. The default is that of a loopback listener.
    pub hosts: HostPolicy,
    /// Bytes of a call's payload; also the largest single gRPC message that is passed on.
    pub payload_limit: u64,
    /// Bytes of an uploaded artifact.
    pub artifact_limit: u64,
    /// Bytes of a JSON body, where no field of it holds a payload.
    pub json_limit: u64,
    /// Bytes of bodies in memory at once, over all requests.
    pub buffered_limit: u64,
    /// Longest `?wait=`.
    pub max_wait: Duration,
    /// Longest `?delay=`.
    pub max_delay: Duration,
    /// Of a request that is not a stream, its wait not counted.
    pub request_timeout: Duration,
    /// For a body to arrive whole (408).
    pub body_timeout: Duration,
    /// Between two pieces of a body (408).
    pub body_idle: Duration,
    /// Silence after which a stream says that it is alive; below the 20 s after which proxies give up.
    pub keep_alive: Duration,
    /// Headers of a request, and the bytes of their names and values (431).
    pub max_headers: usize,
    pub max_header_bytes: usize,
}

impl Default for GatewayConfig {
    fn default() -> Self {
        let limits = eventflow_domain::limits::Limits::default();
        Self {
            hosts: HostPolicy { loopback: true, ..HostPolicy::default() },
            payload_limit: limits.payload,
            artifact_limit: limits.artifact,
            json_limit: 2 << 20,
            buffered_limit: limits.buffered,
            max_wait: limits.max_wait,
            max_delay: limits.max_delay,
            request_timeout: Duration::from_secs(60),
            body_timeout: Duration::from_secs(600),
            body_idle: Duration::from_secs(30),
            keep_alive: Duration::from_secs(15),
            max_headers: 100,
            max_header_bytes: 16 << 10,
        }
    }
}
