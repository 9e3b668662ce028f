//! The sections of the configuration.

use eventflow_gateway::GatewayConfig;
use eventflow_lifecycle::config::{bytes, duration};
use serde::{Deserialize, Serialize};
use std::time::Duration;

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Gateway {
    /// Host names that a request may carry besides loopback ones.
    pub(crate) hosts: Vec<String>,
    /// Origins (`https://console.example`) of pages that may call besides the own one.
    pub(crate) origins: Vec<String>,
    /// How long a request that is no stream may take, its `wait` not counted.
    #[serde(with = "duration")]
    pub(crate) request_timeout: Duration,
    /// How long a body may take to arrive whole; over it, 408.
    #[serde(with = "duration")]
    pub(crate) body_timeout: Duration,
    /// How long a body may pause; over it, 408.
    #[serde(with = "duration")]
    pub(crate) body_idle: Duration,
    /// After so long a silence a stream says that it is alive; proxies give up after 20s or more.
    #[serde(with = "duration")]
    pub(crate) keep_alive: Duration,
}

impl Default for Gateway {
    fn default() -> Self {
        let GatewayConfig { request_timeout, body_timeout, body_idle, keep_alive, .. } =
            GatewayConfig::default();
        let (hosts, origins) = (Vec::new(), Vec::new());
        Self { hosts, origins, request_timeout, body_timeout, body_idle, keep_alive }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Limits {
    /// Bytes of a payload or a result; 1Ki to 2Gi.
    #[serde(with = "bytes")]
    pub(crate) payload: u64,
    /// Payloads and results up to this are kept in the record itself, larger ones in the blob store; at most 1Mi.
    #[serde(with = "bytes")]
    pub(crate) inline: u64,
    /// Bytes of stdout that are the result of a job that writes no result file: the last ones.
    #[serde(with = "bytes")]
    pub(crate) stdout_result: u64,
    /// Bytes of captured logs per call.
    #[serde(with = "bytes")]
    pub(crate) logs: u64,
    /// Bytes of an uploaded artifact.
    #[serde(with = "bytes")]
    pub(crate) artifact: u64,
    /// Bytes of bodies in memory at once, over all requests; over it, 429. At least `limits.payload`.
    #[serde(with = "bytes")]
    pub(crate) buffered: u64,
    /// The longest `wait` of a call or a read.
    #[serde(with = "duration")]
    pub(crate) max_wait: Duration,
    /// The longest `delay` of a call.
    #[serde(with = "duration")]
    pub(crate) max_delay: Duration,
    /// How long an Idempotency-Key is kept.
    #[serde(with = "duration")]
    pub(crate) idempotency: Duration,
    /// Attempts of a call that may be lost with their worker before the call fails.
    pub(crate) max_lost: u32,
}

impl Default for Limits {
    fn default() -> Self {
        let limits = eventflow_domain::limits::Limits::default();
        Self {
            payload: limits.payload,
            inline: limits.inline,
            stdout_result: limits.stdout_result,
            logs: limits.logs,
            artifact: limits.artifact,
            buffered: limits.buffered,
            max_wait: limits.max_wait,
            max_delay: limits.max_delay,
            idempotency: limits.idempotency,
            max_lost: limits.max_lost,
        }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Dispatcher {
    /// Runs at once, over all functions.
    pub(crate) slots: usize,
    /// Runs at once of a function that declares no `concurrency`.
    pub(crate) default_concurrency: u32,
    /// Calls whose callers wait for a slot, over all functions; one more gets 429.
    pub(crate) max_waiting: usize,
    /// How long a run is its worker's without a renewal; renewed every third of it. 3s to 10m.
    #[serde(with = "duration")]
    pub(crate) lease: Duration,
    /// The longest time between the end of a sync call and its record; at most 100ms.
    #[serde(with = "duration")]
    pub(crate) record_flush: Duration,
    /// Records of ended sync calls that may wait to be written; more calls get 429.
    pub(crate) record_buffer: usize,
    /// The longest time that captured lines are in memory only; at most 5s.
    #[serde(with = "duration")]
    pub(crate) log_flush: Duration,
    /// Bytes of captured lines kept while the record cannot be written; over it, lines are dropped with a marker.
    #[serde(with = "bytes")]
    pub(crate) log_buffer: u64,
}

impl Default for Dispatcher {
    fn default() -> Self {
        let config = eventflow_dispatcher::Config::default();
        Self {
            slots: config.slots,
            default_concurrency: config.default_concurrency,
            max_waiting: config.max_waiting,
            lease: config.lease,
            record_flush: config.record_flush,
            record_buffer: config.record_buffer,
            log_flush: config.log_flush,
            log_buffer: config.log_buffer as u64,
        }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Retention {
    /// Ended calls older than this are removed; at least 1m.
    #[serde(with = "duration")]
    pub(crate) max_age: Duration,
    /// Ended calls kept per function; older ones are removed.
    pub(crate) max_count: u64,
    /// How often old records and unused blobs are looked for; at least 1s.
    #[serde(with = "duration")]
    pub(crate) every: Duration,
    /// A blob that nothing names is kept for so long; at least 1m.
    #[serde(with = "duration")]
    pub(crate) blob_min_age: Duration,
}

impl Default for Retention {
    fn default() -> Self {
        let config = eventflow_dispatcher::Config::default();
        Self {
            max_age: config.retention.max_age,
            max_count: config.retention.max_count,
            every: config.retain_every,
            blob_min_age: config.blob_min_age,
        }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Process {
    /// A warm process that nobody called for so long is stopped, down to the function's `scaling.min`.
    #[serde(with = "duration")]
    pub(crate) idle_stop: Duration,
    /// Between SIGTERM and SIGKILL, at most 4s.
    #[serde(with = "duration")]
    pub(crate) kill_grace: Duration,
}

impl Default for Process {
    fn default() -> Self {
        Self { idle_stop: Duration::from_secs(300), kill_grace: Duration::from_secs(2) }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Wasm {
    /// Instances that run at once; more calls wait.
    pub(crate) max_instances: u32,
    /// Bytes of a module or a component.
    #[serde(with = "bytes")]
    pub(crate) max_code: u64,
    /// Bytes of compiled code kept on disk; the oldest goes first.
    #[serde(with = "bytes")]
    pub(crate) cache: u64,
    /// How long one compilation may take.
    #[serde(with = "duration")]
    pub(crate) compile_timeout: Duration,
}

impl Default for Wasm {
    fn default() -> Self {
        let defaults = eventflow_runtime_wasm::WasmConfig::new("");
        Self {
            max_instances: defaults.max_instances,
            max_code: defaults.max_code,
            cache: defaults.cache_bytes,
            compile_timeout: defaults.compile_timeout,
        }
    }
}
