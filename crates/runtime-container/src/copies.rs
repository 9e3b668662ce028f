//! Http mode: warm containers, each with a port of its own on loopback.

use crate::engine::Connected;
use crate::guard::{Container, until_ended};
use crate::object::Ground;
use crate::output::{Attached, Printed};
use crate::runtime::Shared;
use crate::verdict::{self, CONTAINER_FAILED};
use crate::{exit, images, job, object};
use async_trait::async_trait;
use bollard::Docker;
use bollard::models::ContainerState;
use bollard::query_parameters::StartContainerOptions;
use eventflow_domain::FunctionVersion;
use eventflow_domain::invocation::{Failure, Reason};
use eventflow_domain::quantity::Memory;
use eventflow_runtime_http::Connections;
use eventflow_runtime_http::warm::{Held, NotStarted, Output, Probe, Start, Started, Wish, too_late};
use parking_lot::Mutex;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// From the end of a container to the end of its output.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// Starts warm containers.
#[derive(Debug)]
pub(crate) struct Copies(pub(crate) Arc<Shared>);

/// A container that was started, and does not serve yet.
struct Born {
    held: Warm,
    output: Arc<Attached>,
    connections: Arc<Connections>,
}

#[async_trait]
impl Start for Copies {
    async fn start(&self, wish: &Wish) -> Result<Started, NotStarted> {
        let shared = &self.0;
        let at = Mutex::new("looking for the engine");
        let closing = shared.tasks.closing();
        let going = || Failure::new(Reason::RuntimeUnavailable, "EventFlow is shutting down");
        let born = tokio::select! {
            born = tokio::time::timeout_at(wish.deadline, bear(shared, wish, &at)) => {
                born.map_err(|_| verdict::not_started(wish.version.spec.start_deadline, *at.lock()))??
            }
            () = closing.cancelled() => return Err(going().into()),
        };
        let Born { mut held, output, connections } = born;
        let path = wish.version.spec.probe_path.as_deref();
        let probe = Probe { connections: &connections, path, behind_proxy: true };
        let early = tokio::select! {
            () = probe.passes(|| true) => {
                let output: Arc<dyn Output> = output;
                return Ok(Started { connections, output, held: Box::new(held) });
            }
            state = held.exited() => held.before_it_listened(state),
            () = tokio::time::sleep_until(wish.deadline) => too_late(&wish.version),
            () = closing.cancelled() => going(),
            () = follow_for_ever(output.as_ref()) => too_late(&wish.version),
        };
        let output: &dyn Output = output.as_ref();
        let early = output.explain(early);
        held.end().await;
        Box::new(held).farewell().await;
        Err(early.into())
    }
}

async fn follow_for_ever(output: &dyn Output) {
    output.follow().await;
    std::future::pending::<()>().await;
}

async fn bear(shared: &Arc<Shared>, wish: &Wish, at: &Mutex<&'static str>) -> Result<Born, NotStarted> {
    let version = &wish.version;
    let connected = shared.engine.get().await?;
    *at.lock() = "its image was being pulled";
    let image = images::ensure(shared, &connected, version).await?;
    *at.lock() = "its container was being started";
    let ground = Ground { config: &shared.config, about: &connected.about, image_user: &image.user };
    let body = object::copy(ground, version, &wish.env).map_err(object::unfit)?;
    let random = Uuid::new_v4().simple().to_string();
    let name = format!("fn-{}-v{}-{}", version.key.name, version.number, random.get(..8).unwrap_or(&random));
    let docker = &connected.docker;
    let refused = |error| shared.engine.refused(&error);
    let mut container = job::make(shared, docker, name, body).await?;
    let printed = Printed::attach(docker, &container.name).await.map_err(refused)?;
    container.started();
    docker.start_container(&container.name, None::<StartContainerOptions>).await.map_err(refused)?;
    let output = Arc::new(Attached::new(Arc::clone(version), Arc::clone(&shared.observer), printed));
    let port = match published(docker, &container.name, version).await {
        Ok(port) => port,
        Err(refused) => {
            // It may have ended already: its last words say why.
            let _ = tokio::time::timeout(LAST_WORDS, output.follow()).await;
            let output: &dyn Output = output.as_ref();
            return Err(NotStarted { failure: output.explain(refused.failure), ..refused });
        }
    };
    let connections = Arc::new(Connections::new((Ipv4Addr::LOCALHOST, port).into(), shared.tasks.clone()));
    let held = Warm {
        shared: Arc::clone(shared),
        connected,
        container,
        output: Arc::clone(&output),
        memory: version.spec.resources.memory,
    };
    Ok(Born { held, output, connections })
}

/// The port of this machine that leads to the copy's.
async fn published(docker: &Docker, container: &str, version: &FunctionVersion) -> Result<u16, NotStarted> {
    let found = exit::inspect(docker, container).await.map_err(|error| verdict::refused(&error))?;
    let ended =
        found.state.as_ref().filter(|state| state.running == Some(false)).and_then(|state| state.exit_code);
    let ports = found.network_settings.and_then(|network| network.ports).unwrap_or_default();
    let bound = ports.get(&format!("{}/tcp", object::port(version))).cloned().flatten().unwrap_or_default();
    let port = bound.into_iter().find_map(|bound| bound.host_port?.parse().ok().filter(|port| *port > 0));
    port.ok_or_else(|| {
        let Some(code) = ended else {
            let text = "the container engine published no port; is its network set up?";
            return NotStarted { failure: Failure::new(Reason::StartFailed, text), word: CONTAINER_FAILED };
        };
        let text = format!("ended with exit code {code} before it listened on $PORT");
        Failure::new(Reason::StartFailed, text).into()
    })
}

/// A container that serves.
#[derive(Debug)]
struct Warm {
    shared: Arc<Shared>,
    connected: Arc<Connected>,
    container: Container,
    output: Arc<Attached>,
    memory: Memory,
}

impl Warm {
    async fn exited(&self) -> Result<ContainerState, Failure> {
        let over = self.output.over();
        let ended =
            exit::of(&self.shared.engine, &self.connected.docker, &self.container.name, over.cancelled())
                .await;
        let _ = tokio::time::timeout(LAST_WORDS, over.cancelled()).await;
        ended
    }

    fn before_it_listened(&mut self, state: Result<ContainerState, Failure>) -> Failure {
        self.container.ended();
        let failed = state.map(|state| verdict::failure(&state, self.memory));
        match failed {
            Err(failure) => failure,
            Ok(Some(failure)) if failure.reason == Reason::OutOfMemory => failure,
            Ok(failure) => {
                let how = failure.map_or_else(|| "exit code 0".to_owned(), |failure| failure.message);
                Failure::new(Reason::StartFailed, format!("ended with {how} before it listened on $PORT"))
            }
        }
    }
}

#[async_trait]
impl Held for Warm {
    async fn ended(&mut self) -> Failure {
        let state = self.exited().await;
        self.container.ended();
        let unasked = || Failure::new(Reason::ExitCode, "ended by itself with code 0 instead of serving");
        state.map_or_else(
            |failure| failure,
            |state| verdict::failure(&state, self.memory).unwrap_or_else(unasked),
        )
    }

    async fn end(&mut self) {
        self.container.ask_to_end().await;
        let ended = until_ended(&self.connected.docker, &self.container.name);
        let _ = tokio::time::timeout(self.shared.config.kill_grace, ended).await;
        self.container.ended();
    }

    async fn farewell(self: Box<Self>) {
        self.container.remove().await;
    }
}
