//! Waiting for the end of a container.

use crate::engine::{Engine, is_away, status, told};
use crate::verdict;
use bollard::Docker;
use bollard::errors::Error;
use bollard::models::{ContainerInspectResponse, ContainerState, ContainerStateStatusEnum};
use bollard::query_parameters::WaitContainerOptions;
use eventflow_domain::invocation::Failure;
use futures::StreamExt as _;
use std::time::Duration;
use tokio::time::Instant;

/// Between two looks, the first; it doubles. Most containers end with their output, a moment before the engine says so.
const LOOK: Duration = Duration::from_millis(5);
const LOOK_MAX: Duration = Duration::from_secs(1);
/// Looks whether a killed container is being removed.
const REMOVALS: u32 = 5;
/// How long a container may be in a state that cannot be read.
const BETWEEN: Duration = Duration::from_secs(5);
/// An engine that restarts is back by then, or what it ran is given up.
const AWAY: Duration = Duration::from_secs(15);

/// Waits until the container has ended. `printed` completes when its output has, which wakes us before an engine that
/// looks but a few times a second. `Err` where nobody will know how it ended.
pub(crate) async fn of(
    engine: &Engine,
    docker: &Docker,
    container: &str,
    printed: impl Future<Output = ()>,
) -> Result<ContainerState, Failure> {
    let mut waiting = docker.wait_container(container, None::<WaitContainerOptions>);
    let mut open = true;
    tokio::select! {
        _ = waiting.next() => open = false,
        () = printed => {}
    }
    let (mut pause, mut away_since) = (LOOK, None);
    loop {
        match engine.heard(docker.inspect_container(container, None).await) {
            Ok(found) => {
                away_since = None;
                if let Some(state) = found.state.filter(has_ended) {
                    return killed_or_removed(docker, container, state).await;
                }
            }
            Err(error) if status(&error) == Some(404) => return Err(verdict::taken_away()),
            Err(error) if is_away(&error) => {
                let since: Instant = *away_since.get_or_insert_with(Instant::now);
                if since.elapsed() > AWAY {
                    return Err(verdict::lost(&told(&error)));
                }
            }
            Err(error) => tracing::debug!(container, error = told(&error), "cannot look at a container"),
        }
        tokio::select! {
            _ = waiting.next(), if open => open = false,
            () = tokio::time::sleep(pause) => {}
        }
        pause = (pause * 2).min(LOOK_MAX);
    }
}

/// Whoever removes a running container kills it first: what was killed may be gone a moment later.
async fn killed_or_removed(
    docker: &Docker,
    container: &str,
    state: ContainerState,
) -> Result<ContainerState, Failure> {
    let killed = verdict::exit_code(&state) == Some(verdict::SIGKILLED) && state.oom_killed != Some(true);
    let looks = if killed { REMOVALS } else { 0 };
    for _ in 0..looks {
        tokio::time::sleep(LOOK * 20).await;
        if inspect(docker, container).await.is_err_and(|error| status(&error) == Some(404)) {
            return Err(verdict::taken_away());
        }
    }
    Ok(state)
}

/// What the engine knows of a container. Podman has states between two of Docker's, which cannot be read: it is asked
/// again then.
pub(crate) async fn inspect(docker: &Docker, container: &str) -> Result<ContainerInspectResponse, Error> {
    let deadline = Instant::now() + BETWEEN;
    loop {
        match docker.inspect_container(container, None).await {
            Err(Error::JsonDataError { .. } | Error::JsonSerdeError { .. }) if Instant::now() < deadline => {
                tokio::time::sleep(LOOK * 4).await;
            }
            answer => return answer,
        }
    }
}

fn has_ended(state: &ContainerState) -> bool {
    let waits = matches!(
        state.status,
        Some(
            ContainerStateStatusEnum::CREATED
                | ContainerStateStatusEnum::RESTARTING
                | ContainerStateStatusEnum::PAUSED
        )
    );
    state.running == Some(false) && !waits
}
