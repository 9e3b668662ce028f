//! A container in the hands of a run or of a warm copy: removed when they let go of it, however that comes about.

use crate::engine::status;
use crate::runtime::Shared;
use crate::{exit, sweep};
use bollard::Docker;
use bollard::query_parameters::KillContainerOptionsBuilder;
use parking_lot::Mutex;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

/// Between two looks whether a container has ended, the first; it doubles.
const LOOK: Duration = Duration::from_millis(5);
const LOOK_MAX: Duration = Duration::from_millis(100);
/// For the engine's answer to a signal.
const ASK: Duration = Duration::from_secs(1);
/// When a container is looked for whose making was given up: the engine may still be at it.
const MADE_LATE: [Duration; 3] = [Duration::ZERO, Duration::from_millis(500), Duration::from_secs(3)];

/// Names of containers that are somebody's.
#[derive(Debug, Default)]
pub(crate) struct Live(Mutex<HashSet<String>>);

impl Live {
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.lock().contains(name)
    }
}

/// A container from before it is made.
#[derive(Debug)]
pub(crate) struct Container {
    shared: Arc<Shared>,
    docker: Docker,
    pub(crate) name: String,
    /// The engine said that it is there.
    made: bool,
    /// User code may run in it: it is asked to end before it is made to.
    started: bool,
    removed: bool,
}

impl Container {
    pub(crate) fn new(shared: &Arc<Shared>, docker: &Docker, name: String) -> Self {
        shared.live.0.lock().insert(name.clone());
        Self {
            shared: Arc::clone(shared),
            docker: docker.clone(),
            name,
            made: false,
            started: false,
            removed: false,
        }
    }

    pub(crate) fn made(&mut self) {
        self.made = true;
    }

    /// There is nothing to remove.
    pub(crate) fn never_made(&mut self) {
        self.removed = true;
    }

    pub(crate) fn started(&mut self) {
        self.started = true;
    }

    /// It has ended.
    pub(crate) fn ended(&mut self) {
        self.started = false;
    }

    /// SIGTERM.
    pub(crate) async fn ask_to_end(&self) {
        terminate(&self.docker, &self.name).await;
    }

    /// Ends it and removes it with its volumes, and waits for that.
    pub(crate) async fn remove(mut self) {
        // Whoever drops this future leaves the rest to the drop.
        end(&self.shared, &self.docker, &self.name, self.made, self.started).await;
        self.removed = true;
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let (shared, name) = (Arc::clone(&self.shared), std::mem::take(&mut self.name));
        if self.removed {
            shared.live.0.lock().remove(&name);
            return;
        }
        let (docker, made, started) = (self.docker.clone(), self.made, self.started);
        let tasks = shared.tasks.clone();
        tasks.spawn(async move {
            end(&shared, &docker, &name, made, started).await;
            shared.live.0.lock().remove(&name);
        });
    }
}

async fn terminate(docker: &Docker, name: &str) {
    let term = KillContainerOptionsBuilder::new().signal("SIGTERM").build();
    // One that has ended meanwhile, or that is not there, needs none; an engine that does not answer helps nobody.
    let _ = tokio::time::timeout(ASK, docker.kill_container(name, Some(term))).await;
}

async fn end(shared: &Shared, docker: &Docker, name: &str, made: bool, started: bool) {
    if started {
        terminate(docker, name).await;
        let _ = tokio::time::timeout(shared.config.kill_grace, until_ended(docker, name)).await;
    }
    if made {
        return sweep::remove(docker, name).await;
    }
    for pause in MADE_LATE {
        tokio::time::sleep(pause).await;
        if exit::inspect(docker, name).await.is_ok() {
            return sweep::remove(docker, name).await;
        }
    }
}

/// Waits until it does not run, or is not there.
pub(crate) async fn until_ended(docker: &Docker, name: &str) {
    let mut pause = LOOK;
    loop {
        match docker.inspect_container(name, None).await {
            Ok(found) if found.state.as_ref().and_then(|state| state.running) == Some(false) => return,
            Err(error) if status(&error) == Some(404) => return,
            _ => {}
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LOOK_MAX);
    }
}
