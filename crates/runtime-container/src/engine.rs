//! The engine: which one answers, and what it can do.

use crate::config::ContainerConfig;
use crate::find::Address;
use crate::{sweep, verdict};
use bollard::errors::Error;
use bollard::models::SystemInfo;
use bollard::{API_DEFAULT_VERSION, Docker};
use eventflow_domain::invocation::{Failure, Reason};
use eventflow_runtime_http::warm::NotStarted;
use parking_lot::Mutex;
use std::error::Error as _;
use std::io;
use std::os::unix::fs::FileTypeExt as _;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// For a sign of life of one address.
const PING: Duration = Duration::from_secs(5);
/// For what it says of itself, on a machine that is busy.
const ASK: Duration = Duration::from_secs(20);
/// Longest wait for an answer of an engine at work: a start may take its time.
const ANSWER_SECONDS: u64 = 120;
/// While none answers, calls ask again no more often.
const AGAIN: Duration = Duration::from_secs(1);

/// An engine that answers.
#[derive(Debug)]
pub(crate) struct Connected {
    pub(crate) docker: Docker,
    pub(crate) about: About,
}

/// What is known of an engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct About {
    /// `engine 4.3.1 at /run/podman/podman.sock`
    pub(crate) name: String,
    pub(crate) limits: Limits,
    pub(crate) cpus: u32,
}

/// What an engine can limit: a rootless one over cgroup v1 can nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    pub(crate) memory: bool,
    pub(crate) swap: bool,
    pub(crate) cpu: bool,
    pub(crate) pids: bool,
}

impl About {
    fn new(address: &Address, info: &SystemInfo) -> Self {
        let can = |field: Option<bool>| field.unwrap_or(true);
        let version = info.server_version.as_deref().unwrap_or("of unknown version");
        Self {
            name: format!("engine {version} at {address}"),
            limits: Limits {
                memory: can(info.memory_limit),
                swap: can(info.swap_limit),
                cpu: can(info.cpu_cfs_quota),
                pids: can(info.pids_limit),
            },
            cpus: info
                .ncpu
                .and_then(|count| u32::try_from(count).ok())
                .filter(|count| *count > 0)
                .unwrap_or_else(processors),
        }
    }

    /// The limits that are not kept.
    pub(crate) fn lacks(&self) -> Vec<&'static str> {
        let Limits { memory, swap: _, cpu, pids } = self.limits;
        [("memory", memory), ("cpu", cpu), ("pids", pids)]
            .into_iter()
            .filter_map(|(name, kept)| (!kept).then_some(name))
            .collect()
    }
}

fn processors() -> u32 {
    std::thread::available_parallelism().map_or(1, |count| u32::try_from(count.get()).unwrap_or(1))
}

#[derive(Debug)]
enum State {
    Up(Arc<Connected>),
    Away { why: String, since: Instant },
}

/// Finds an engine, and finds it again when it was away.
#[derive(Debug)]
pub(crate) struct Engine {
    config: ContainerConfig,
    state: Mutex<State>,
    /// One at a time looks for an engine.
    looking: tokio::sync::Mutex<()>,
}

impl Engine {
    pub(crate) fn new(config: ContainerConfig) -> Self {
        let state = State::Away { why: "not looked for yet".to_owned(), since: long_ago() };
        Self { config, state: Mutex::new(state), looking: tokio::sync::Mutex::default() }
    }

    /// The engine, as far as is known.
    pub(crate) fn known(&self) -> Result<Arc<Connected>, String> {
        match &*self.state.lock() {
            State::Up(connected) => Ok(Arc::clone(connected)),
            State::Away { why, .. } => Err(why.clone()),
        }
    }

    /// The engine; where none was there, it is looked for again, at most once a second. What an earlier server left in
    /// it is gone by then.
    pub(crate) async fn get(&self) -> Result<Arc<Connected>, NotStarted> {
        self.look(AGAIN).await.map_err(|why| NotStarted {
            failure: Failure::new(Reason::RuntimeUnavailable, why),
            word: verdict::ENGINE_UNAVAILABLE,
        })
    }

    /// Whether the engine still answers, or does again.
    pub(crate) async fn check(&self) -> Result<Arc<Connected>, String> {
        if let Ok(connected) = self.known()
            && let Err(why) = ping(&connected.docker).await
        {
            tracing::warn!(
                engine = connected.about.name,
                why,
                "the container engine does not answer any more"
            );
            self.set_away(format!("{} does not answer: {why}", connected.about.name));
        }
        self.look(Duration::ZERO).await
    }

    /// An answer of the engine: one that did not come makes it be looked for anew.
    pub(crate) fn heard<T>(&self, answer: Result<T, Error>) -> Result<T, Error> {
        if let Err(error) = &answer
            && is_away(error)
        {
            self.set_away(told(error));
        }
        answer
    }

    /// Why nothing was started.
    pub(crate) fn refused(&self, error: &Error) -> NotStarted {
        if is_away(error) {
            self.set_away(told(error));
        }
        verdict::refused(error)
    }

    fn set_away(&self, why: String) {
        *self.state.lock() = State::Away { why, since: long_ago() };
    }

    async fn look(&self, pause: Duration) -> Result<Arc<Connected>, String> {
        let _one = self.looking.lock().await;
        match &*self.state.lock() {
            State::Up(connected) => return Ok(Arc::clone(connected)),
            State::Away { why, since } if since.elapsed() < pause => return Err(why.clone()),
            State::Away { .. } => {}
        }
        let found = self.find().await;
        let (state, answer) = match found {
            Ok(connected) => {
                let connected = Arc::new(connected);
                (State::Up(Arc::clone(&connected)), Ok(connected))
            }
            Err(why) => (State::Away { why: why.clone(), since: Instant::now() }, Err(why)),
        };
        *self.state.lock() = state;
        answer
    }

    async fn find(&self) -> Result<Connected, String> {
        let mut tried = Vec::new();
        for address in &self.config.sockets.0 {
            match connect(address).await {
                Ok(connected) => {
                    say(&connected.about);
                    sweep::of_earlier_servers(&connected.docker, &self.config.installation).await;
                    return Ok(connected);
                }
                Err(why) => tried.push(format!("{address} ({why})")),
            }
        }
        Err(format!(
            "container functions need Docker or Podman, and neither answers; tried {}. Start one (`systemctl --user \
             start podman.socket`, or Docker), or name its socket by container.socket",
            tried.join(", ")
        ))
    }
}

fn say(about: &About) {
    let lacks = about.lacks();
    if lacks.is_empty() {
        tracing::info!(engine = about.name, "container functions can run");
    } else {
        tracing::warn!(
            engine = about.name,
            without = lacks.join(", "),
            "container functions can run, but this engine does not keep these limits"
        );
    }
}

fn long_ago() -> Instant {
    let now = Instant::now();
    now.checked_sub(AGAIN).unwrap_or(now)
}

async fn connect(address: &Address) -> Result<Connected, String> {
    let docker = match address {
        Address::Unix(path) => {
            match std::fs::metadata(path) {
                Ok(found) if !found.file_type().is_socket() => return Err("no socket".to_owned()),
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Err("not there".to_owned()),
                _ => {}
            }
            Docker::connect_with_unix(&path.to_string_lossy(), ANSWER_SECONDS, API_DEFAULT_VERSION)
        }
        Address::Tcp(address) => {
            Docker::connect_with_http(&format!("http://{address}"), ANSWER_SECONDS, API_DEFAULT_VERSION)
        }
    };
    let docker = docker.map_err(|error| told(&error))?;
    ping(&docker).await?;
    // What it says of itself takes Podman some seconds on a busy machine; without it, all limits are asked for.
    let info = match tokio::time::timeout(ASK, docker.info()).await {
        Ok(Ok(info)) => info,
        Ok(Err(error)) => {
            tracing::debug!(
                error = told(&error),
                "a container engine says nothing of itself that we understand"
            );
            SystemInfo::default()
        }
        Err(_) => SystemInfo::default(),
    };
    let about = About::new(address, &info);
    Ok(Connected { docker, about })
}

async fn ping(docker: &Docker) -> Result<(), String> {
    match tokio::time::timeout(PING, docker.ping()).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(told(&error)),
        Err(_) => Err("does not answer".to_owned()),
    }
}

/// No answer came: the engine, or the way to it, is broken.
pub(crate) fn is_away(error: &Error) -> bool {
    !matches!(
        error,
        Error::DockerResponseServerError { .. }
            | Error::DockerStreamError { .. }
            | Error::DockerContainerWaitError { .. }
            | Error::JsonDataError { .. }
            | Error::JsonSerdeError { .. }
    )
}

/// The status of the engine's answer, where there was one.
pub(crate) fn status(error: &Error) -> Option<u16> {
    match error {
        Error::DockerResponseServerError { status_code, .. } => Some(*status_code),
        _ => None,
    }
}

/// What the engine said, or what kept it from saying something.
pub(crate) fn told(error: &Error) -> String {
    match error {
        Error::DockerResponseServerError { message, .. } => message.trim().to_owned(),
        Error::DockerStreamError { error } => error.trim().to_owned(),
        other => {
            let mut cause: &dyn std::error::Error = other;
            let mut denied = false;
            while let Some(next) = cause.source() {
                cause = next;
                denied |= cause
                    .downcast_ref::<io::Error>()
                    .is_some_and(|error| error.kind() == io::ErrorKind::PermissionDenied);
            }
            if denied {
                return "permission denied; join the group that may use it, or start a rootless Podman"
                    .to_owned();
            }
            if other.source().is_none() { other.to_string() } else { cause.to_string() }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_is_named_and_what_it_cannot_limit_is_known() {
        let address = Address::Unix("/run/e.sock".into());
        let info = SystemInfo {
            server_version: Some("4.3.1".to_owned()),
            memory_limit: Some(false),
            pids_limit: Some(true),
            ncpu: Some(2),
            ..SystemInfo::default()
        };
        let about = About::new(&address, &info);
        assert_eq!(about.name, "engine 4.3.1 at /run/e.sock");
        assert_eq!((about.lacks(), about.cpus), (vec!["memory"], 2));
    }
}
