//! Which values of the sections make sense.

use crate::sections::{
    Auth, Blobs, Container, Dispatcher, Gateway, Kubernetes, Limits, Nats, Peers, Postgres, Process,
    Registry, Retention, Ui, Wasm,
};
use eventflow_domain::Namespace;
use eventflow_domain::quantity::{Memory, format_duration};
use eventflow_lifecycle::config::Problems;
use eventflow_runtime_container::{ContainerConfig, Sockets};
use eventflow_runtime_process::ProcessConfig;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

const KI: u64 = 1 << 10;
const MI: u64 = 1 << 20;
const GI: u64 = 1 << 30;
const HOUR: u64 = 3600;
const YEAR: u64 = 365 * 24 * HOUR;

/// A section that knows which of its values make sense.
pub trait Section {
    /// Adds what is wrong, each with its whole key.
    fn check(&self, problems: &mut Problems);
}

fn seconds(from: u64, to: u64) -> RangeInclusive<Duration> {
    Duration::from_secs(from)..=Duration::from_secs(to)
}

fn millis(from: u64, to: u64) -> RangeInclusive<Duration> {
    Duration::from_millis(from)..=Duration::from_millis(to)
}

/// Durations, each with its key and its range.
pub fn times(problems: &mut Problems, of: &[(&str, Duration, RangeInclusive<Duration>)]) {
    for (key, value, range) in of {
        within(problems, key, *value, range.clone(), format_duration);
    }
}

/// Bytes, each with its key and its range.
pub fn sizes(problems: &mut Problems, of: &[(&str, u64, RangeInclusive<u64>)]) {
    for (key, value, range) in of {
        within(problems, key, *value, range.clone(), |value| Memory(value).to_string());
    }
}

/// Numbers, each with its key and its range.
pub fn counts(problems: &mut Problems, of: &[(&str, u64, RangeInclusive<u64>)]) {
    for (key, value, range) in of {
        within(problems, key, *value, range.clone(), |value| value.to_string());
    }
}

/// The section `telemetry`, which knows its own rules.
pub fn telemetry(problems: &mut Problems, telemetry: &eventflow_telemetry::Config) {
    for (key, message) in telemetry.problems() {
        problems.push(format!("telemetry.{key}"), message);
    }
}

/// How long running work may go on at shutdown.
pub fn grace(problems: &mut Problems, grace: Duration) {
    times(problems, &[("grace", grace, seconds(0, 600))]);
}

impl Section for Gateway {
    fn check(&self, problems: &mut Problems) {
        let checks = [
            ("gateway.request_timeout", self.request_timeout, seconds(1, HOUR)),
            ("gateway.body_timeout", self.body_timeout, seconds(1, 24 * HOUR)),
            ("gateway.body_idle", self.body_idle, seconds(1, HOUR)),
            ("gateway.keep_alive", self.keep_alive, seconds(1, 60)),
        ];
        times(problems, &checks);
        for origin in &self.origins {
            if !origin.split_once("://").is_some_and(|(_, host)| !host.is_empty() && !host.contains('/')) {
                let rule = "must be origins such as \"https://console.example\"";
                problems.push("gateway.origins", format!("{rule}, is {origin:?}"));
            }
        }
    }
}

impl Section for Ui {
    fn check(&self, problems: &mut Problems) {
        let link = &self.trace_link;
        let is_url = link.starts_with("http://") || link.starts_with("https://");
        let is_template = is_url && link.contains("{trace_id}");
        if !link.is_empty() && !is_template {
            let rule = "must be a URL such as \"https://jaeger.example/trace/{trace_id}\"";
            problems.push("ui.trace_link", format!("{rule}, is {link:?}"));
        }
    }
}

impl Section for Limits {
    fn check(&self, problems: &mut Problems) {
        let durations = [
            ("limits.max_wait", self.max_wait, seconds(1, HOUR)),
            ("limits.max_delay", self.max_delay, seconds(1, YEAR)),
            ("limits.idempotency", self.idempotency, seconds(60, YEAR)),
        ];
        times(problems, &durations);
        let bytes = [
            ("limits.payload", self.payload, KI..=2 * GI),
            ("limits.inline", self.inline, 0..=MI),
            ("limits.stdout_result", self.stdout_result, KI..=64 * MI),
            ("limits.logs", self.logs, KI..=256 * MI),
            ("limits.artifact", self.artifact, KI..=16 * GI),
        ];
        sizes(problems, &bytes);
        counts(problems, &[("limits.max_lost", self.max_lost.into(), 0..=1000)]);
        let payload = Memory(self.payload);
        if self.buffered < self.payload {
            problems.push("limits.buffered", format!("must be at least limits.payload, which is {payload}"));
        }
        if self.inline > self.payload {
            problems.push("limits.inline", format!("must be at most limits.payload, which is {payload}"));
        }
    }
}

impl Section for Dispatcher {
    fn check(&self, problems: &mut Problems) {
        let durations = [
            ("dispatcher.lease", self.lease, seconds(3, 600)),
            ("dispatcher.record_flush", self.record_flush, millis(1, 100)),
            ("dispatcher.log_flush", self.log_flush, millis(10, 5000)),
        ];
        times(problems, &durations);
        sizes(problems, &[("dispatcher.log_buffer", self.log_buffer, MI..=16 * GI)]);
        let numbers = [
            ("dispatcher.slots", self.slots as u64, 1..=100_000),
            ("dispatcher.min_slots", self.min_slots as u64, 1..=100_000),
            ("dispatcher.default_concurrency", self.default_concurrency.into(), 1..=100_000),
            ("dispatcher.max_waiting", self.max_waiting as u64, 0..=1_000_000),
            ("dispatcher.record_buffer", self.record_buffer as u64, 1..=1_000_000),
        ];
        counts(problems, &numbers);
    }
}

impl Section for Retention {
    fn check(&self, problems: &mut Problems) {
        let durations = [
            ("retention.max_age", self.max_age, seconds(60, 100 * YEAR)),
            ("retention.every", self.every, seconds(1, 24 * HOUR)),
            ("retention.blob_min_age", self.blob_min_age, seconds(60, YEAR)),
        ];
        times(problems, &durations);
        counts(problems, &[("retention.max_count", self.max_count, 1..=1_000_000_000)]);
    }
}

impl Section for Process {
    fn check(&self, problems: &mut Problems) {
        let grace = Duration::ZERO..=ProcessConfig::MAX_GRACE;
        let durations = [
            ("process.idle_stop", self.idle_stop, seconds(1, YEAR)),
            ("process.kill_grace", self.kill_grace, grace),
        ];
        times(problems, &durations);
    }
}

impl Section for Container {
    fn check(&self, problems: &mut Problems) {
        let grace = Duration::ZERO..=ContainerConfig::MAX_GRACE;
        let durations = [
            ("container.idle_stop", self.idle_stop, seconds(1, YEAR)),
            ("container.kill_grace", self.kill_grace, grace),
        ];
        times(problems, &durations);
        counts(problems, &[("container.pids", self.pids.into(), 16..=1_000_000)]);
        pod_security(problems, "container.pod_security", &self.pod_security);
        if !self.socket.is_empty()
            && let Err(rule) = Sockets::parse(&self.socket)
        {
            problems.push("container.socket", format!("{rule}, is {:?}", self.socket));
        }
        if !ContainerConfig::may_be_network(&self.network) {
            let rule =
                "must be a network of the container engine, not one of the host or of another container";
            problems.push("container.network", format!("{rule}, is {:?}", self.network));
        }
    }
}

impl Section for Wasm {
    fn check(&self, problems: &mut Problems) {
        times(problems, &[("wasm.compile_timeout", self.compile_timeout, seconds(1, HOUR))]);
        let bytes = [("wasm.max_code", self.max_code, KI..=GI), ("wasm.cache", self.cache, MI..=1024 * GI)];
        sizes(problems, &bytes);
        counts(problems, &[("wasm.max_instances", self.max_instances.into(), 1..=10_000)]);
    }
}

/// Addresses to listen on, each with its key.
pub fn listeners(problems: &mut Problems, of: &[(&str, &str)]) {
    for (key, address) in of {
        if address.parse::<SocketAddr>().is_err() {
            let rule = "must be an address and a port such as 0.0.0.0:8080";
            problems.push(*key, format!("{rule}, is {address:?}"));
        }
    }
}

impl Section for Postgres {
    fn check(&self, problems: &mut Problems) {
        if self.url.expose().is_empty() {
            problems.push("postgres.url", "must be set, such as postgres://eventflow:…@host:5432/eventflow");
        }
        times(problems, &[("postgres.deadline", self.deadline, seconds(1, 300))]);
        let numbers = [
            ("postgres.writers", self.writers.into(), 1..=64),
            ("postgres.readers", self.readers.into(), 1..=256),
        ];
        counts(problems, &numbers);
    }
}

impl Section for Nats {
    fn check(&self, problems: &mut Problems) {
        let durations = [
            ("nats.ack_wait", self.ack_wait, seconds(1, 3600)),
            ("nats.check_every", self.check_every, seconds(1, 30)),
        ];
        times(problems, &durations);
        if self.servers.expose().is_empty() {
            problems.push("nats.servers", "must name at least one server");
        }
        if !matches!(self.replicas, 1 | 3 | 5) {
            problems.push("nats.replicas", format!("must be 1, 3 or 5, is {}", self.replicas));
        }
        if self.max_messages < 1 {
            problems.push("nats.max_messages", format!("must be at least 1, is {}", self.max_messages));
        }
    }
}

impl Section for Blobs {
    fn check(&self, problems: &mut Problems) {
        times(problems, &[("blobs.timeout", self.timeout, seconds(1, 300))]);
        counts(problems, &[("blobs.retries", self.retries as u64, 0..=20)]);
        match self.kind.as_str() {
            "folder" if self.folder.as_os_str().is_empty() => {
                problems.push("blobs.folder", "must be set to a folder that all replicas share");
            }
            "s3" => {
                let keys = [
                    ("blobs.bucket", self.bucket.is_empty()),
                    ("blobs.access_key", self.access_key.expose().is_empty()),
                    ("blobs.secret_key", self.secret_key.expose().is_empty()),
                ];
                for (key, _) in keys.iter().filter(|(_, missing)| *missing) {
                    problems.push(*key, "must be set where blobs.kind is s3");
                }
            }
            "folder" | "postgres" => {}
            other => problems.push("blobs.kind", format!("must be folder, s3 or postgres, is {other:?}")),
        }
    }
}

impl Section for Auth {
    fn check(&self, problems: &mut Problems) {
        if self.key_file.as_os_str().is_empty() {
            problems.push("auth.key_file", "must name the file with the installation's key");
        }
        if !matches!(self.dev_login.as_str(), "" | "cluster") {
            problems.push("auth.dev_login", format!("must be empty or \"cluster\", is {:?}", self.dev_login));
        }
    }
}

impl Section for Registry {
    fn check(&self, problems: &mut Problems) {
        if !matches!(self.kind.as_str(), "postgres" | "kubernetes") {
            problems.push("registry.kind", format!("must be postgres or kubernetes, is {:?}", self.kind));
        }
    }
}

impl Section for Kubernetes {
    fn check(&self, problems: &mut Problems) {
        let checks = [
            ("kubernetes.job_ttl", self.job_ttl, seconds(60, 7 * 24 * HOUR)),
            ("kubernetes.lease", self.lease, seconds(3, 300)),
            ("kubernetes.scale_every", self.scale_every, seconds(1, 60)),
            ("kubernetes.scale_window", self.scale_window, seconds(0, HOUR)),
            ("kubernetes.scale_to_zero_after", self.scale_to_zero_after, seconds(0, 24 * HOUR)),
        ];
        times(problems, &checks);
        pod_security(problems, "kubernetes.pod_security", &self.pod_security);
        if !self.transfer_url.is_empty() && !self.transfer_url.starts_with("http://") {
            let is = &self.transfer_url;
            problems.push("kubernetes.transfer_url", format!("must begin with http://, is {is:?}"));
        }
        for (key, name) in self
            .namespaces
            .iter()
            .map(|name| ("kubernetes.namespaces", name))
            .chain([("kubernetes.namespace", &self.namespace)])
        {
            if let Err(error) = name.parse::<Namespace>() {
                problems.push(key, format!("{error}, is {name:?}"));
            }
        }
    }
}

/// `service:port`, the name of a Service and that of one of its ports.
fn service(problems: &mut Problems, key: &str, value: &str) {
    let parts = value.split_once(':').filter(|(service, port)| !service.is_empty() && !port.is_empty());
    if parts.is_none() {
        problems.push(key, format!("must be service:port, both names, is {value:?}"));
    }
}

impl Section for Peers {
    fn check(&self, problems: &mut Problems) {
        if !self.dispatchers_service.is_empty() {
            service(problems, "peers.dispatchers_service", &self.dispatchers_service);
        } else if self.dispatchers.is_empty() {
            problems.push("peers.dispatchers", "must name at least one dispatcher, host:port");
        }
        if !self.apis_service.is_empty() {
            service(problems, "peers.apis_service", &self.apis_service);
        }
        for (key, peers) in [("peers.dispatchers", &self.dispatchers), ("peers.apis", &self.apis)] {
            for peer in peers {
                let port = peer.rsplit_once(':').filter(|(host, _)| !host.is_empty());
                if port.is_none_or(|(_, port)| port.parse::<u16>().is_err()) {
                    problems.push(key, format!("must be host:port, has {peer:?}"));
                }
            }
        }
    }
}

fn pod_security(problems: &mut Problems, key: &str, value: &str) {
    if !matches!(value, "restricted" | "baseline") {
        problems.push(key, format!("must be restricted or baseline, is {value:?}"));
    }
}

fn within<T: PartialOrd + Copy>(
    problems: &mut Problems,
    key: &str,
    value: T,
    range: RangeInclusive<T>,
    shown: impl Fn(T) -> String,
) {
    if !range.contains(&value) {
        let [least, most, is] = [*range.start(), *range.end(), value].map(&shown);
        problems.push(key, format!("must be from {least} to {most}, is {is}"));
    }
}
