//! The rules of a declaration: from what a person wrote ([`Draft`]) to a [`FunctionSpec`], with every broken rule
//! named by its field. The API, the CLI and the custom resource are read through this one place.

mod fields;
mod image;
mod pod;
mod policy;

use crate::error::Violation;
use crate::names::EnvName;
use crate::quantity::{Cpu, Memory};
use crate::spec::{
    EnvFrom, FunctionSpec, Mode, PodSecurity, RecordPolicy, Resources, ResultChannel, RuntimeKind, Scale,
    Toleration, UrlAccess,
};
use fields::{Checker, Range};
use std::collections::BTreeMap;
use std::time::Duration;

/// A declaration as written: nothing checked, nothing defaulted. Empty text = not said.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Draft {
    pub image: String,
    pub runtime: Option<RuntimeKind>,
    pub mode: Option<Mode>,
    pub command: Vec<String>,
    pub args: Vec<String>,
    pub env: BTreeMap<String, String>,
    pub env_from: Vec<DraftEnvFrom>,
    pub port: Option<i64>,
    pub replicas: Option<i64>,
    pub scaling: Option<DraftScaling>,
    pub cpu: String,
    pub memory: String,
    pub timeout: String,
    pub start_deadline: String,
    pub retry: Option<DraftRetry>,
    pub concurrency: Option<i64>,
    pub queue_max: Option<i64>,
    pub queue_max_age: String,
    pub egress: Vec<String>,
    pub url: Option<UrlAccess>,
    pub record: Option<RecordPolicy>,
    pub result: Option<ResultChannel>,
    pub probe_path: Option<String>,
    pub pod_security: Option<PodSecurity>,
    pub image_pull_secrets: Vec<String>,
    pub image_pull_policy: String,
    pub node_selector: BTreeMap<String, String>,
    pub tolerations: Vec<Toleration>,
    pub labels: BTreeMap<String, String>,
    pub annotations: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct DraftEnvFrom {
    pub secret: Option<String>,
    pub config: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct DraftScaling {
    pub min: Option<i64>,
    pub max: Option<i64>,
    pub concurrency: Option<i64>,
    pub cpu: Option<i64>,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct DraftRetry {
    pub max_attempts: i64,
    pub initial: String,
    pub max: String,
    pub factor: Option<f64>,
    pub jitter: Option<f64>,
}

/// Environment variables of a function, names and values together.
const ENV_BYTES: usize = 32 << 10;
/// Command and arguments together; the kernel's own limit is higher.
const ARGV_BYTES: usize = 128 << 10;
const ARGV_ITEMS: usize = 1000;

impl Draft {
    /// Checks all rules and applies the defaults. Every broken rule is reported, not only the first.
    pub fn validate(&self) -> Result<FunctionSpec, Vec<Violation>> {
        let mut check = Checker::default();
        let runtime = self.runtime.unwrap_or(RuntimeKind::Container);
        let by_port = if self.port.is_some() { Mode::Http } else { Mode::Job };
        let mode = self.mode.unwrap_or(by_port);
        let policy = self.policy(&mut check);
        let spec = FunctionSpec {
            runtime,
            mode,
            image: image::check(&mut check, runtime, &self.image),
            command: self.program(&mut check, runtime),
            args: argv(&mut check, "args", &self.args),
            env: self.env(&mut check),
            env_from: self.env_from(&mut check),
            port: self.port.and_then(|port| check.whole("port", port, 1..=65535)).map(|port| port as u16),
            scale: self.scale(&mut check, mode, runtime),
            resources: self.resources(&mut check),
            timeout: check.duration(
                "timeout",
                &self.timeout,
                FunctionSpec::DEFAULT_TIMEOUT,
                Range { min: Duration::from_secs(1), max: Duration::from_secs(24 * 3600) },
            ),
            start_deadline: check.duration(
                "startDeadline",
                &self.start_deadline,
                FunctionSpec::DEFAULT_START_DEADLINE,
                Range { min: Duration::from_secs(1), max: Duration::from_secs(3600) },
            ),
            retry: policy.retry,
            concurrency: policy.concurrency,
            queue: policy.queue,
            egress: self.egress.iter().enumerate().filter_map(|(i, text)| check.egress(i, text)).collect(),
            url: self.url.unwrap_or_default(),
            record: self.record.unwrap_or_default(),
            result: self.result.unwrap_or_default(),
            probe_path: self.probe(&mut check),
            pod: self.pod(&mut check),
        };
        if mode == Mode::Job && self.port.is_some() {
            check.add("port", "is for mode http; leave it out, or set mode to http");
        }
        check.finish(spec)
    }

    fn program(&self, check: &mut Checker, runtime: RuntimeKind) -> Vec<String> {
        if runtime == RuntimeKind::Process && self.command.first().is_none_or(String::is_empty) {
            check.add("command", "is required for runtime process: the program and its arguments");
        }
        argv(check, "command", &self.command)
    }

    fn env(&self, check: &mut Checker) -> BTreeMap<EnvName, String> {
        let total: usize = self.env.iter().map(|(name, value)| name.len() + value.len()).sum();
        if total > ENV_BYTES {
            check.add("env", format!("must have at most {ENV_BYTES} bytes in all, has {total}"));
        }
        let mut env = BTreeMap::new();
        for (name, value) in &self.env {
            let field = format!("env.{}", fields::shown(name));
            match name.parse::<EnvName>() {
                Err(error) => check.add(field, format!("the name {error}")),
                Ok(name) if name.is_reserved() => check.add(field, "is a name that EventFlow sets itself"),
                Ok(_) if value.contains('\0') => check.add(field, "the value must not contain NUL"),
                Ok(name) => {
                    env.insert(name, value.clone());
                }
            }
        }
        env
    }

    fn env_from(&self, check: &mut Checker) -> Vec<EnvFrom> {
        let mut sources = Vec::new();
        for (i, source) in self.env_from.iter().enumerate() {
            let field = format!("envFrom[{i}]");
            match (&source.secret, &source.config) {
                (Some(name), None) => {
                    sources
                        .extend(check.name(&format!("{field}.secretRef.name"), name).map(EnvFrom::SecretRef));
                }
                (None, Some(name)) => {
                    let field = format!("{field}.configMapRef.name");
                    sources.extend(check.name(&field, name).map(EnvFrom::ConfigMapRef));
                }
                _ => check.add(field, "must have exactly one of secretRef and configMapRef"),
            }
        }
        sources
    }

    fn scale(&self, check: &mut Checker, mode: Mode, runtime: RuntimeKind) -> Scale {
        // Wasm has no warm copies: an instance starts in microseconds.
        let default = u32::from(mode == Mode::Http && runtime != RuntimeKind::Wasm);
        let Some(scaling) = &self.scaling else {
            let replicas = self.replicas.and_then(|n| check.whole("replicas", n, 0..=1000));
            return Scale::Fixed(replicas.map_or(default, |n| n as u32));
        };
        if self.replicas.is_some() {
            check.add("replicas", "must not stand beside scaling: remove one of the two");
        }
        let mut whole = |field: &str, value: Option<i64>, default: i64, range| {
            value.map_or(Some(default), |n| check.whole(field, n, range)).unwrap_or(default) as u32
        };
        let min = whole("scaling.min", scaling.min, 0, 0..=1000);
        let max = whole("scaling.max", scaling.max, 20.max(i64::from(min)), 1..=1000);
        let concurrency = whole("scaling.concurrency", scaling.concurrency, 10, 1..=10_000);
        let cpu = scaling.cpu.map(|cpu| whole("scaling.cpu", Some(cpu), 80, 1..=100));
        if min > max {
            check.add("scaling.min", format!("must be at most scaling.max ({max}), is {min}"));
        }
        if cpu.is_some() && min == 0 {
            check.add("scaling.min", "must be at least 1 where scaling.cpu is set");
        }
        Scale::Auto { min, max, concurrency, cpu }
    }

    fn resources(&self, check: &mut Checker) -> Resources {
        let mut resources = Resources::default();
        if !self.cpu.is_empty() {
            match self.cpu.parse() {
                Ok(Cpu(millis @ 1..=256_000)) => resources.cpu = Cpu(millis),
                Ok(_) => check
                    .add("resources.cpu", format!("must be from 1m to 256, is {}", fields::shown(&self.cpu))),
                Err(error) => check.add("resources.cpu", error.to_string()),
            }
        }
        if !self.memory.is_empty() {
            const RANGE: std::ops::RangeInclusive<u64> = 1 << 20..=1 << 40;
            match self.memory.parse::<Memory>() {
                Ok(Memory(bytes)) if RANGE.contains(&bytes) => resources.memory = Memory(bytes),
                Ok(_) => {
                    check.add(
                        "resources.memory",
                        format!("must be from 1Mi to 1024Gi, is {}", fields::shown(&self.memory)),
                    );
                }
                Err(error) => check.add("resources.memory", error.to_string()),
            }
        }
        resources
    }

    fn probe(&self, check: &mut Checker) -> Option<String> {
        let path = self.probe_path.as_ref().filter(|path| !path.is_empty())?;
        let fine = path.starts_with('/') && path.len() <= 1024 && path.bytes().all(|b| b.is_ascii_graphic());
        if !fine {
            check.add(
                "probe.path",
                format!("must be a path such as \"/healthz\", is {:?}", fields::shown(path)),
            );
        }
        fine.then(|| path.clone())
    }
}

fn argv(check: &mut Checker, field: &str, words: &[String]) -> Vec<String> {
    let total: usize = words.iter().map(String::len).sum();
    if words.len() > ARGV_ITEMS || total > ARGV_BYTES {
        check.add(field, format!("must have at most {ARGV_ITEMS} entries and {ARGV_BYTES} bytes in all"));
    }
    if let Some(i) = words.iter().position(|word| word.contains('\0')) {
        check.add(format!("{field}[{i}]"), "must not contain NUL");
    }
    words.to_vec()
}

#[cfg(test)]
mod tests;
