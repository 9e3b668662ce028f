//! From sections to what the rooms are told.

use crate::sections::{Container, Dispatcher, Gateway, Limits, Process, Retention, Wasm};
use eventflow_auth::origin::HostPolicy;
use eventflow_domain::Error;
use eventflow_domain::ports::{Blobs, Clock, Runtime};
use eventflow_domain::spec::PodSecurity;
use eventflow_gateway::GatewayConfig;
use eventflow_runtime_container::{ContainerConfig, ContainerRuntime, Installation, Sockets};
use eventflow_runtime_process::{Bounds, Launcher, Observer, ProcessConfig, ProcessRuntime};
use eventflow_runtime_wasm::{WasmConfig, WasmRuntime};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

impl From<&Limits> for eventflow_domain::limits::Limits {
    fn from(limits: &Limits) -> Self {
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

/// The dispatcher's settings; `sole` where no other process works on the same record.
pub fn dispatcher(
    dispatcher: &Dispatcher,
    retention: &Retention,
    limits: &Limits,
    grace: Duration,
    sole: bool,
) -> eventflow_dispatcher::Config {
    let defaults = eventflow_dispatcher::Config::default();
    eventflow_dispatcher::Config {
        slots: dispatcher.slots,
        min_slots: dispatcher.min_slots,
        default_concurrency: dispatcher.default_concurrency,
        max_waiting: dispatcher.max_waiting,
        lease: dispatcher.lease,
        record_flush: dispatcher.record_flush,
        record_buffer: dispatcher.record_buffer,
        log_flush: dispatcher.log_flush,
        log_buffer: usize::try_from(dispatcher.log_buffer).unwrap_or(usize::MAX),
        retain_every: retention.every,
        blob_min_age: retention.blob_min_age,
        retention: eventflow_domain::ports::Retention {
            max_age: retention.max_age,
            max_count: retention.max_count,
            ..defaults.retention
        },
        grace,
        limits: limits.into(),
        sole,
        ..defaults
    }
}

/// The gateway's settings; `loopback` where the listener is one.
pub fn gateway(gateway: &Gateway, limits: &Limits, loopback: bool) -> GatewayConfig {
    GatewayConfig {
        hosts: HostPolicy { loopback, hosts: gateway.hosts.clone(), origins: gateway.origins.clone() },
        payload_limit: limits.payload,
        artifact_limit: limits.artifact,
        buffered_limit: limits.buffered,
        max_wait: limits.max_wait,
        max_delay: limits.max_delay,
        request_timeout: gateway.request_timeout,
        body_timeout: gateway.body_timeout,
        body_idle: gateway.body_idle,
        keep_alive: gateway.keep_alive,
        ..GatewayConfig::default()
    }
}

/// The wasm runtime, its compiled code below `data`.
pub fn wasm(
    wasm: &Wasm,
    limits: &Limits,
    data: &Path,
    blobs: &Arc<dyn Blobs>,
    clock: &Arc<dyn Clock>,
) -> eventflow_domain::Result<Arc<dyn Runtime>> {
    let config = WasmConfig {
        max_instances: wasm.max_instances,
        max_code: wasm.max_code,
        cache_bytes: wasm.cache,
        compile_timeout: wasm.compile_timeout,
        limits: limits.into(),
        ..WasmConfig::new(data.join("wasm-cache"))
    };
    Ok(Arc::new(WasmRuntime::new(config, Arc::clone(blobs), Arc::clone(clock))?))
}

/// The process runtime, its scratch folders below `data`; children are started by `exec-child` of this program.
pub fn process(
    process: &Process,
    limits: &Limits,
    data: &Path,
    clock: &Arc<dyn Clock>,
    observer: Arc<dyn Observer>,
) -> eventflow_domain::Result<Arc<dyn Runtime>> {
    let limits = eventflow_domain::limits::Limits::from(limits);
    let config = ProcessConfig {
        base_env: ProcessConfig::base_env(std::env::vars_os()),
        idle_stop: process.idle_stop,
        kill_grace: process.kill_grace,
        bounds: Bounds::from(&limits),
        ..ProcessConfig::new(Launcher::this_program("exec-child"), data.join("run"))
    };
    Ok(Arc::new(ProcessRuntime::with_observer(config, Arc::clone(clock), observer)?))
}

/// The container runtime, and the future that keeps it. What tells its containers from others' lies below `data`, which
/// this process has for itself.
pub fn container(
    container: &Container,
    limits: &Limits,
    data: &Path,
    clock: &Arc<dyn Clock>,
    observer: Arc<dyn Observer>,
) -> eventflow_domain::Result<(Arc<ContainerRuntime>, impl Future<Output = ()> + Send + 'static)> {
    let sockets = Sockets::find(&container.socket, std::env::vars_os())
        .map_err(|problem| Error::invalid("container.socket", problem))?;
    let installation = Installation::open(&data.join("containers"))
        .map_err(|error| Error::internal("open the folder of the container runtime", error))?;
    let config = ContainerConfig {
        network: Some(container.network.clone()).filter(|network| !network.is_empty()),
        security: match container.pod_security.as_str() {
            "restricted" => PodSecurity::Restricted,
            _ => PodSecurity::Baseline,
        },
        pids: container.pids,
        idle_stop: container.idle_stop,
        kill_grace: container.kill_grace,
        bounds: eventflow_runtime_container::Bounds::from(&limits.into()),
        ..ContainerConfig::new(sockets, installation)
    };
    ContainerRuntime::new(config, Arc::clone(clock), observer)
}
