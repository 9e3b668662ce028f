//! The configuration of `eventflow dev`. Field comments are its reference.

use eventflow_domain::limits::Limits;
use eventflow_domain::ports::Retention;
use eventflow_lifecycle::config::{Problems, Validate, bytes, duration};
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct DevConfig {
    /// Where gRPC, grpc-web, REST and the rest are served. Port 0 takes a free one.
    pub(crate) listen: String,
    /// The data folder; its owner is this process alone.
    pub(crate) data: PathBuf,
    /// Manifests found below this folder are deployed at start.
    pub(crate) examples: Option<PathBuf>,
    /// How long running calls may go on at shutdown.
    #[serde(with = "duration")]
    pub(crate) grace: Duration,
    pub(crate) gateway: GatewaySection,
    pub(crate) limits: LimitsSection,
    pub(crate) dispatcher: DispatcherSection,
    pub(crate) retention: RetentionSection,
    pub(crate) process: ProcessSection,
    pub(crate) wasm: WasmSection,
    pub(crate) telemetry: eventflow_telemetry::Config,
}

impl Default for DevConfig {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8080".to_owned(),
            data: crate::env::data_folder(),
            examples: None,
            grace: Duration::from_secs(25),
            gateway: GatewaySection::default(),
            limits: LimitsSection::default(),
            dispatcher: DispatcherSection::default(),
            retention: RetentionSection::default(),
            process: ProcessSection::default(),
            wasm: WasmSection::default(),
            telemetry: eventflow_telemetry::Config::default(),
        }
    }
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct GatewaySection {
    /// Host names that a request may carry besides loopback ones.
    pub(crate) hosts: Vec<String>,
    /// Origins (`https://console.example`) that may call besides the own one.
    pub(crate) origins: Vec<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct LimitsSection {
    /// Bytes of a payload or a result.
    #[serde(with = "bytes")]
    pub(crate) payload: u64,
    /// Bytes kept in SQL; more goes to the blob store.
    #[serde(with = "bytes")]
    pub(crate) inline: u64,
    /// Bytes of captured logs per call.
    #[serde(with = "bytes")]
    pub(crate) logs: u64,
    /// Bytes of an uploaded artifact.
    #[serde(with = "bytes")]
    pub(crate) artifact: u64,
    /// Bytes buffered at once by all requests; over it, 429.
    #[serde(with = "bytes")]
    pub(crate) buffered: u64,
}

impl Default for LimitsSection {
    fn default() -> Self {
        let limits = Limits::default();
        Self {
            payload: limits.payload,
            inline: limits.inline,
            logs: limits.logs,
            artifact: limits.artifact,
            buffered: limits.buffered,
        }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct DispatcherSection {
    /// Runs at once, over all functions.
    pub(crate) slots: usize,
    /// Runs at once of a function that declares no `concurrency`.
    pub(crate) default_concurrency: u32,
}

impl Default for DispatcherSection {
    fn default() -> Self {
        let config = eventflow_dispatcher::Config::default();
        Self { slots: config.slots, default_concurrency: config.default_concurrency }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct RetentionSection {
    /// Ended calls older than this are removed.
    #[serde(with = "duration")]
    pub(crate) max_age: Duration,
    /// Ended calls kept per function.
    pub(crate) max_count: u64,
}

impl Default for RetentionSection {
    fn default() -> Self {
        let Retention { max_age, max_count, .. } = eventflow_dispatcher::Config::default().retention;
        Self { max_age, max_count }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct ProcessSection {
    /// A warm process that nobody called for so long is stopped.
    #[serde(with = "duration")]
    pub(crate) idle_stop: Duration,
    /// Between SIGTERM and SIGKILL, at most 4s.
    #[serde(with = "duration")]
    pub(crate) kill_grace: Duration,
}

impl Default for ProcessSection {
    fn default() -> Self {
        Self { idle_stop: Duration::from_secs(300), kill_grace: Duration::from_secs(2) }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct WasmSection {
    /// Calls that run at once.
    pub(crate) max_instances: u32,
}

impl Default for WasmSection {
    fn default() -> Self {
        Self { max_instances: 256 }
    }
}

impl DevConfig {
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        self.listen.parse().ok()
    }

    pub(crate) fn limits(&self) -> Limits {
        Limits {
            payload: self.limits.payload,
            inline: self.limits.inline,
            logs: self.limits.logs,
            artifact: self.limits.artifact,
            buffered: self.limits.buffered,
            ..Limits::default()
        }
    }
}

impl Validate for DevConfig {
    fn validate(&self, problems: &mut Problems) {
        if self.address().is_none() {
            problems.push(
                "listen",
                format!("must be an address and a port such as 127.0.0.1:8080, is {:?}", self.listen),
            );
        }
        let mut at_least = |key: &str, value: u64, least: u64| {
            if value < least {
                problems.push(key, format!("must be at least {least}, is {value}"));
            }
        };
        at_least("limits.payload", self.limits.payload, 1024);
        at_least("limits.buffered", self.limits.buffered, self.limits.payload);
        at_least("limits.logs", self.limits.logs, 1024);
        at_least("limits.artifact", self.limits.artifact, 1024);
        at_least("dispatcher.slots", self.dispatcher.slots as u64, 1);
        at_least("dispatcher.default_concurrency", self.dispatcher.default_concurrency.into(), 1);
        at_least("retention.max_count", self.retention.max_count, 1);
        at_least("wasm.max_instances", self.wasm.max_instances.into(), 1);
        if self.limits.inline > self.limits.payload || self.limits.inline > 1 << 20 {
            problems.push("limits.inline", "must be at most 1Mi, and at most limits.payload");
        }
        if self.process.kill_grace > Duration::from_secs(4) {
            problems.push("process.kill_grace", "must be at most 4s");
        }
        for (key, message) in self.telemetry.problems() {
            problems.push(format!("telemetry.{key}"), message);
        }
    }
}
