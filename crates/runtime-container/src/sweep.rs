//! What is nobody's in the engine: containers of an earlier server of this installation, and those of ours that no run
//! knows of, since the answer to their making, or to their removal, never came.

use crate::engine::{Engine, status, told};
use crate::exit;
use crate::guard::Live;
use crate::installation::Installation;
use crate::object::{INSTALLATION, SERVER};
use bollard::Docker;
use bollard::errors::Error;
use bollard::models::ContainerSummary;
use bollard::query_parameters::{ListContainersOptionsBuilder, RemoveContainerOptionsBuilder};
use futures::StreamExt as _;
use std::collections::HashMap;
use std::time::Duration;

/// Containers removed at once.
const AT_ONCE: usize = 8;
/// For all that an earlier server left, at a first connection.
const PATIENCE: Duration = Duration::from_secs(20);
/// For one removal.
const ASK: Duration = Duration::from_secs(15);
/// Tries for each.
const TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_millis(200);

/// Removes what earlier servers left. What cannot be removed in time is left to the next sweep.
pub(crate) async fn of_earlier_servers(docker: &Docker, installation: &Installation) {
    let swept =
        tokio::time::timeout(PATIENCE, sweep(docker, installation, |server, _| server < installation.server));
    match swept.await {
        Ok(Ok(0)) => {}
        Ok(Ok(count)) => tracing::warn!(count, "removed containers that an earlier server had left behind"),
        Ok(Err(error)) => {
            tracing::warn!(error = told(&error), "cannot look for containers that were left behind");
        }
        Err(_) => tracing::warn!("containers that were left behind could not all be removed in time"),
    }
}

/// Removes what is nobody's, again and again.
pub(crate) async fn for_ever(engine: &Engine, installation: &Installation, live: &Live, every: Duration) {
    // A container is live before it is made and until it is removed: what is seen twice without being so is nobody's.
    let mut suspects: Vec<String> = Vec::new();
    loop {
        tokio::time::sleep(every).await;
        let Ok(connected) = engine.known() else { continue };
        let mut seen = Vec::new();
        let swept = sweep(&connected.docker, installation, |server, name| {
            if server != installation.server {
                return server < installation.server;
            }
            let nobodys = !live.has(name);
            let again = nobodys && suspects.iter().any(|suspect| suspect == name);
            if nobodys && !again {
                seen.push(name.to_owned());
            }
            again
        });
        match swept.await {
            Ok(0) => {}
            Ok(count) => tracing::warn!(count, "removed containers that belonged to no run"),
            Err(error) => {
                tracing::debug!(error = told(&error), "cannot look for containers that are nobody's");
            }
        }
        suspects = seen;
    }
}

async fn sweep(
    docker: &Docker,
    installation: &Installation,
    mut is_left: impl FnMut(u64, &str) -> bool,
) -> Result<usize, Error> {
    let ours = format!("{INSTALLATION}={}", installation.id);
    let filters = HashMap::from([("label", vec![ours.as_str()])]);
    let options = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
    let found = docker.list_containers(Some(options)).await?;
    let left: Vec<String> = found
        .into_iter()
        .filter(|container| marks(container).is_some_and(|(server, name)| is_left(server, name)))
        .filter_map(|container| container.id)
        .collect();
    let count = left.len();
    futures::stream::iter(left)
        .for_each_concurrent(AT_ONCE, |id| async move { remove(docker, &id).await })
        .await;
    Ok(count)
}

/// Which server made it, and its name.
fn marks(container: &ContainerSummary) -> Option<(u64, &str)> {
    let server = container.labels.as_ref()?.get(SERVER)?.parse().ok()?;
    Some((server, container.names.as_ref()?.first()?.trim_start_matches('/')))
}

/// Removes a container of this name if this installation made it.
pub(crate) async fn remove_if_ours(docker: &Docker, name: &str, installation: &Installation) {
    let Ok(found) = exit::inspect(docker, name).await else { return };
    let labels = found.config.and_then(|config| config.labels).unwrap_or_default();
    if labels.get(INSTALLATION) == Some(&installation.id) {
        remove(docker, name).await;
    }
}

/// Kills a container and removes it with its volumes. One that is not there is fine.
pub(crate) async fn remove(docker: &Docker, container: &str) {
    let mut pause = PAUSE;
    for _ in 0..TRIES {
        let options = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
        match tokio::time::timeout(ASK, docker.remove_container(container, Some(options))).await {
            Ok(Ok(())) => return,
            Ok(Err(error)) if status(&error) == Some(404) => return,
            Ok(Err(error)) => {
                tracing::debug!(container, error = told(&error), "cannot remove a container, trying again");
            }
            Err(_) => tracing::debug!(container, "cannot remove a container in time, trying again"),
        }
        tokio::time::sleep(pause).await;
        pause *= 2;
    }
    tracing::warn!(container, "a container could not be removed; it is tried again later");
}
