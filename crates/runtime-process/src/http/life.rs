//! The life of one copy: its start, its watch, its end.

use super::copy::Copy;
use super::output::Output;
use super::pool::Pool;
use crate::child::{self, Child, Control};
use crate::environment;
use crate::proc;
use crate::scratch::Scratch;
use eventflow_domain::FunctionVersion;
use eventflow_domain::invocation::{Failure, Reason};
use eventflow_domain::quantity::format_duration;
use eventflow_runtime_http::{Body, Connections};
use http::Request;
use http_body_util::{BodyExt as _, Empty};
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// A copy that has run for so long has not failed at its start.
const STABLE: Duration = Duration::from_secs(10);
/// Ports that are tried, where another program takes one before the copy does.
const PORTS: usize = 4;
const PROBE_PAUSE: Duration = Duration::from_millis(10);
const PROBE_PAUSE_MAX: Duration = Duration::from_millis(200);
const PROBE: Duration = Duration::from_secs(2);

/// Starts a copy and sees to it until it is gone.
pub(super) async fn live(pool: Arc<Pool>) {
    let (copy, mut control) = match Box::pin(start(&pool)).await {
        Ok(started) => started,
        Err(failure) => return pool.start_failed(&failure),
    };
    pool.came_up(&copy);
    let crash = {
        let followed = copy.output.follow();
        let watched = watch(&pool, &copy, &mut control);
        tokio::pin!(followed, watched);
        let mut open = true;
        loop {
            tokio::select! {
                crash = &mut watched => break crash,
                () = &mut followed, if open => open = false,
            }
        }
    };
    let crash = crash.map(|failure| explain(failure, &copy));
    copy.is_gone(crash.clone());
    control.farewell().await;
    pool.went_down(&copy, crash);
}

/// Until the copy is gone. `Some` where nobody asked it to go.
async fn watch(pool: &Arc<Pool>, copy: &Copy, control: &mut Control) -> Option<Failure> {
    let idle = tokio::time::sleep(pool.shared.config.idle_stop);
    let stable = tokio::time::sleep(STABLE);
    tokio::pin!(idle, stable);
    let mut proven = false;
    loop {
        tokio::select! {
            exit = control.ended() => {
                let memory = pool.state.lock().version.spec.resources.memory.0;
                let unasked = || Failure::new(Reason::ExitCode, "ended by itself with code 0 instead of serving");
                return Some(child::failure(exit, memory).unwrap_or_else(unasked));
            }
            () = copy.end.cancelled() => break,
            () = pool.shared.tasks.closing().cancelled() => break,
            () = &mut idle => match pool.idle_stop(copy) {
                Ok(()) => break,
                Err(again) => idle.as_mut().reset(again),
            },
            () = &mut stable, if !proven => {
                proven = true;
                pool.runs_well();
            }
        }
    }
    control.end().await;
    None
}

fn explain(mut failure: Failure, copy: &Copy) -> Failure {
    let last = copy.output.last_line();
    if !last.is_empty() {
        failure.message = format!("{}; its last words: {last}", failure.message);
    }
    failure
}

async fn start(pool: &Arc<Pool>) -> Result<(Arc<Copy>, Control), Failure> {
    let version = Arc::clone(&pool.state.lock().version);
    let deadline = Instant::now() + version.spec.start_deadline;
    let mut tries = 0;
    loop {
        let port = free_port()
            .map_err(|error| Failure::new(Reason::StartFailed, format!("no free port: {error}")))?;
        tries += 1;
        match start_on(pool, &version, port, deadline).await {
            // It did not come up and the port is another's: that was not its fault.
            Err(_) if tries < PORTS && is_taken(port) && !pool.is_closed() => {}
            started => return started,
        }
    }
}

async fn start_on(
    pool: &Arc<Pool>,
    version: &Arc<FunctionVersion>,
    port: u16,
    deadline: Instant,
) -> Result<(Arc<Copy>, Control), Failure> {
    let env = pool.state.lock().env.clone();
    let env = env.unwrap_or_else(|| {
        version.spec.env.iter().map(|(name, value)| environment::pair(name.as_str(), value)).collect()
    });
    let launched = {
        let (pool, version, env) = (Arc::clone(pool), Arc::clone(version), Arc::clone(&env));
        tokio::task::spawn_blocking(move || launch(&pool, &version, &env, port)).await
    };
    let cannot =
        |cause: String| Failure::new(Reason::Internal, format!("failed to start the launcher: {cause}"));
    let child =
        launched.map_err(|error| cannot(error.to_string()))?.map_err(|error| cannot(error.to_string()))?;
    let Child { mut control, stdout, stderr } = child;
    let started = tokio::time::timeout_at(deadline, control.started()).await;
    if let Err(failure) = started.unwrap_or_else(|_| Err(too_late(version))) {
        control.farewell().await;
        return Err(failure);
    }

    let connections =
        Arc::new(Connections::new((Ipv4Addr::LOCALHOST, port).into(), pool.shared.tasks.clone()));
    let output = Output::new(Arc::clone(version), Arc::clone(&pool.shared.observer), stdout, stderr);
    let copy = Arc::new(Copy::new(pool.shared.next_number(), env, connections, output));
    let early = {
        let closing = pool.shared.tasks.closing();
        let probed = probe(&copy, version.spec.probe_path.as_deref(), control.launcher());
        tokio::select! {
            () = probed => return Ok((copy, control)),
            exit = control.ended() => {
                let failure = child::failure(exit, version.spec.resources.memory.0);
                let how = failure.map_or_else(|| "exited with code 0".to_owned(), |failure| failure.message);
                Failure::new(Reason::StartFailed, format!("{how} before it listened on $PORT"))
            }
            () = tokio::time::sleep_until(deadline) => too_late(version),
            () = closing.cancelled() => Failure::new(Reason::RuntimeUnavailable, "EventFlow is shutting down"),
            () = follow_for_ever(&copy) => too_late(version),
        }
    };
    let early = explain(early, &copy);
    control.end().await;
    control.farewell().await;
    Err(early)
}

async fn follow_for_ever(copy: &Copy) {
    copy.output.follow().await;
    std::future::pending::<()>().await;
}

fn too_late(version: &FunctionVersion) -> Failure {
    let deadline = format_duration(version.spec.start_deadline);
    Failure::new(Reason::StartDeadline, format!("did not answer on $PORT within {deadline}"))
}

fn launch(pool: &Pool, version: &FunctionVersion, env: &[(String, String)], port: u16) -> io::Result<Child> {
    let shared = &pool.shared;
    let mut scratch = Scratch::create(&shared.scratch, &shared.unique_name())?;
    let mut env = environment::of_function(&shared.config.base_env, env, version, scratch.path());
    env.push(environment::pair("PORT", &port));
    let order = shared.order(&version.spec, env, scratch.path());
    Child::launch(&shared.config.launcher, &mut scratch, &order)
}

fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

fn is_taken(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .is_err_and(|error| error.kind() == io::ErrorKind::AddrInUse)
}

/// Returns when the copy accepts connections and, where a path is given, answers there with a status below 400. One
/// who answers on the port and is none of ours does not count.
async fn probe(copy: &Copy, path: Option<&str>, launcher: Option<i32>) {
    let mut pause = PROBE_PAUSE;
    loop {
        let answered = match path {
            None => copy.connections.connect().await.is_ok(),
            Some(path) => tokio::time::timeout(PROBE, answers(copy, path)).await.unwrap_or(false),
        };
        if answered && launcher.is_none_or(|root| proc::listens(root, copy.connections.address().port())) {
            return;
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PROBE_PAUSE_MAX);
    }
}

async fn answers(copy: &Copy, path: &str) -> bool {
    let body: Body = Empty::new().map_err(|never| match never {}).boxed_unsync();
    let host = format!("127.0.0.1:{}", copy.connections.address().port());
    let Ok(request) = Request::get(path).header(http::header::HOST, host).body(body) else { return false };
    matches!(copy.connections.send(request).await, Ok((response, _)) if response.status().as_u16() < 400)
}
