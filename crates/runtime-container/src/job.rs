//! Job mode: a container for each attempt.

use crate::engine::Connected;
use crate::guard::{Container, until_ended};
use crate::object::Ground;
use crate::output::Printed;
use crate::runtime::Shared;
use crate::{archive, exit, images, object, verdict};
use bollard::Docker;
use bollard::errors::Error;
use bollard::models::{ContainerCreateBody, ContainerState};
use bollard::query_parameters::{CreateContainerOptionsBuilder, StartContainerOptions};
use eventflow_domain::Timestamp;
use eventflow_domain::invocation::{Content, Failure, Output, StartKind};
use eventflow_domain::logs::Stream;
use eventflow_domain::ports::{Call, LogSink, Ran};
use eventflow_domain::spec::ResultChannel;
use eventflow_runtime_http::Tail;
use eventflow_runtime_http::warm::NotStarted;
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// From the end of a container to the end of its output.
const LEFTOVER_OUTPUT: Duration = Duration::from_secs(2);
/// From the end of its grace to that of what it said in it.
const LAST_WORDS: Duration = Duration::from_millis(200);
/// A larger result file needs `result: file` in a cluster.
const INLINE_RESULT: usize = 4096;

pub(crate) async fn run(shared: &Arc<Shared>, call: Call, logs: &dyn LogSink) -> Ran {
    let mut ran = Ran {
        start: StartKind::Cold,
        started_at: shared.clock.now(),
        output: None,
        failure: None,
        exit_code: None,
    };
    match carry_out(shared, &call, logs, &mut ran.started_at, &mut ran.exit_code).await {
        Ok(content) => ran.output = Some(Output { content, status: None }),
        Err(failure) => ran.failure = Some(failure),
    }
    ran
}

/// A container at work.
struct Running {
    connected: Arc<Connected>,
    container: Container,
    printed: Printed,
}

async fn carry_out(
    shared: &Arc<Shared>,
    call: &Call,
    logs: &dyn LogSink,
    started_at: &mut Timestamp,
    exit_code: &mut Option<i32>,
) -> Result<Content, Failure> {
    let at = Mutex::new("looking for the engine");
    let started = tokio::time::timeout(call.start_deadline, start(shared, call, &at)).await;
    let mut running = started
        .map_err(|_| verdict::not_started(call.start_deadline, *at.lock()))?
        .map_err(|refused| refused.failure)?;
    *started_at = shared.clock.now();

    let mut tail = Tail::new(shared.config.bounds.stdout_result);
    let end = watch(shared, call, &mut running, logs, &mut tail).await;
    running.container.ended();
    let state = end?;
    *exit_code = verdict::exit_code(&state);
    if let Some(failure) = verdict::failure(&state, call.version.spec.resources.memory) {
        return Err(failure);
    }
    let Running { connected, container, .. } = &running;
    let limit = shared.config.bounds.result;
    let result = archive::take_result(&shared.engine, &connected.docker, &container.name, limit).await?;
    Ok(match result {
        Some(content) => {
            let inline = call.version.spec.result == ResultChannel::Inline;
            if inline && content.bytes.len() >= INLINE_RESULT {
                logs.write(
                    Stream::System,
                    b"in a cluster a result file of 4 KiB or more needs `result: file`\n",
                );
            }
            content
        }
        None => Content::guessed(tail.into_bytes().into()),
    })
}

async fn start(shared: &Arc<Shared>, call: &Call, at: &Mutex<&'static str>) -> Result<Running, NotStarted> {
    let connected = shared.engine.get().await?;
    *at.lock() = "its image was being pulled";
    let image = images::ensure(shared, &connected, &call.version).await?;
    *at.lock() = "its container was being made";
    let ground = Ground { config: &shared.config, about: &connected.about, image_user: &image.user };
    let body = object::job(ground, call).map_err(object::unfit)?;
    let docker = &connected.docker;
    let refused = |error: Error| shared.engine.refused(&error);
    let mut container = make(shared, docker, object::job_name(call), body).await?;
    archive::put_payload(docker, &container.name, &call.payload.bytes).await.map_err(refused)?;
    let printed = Printed::attach(docker, &container.name).await.map_err(refused)?;
    *at.lock() = "its container was being started";
    container.started();
    docker.start_container(&container.name, None::<StartContainerOptions>).await.map_err(refused)?;
    Ok(Running { connected, container, printed })
}

/// Makes a container. One of the name that an earlier try left goes first.
pub(crate) async fn make(
    shared: &Arc<Shared>,
    docker: &Docker,
    name: String,
    body: ContainerCreateBody,
) -> Result<Container, NotStarted> {
    let mut container = Container::new(shared, docker, name);
    let options = || Some(CreateContainerOptionsBuilder::new().name(&container.name).build());
    let mut made = docker.create_container(options(), body.clone()).await;
    if made.as_ref().is_err_and(|error| crate::engine::status(error) == Some(409)) {
        crate::sweep::remove_if_ours(docker, &container.name, &shared.config.installation).await;
        made = docker.create_container(options(), body).await;
    }
    match made {
        Ok(made) => {
            for warning in made.warnings {
                tracing::debug!(container = container.name, warning, "the container engine warns");
            }
            container.made();
            Ok(container)
        }
        Err(error) => {
            // An answer of the engine is its word that nothing was made.
            if crate::engine::status(&error).is_some() {
                container.never_made();
            }
            Err(shared.engine.refused(&error))
        }
    }
}

/// Until the container has ended, by itself or at its timeout. What it prints goes on as it comes.
async fn watch(
    shared: &Shared,
    call: &Call,
    running: &mut Running,
    logs: &dyn LogSink,
    tail: &mut Tail,
) -> Result<ContainerState, Failure> {
    let Running { connected, container, printed } = running;
    let closed = Notify::new();
    let printing = async {
        let whole = printed
            .drain(|stream, bytes| {
                logs.write(stream, bytes);
                if stream == Stream::Stdout {
                    tail.push(bytes);
                }
            })
            .await;
        closed.notify_one();
        whole
    };
    let ending = async {
        let ended = exit::of(&shared.engine, &connected.docker, &container.name, closed.notified());
        if let Ok(ended) = tokio::time::timeout(call.timeout, ended).await {
            return ended;
        }
        container.ask_to_end().await;
        let ended = until_ended(&connected.docker, &container.name);
        let _ = tokio::time::timeout(shared.config.kill_grace, ended).await;
        Err(verdict::timed_out(call.timeout))
    };
    tokio::pin!(printing, ending);
    let mut whole = None;
    let end = loop {
        tokio::select! {
            end = &mut ending => break end,
            all = &mut printing, if whole.is_none() => whole = Some(all),
        }
    };
    if whole.is_none() {
        // At a timeout it may still print, until it is removed; what it said in its grace is on its way.
        let patience = if end.is_ok() { LEFTOVER_OUTPUT } else { LAST_WORDS };
        whole = tokio::time::timeout(patience, printing).await.ok();
    }
    if end.is_ok() && whole != Some(true) {
        logs.write(Stream::System, b"the log may be partial: the connection to the container engine broke\n");
    }
    end
}
