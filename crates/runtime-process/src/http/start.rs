//! The start of one copy, and the hold on it.

use super::output::Piped;
use crate::child::{self, Child, Control};
use crate::environment;
use crate::proc;
use crate::runtime::Shared;
use crate::scratch::Scratch;
use async_trait::async_trait;
use eventflow_domain::FunctionVersion;
use eventflow_domain::invocation::{Failure, Reason};
use eventflow_runtime_http::Connections;
use eventflow_runtime_http::warm::{Held, NotStarted, Output, Probe, Start, Started, Wish, too_late};
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;

/// Ports that are tried, where another program takes one before the copy does.
const PORTS: usize = 4;

/// Starts copies of commands.
#[derive(Debug)]
pub(crate) struct Commands(pub(crate) Arc<Shared>);

#[async_trait]
impl Start for Commands {
    async fn start(&self, wish: &Wish) -> Result<Started, NotStarted> {
        let mut tries = 0;
        loop {
            let port = free_port()
                .map_err(|error| Failure::new(Reason::StartFailed, format!("no free port: {error}")))?;
            tries += 1;
            match start_on(&self.0, wish, port).await {
                // It did not come up and the port is another's: that was not its fault.
                Err(_) if tries < PORTS && is_taken(port) && !self.0.tasks.closing().is_cancelled() => {}
                started => return Ok(started?),
            }
        }
    }
}

async fn start_on(shared: &Arc<Shared>, wish: &Wish, port: u16) -> Result<Started, Failure> {
    let version = &wish.version;
    let launched = {
        let (shared, wish) = (Arc::clone(shared), wish.clone());
        tokio::task::spawn_blocking(move || launch(&shared, &wish, port)).await
    };
    let cannot =
        |cause: String| Failure::new(Reason::Internal, format!("failed to start the launcher: {cause}"));
    let child =
        launched.map_err(|error| cannot(error.to_string()))?.map_err(|error| cannot(error.to_string()))?;
    let Child { mut control, stdout, stderr } = child;
    let started = tokio::time::timeout_at(wish.deadline, control.started()).await;
    if let Err(failure) = started.unwrap_or_else(|_| Err(too_late(version))) {
        control.farewell().await;
        return Err(failure);
    }

    let connections = Arc::new(Connections::new((Ipv4Addr::LOCALHOST, port).into(), shared.tasks.clone()));
    let output: Arc<dyn Output> =
        Arc::new(Piped::new(Arc::clone(version), Arc::clone(&shared.observer), stdout, stderr));
    let launcher = control.launcher();
    let memory = version.spec.resources.memory.0;
    let early = {
        let closing = shared.tasks.closing();
        let path = version.spec.probe_path.as_deref();
        let probe = Probe { connections: &connections, path, behind_proxy: false };
        let ours = || launcher.is_none_or(|root| proc::listens(root, port));
        tokio::select! {
            () = probe.passes(ours) => {
                return Ok(Started { connections, output, held: Box::new(Command { control, memory }) });
            }
            exit = control.ended() => {
                let failure = child::failure(exit, memory);
                let how = failure.map_or_else(|| "exited with code 0".to_owned(), |failure| failure.message);
                Failure::new(Reason::StartFailed, format!("{how} before it listened on $PORT"))
            }
            () = tokio::time::sleep_until(wish.deadline) => too_late(version),
            () = closing.cancelled() => Failure::new(Reason::RuntimeUnavailable, "EventFlow is shutting down"),
            () = follow_for_ever(output.as_ref()) => too_late(version),
        }
    };
    let early = output.explain(early);
    control.end().await;
    control.farewell().await;
    Err(early)
}

async fn follow_for_ever(output: &dyn Output) {
    output.follow().await;
    std::future::pending::<()>().await;
}

fn launch(shared: &Shared, wish: &Wish, port: u16) -> io::Result<Child> {
    let version: &FunctionVersion = &wish.version;
    let mut scratch = Scratch::create(&shared.scratch, &shared.unique_name())?;
    let mut env = environment::of_function(&shared.config.base_env, &wish.env, version, scratch.path());
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

/// A command that serves.
#[derive(Debug)]
struct Command {
    control: Control,
    memory: u64,
}

#[async_trait]
impl Held for Command {
    async fn ended(&mut self) -> Failure {
        let exit = self.control.ended().await;
        let unasked = || Failure::new(Reason::ExitCode, "ended by itself with code 0 instead of serving");
        child::failure(exit, self.memory).unwrap_or_else(unasked)
    }

    async fn end(&mut self) {
        self.control.end().await;
    }

    async fn farewell(self: Box<Self>) {
        self.control.farewell().await;
    }
}
