//! One process that is started again whenever it ends, as Kubernetes does it.

use crate::rest::Rest;
use crate::wait::until;
use rustix::process::{Pid, Signal, kill_process};
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

/// Before a process that ended is started again.
const PAUSE: Duration = Duration::from_millis(200);
/// The same for one that ended soon after its start.
const BACKOFF: Duration = Duration::from_secs(1);
const SOON: Duration = Duration::from_secs(3);

/// A supervised process; ended with this.
#[derive(Debug)]
pub struct Replica {
    name: String,
    health: Rest,
    state: Arc<Mutex<State>>,
    supervisor: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct State {
    pid: Option<u32>,
    starts: u32,
    /// Whether it stays away when it ends.
    held: bool,
    /// How each life ended.
    ends: Vec<String>,
}

impl Replica {
    /// `health` is where it tells its readiness.
    pub(super) fn start(
        name: String,
        health: Rest,
        command: impl Fn() -> Command + Send + Sync + 'static,
    ) -> Self {
        let state = Arc::<Mutex<State>>::default();
        let supervisor = tokio::spawn(supervise(Arc::clone(&state), command));
        Self { name, health, state, supervisor }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Of its present life.
    pub fn pid(&self) -> Option<u32> {
        self.state().pid
    }

    pub fn starts(&self) -> u32 {
        self.state().starts
    }

    /// How its lives ended so far.
    pub fn ends(&self) -> Vec<String> {
        self.state().ends.clone()
    }

    /// Sends a signal, where it runs.
    pub fn signal(&self, which: Signal) {
        signal(&self.state, which);
    }

    /// SIGKILL; it is started again by itself.
    pub fn kill(&self) {
        self.signal(Signal::KILL);
    }

    /// The same, for who does not hold the fleet at that time.
    pub fn killer(&self) -> impl Fn() + Send + 'static {
        let state = Arc::clone(&self.state);
        move || signal(&state, Signal::KILL)
    }

    /// Kills it, and keeps it away until [`Self::release`]. Returns when it is gone.
    pub async fn take_away(&self) {
        self.state().held = true;
        self.signal(Signal::KILL);
        until("the end of a killed process", Duration::from_secs(10), async || {
            self.pid().is_none().then_some(())
        })
        .await;
    }

    pub fn release(&self) {
        self.state().held = false;
    }

    /// Whether it says that it is ready.
    pub async fn is_ready(&self) -> bool {
        let asked = self.health.request("GET", "/readyz").try_send();
        let answer = tokio::time::timeout(Duration::from_secs(1), asked).await;
        matches!(answer, Ok(Ok(answer)) if answer.status == 200)
    }

    /// Waits until it says so.
    pub async fn ready(&self, bound: Duration) {
        until(&format!("{} is ready", self.name), bound, async || self.is_ready().await.then_some(())).await;
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
        // Its child is killed with it.
        self.supervisor.abort();
    }
}

fn signal(state: &Mutex<State>, signal: Signal) {
    let pid = state.lock().unwrap().pid;
    if let Some(pid) = pid.and_then(|pid| Pid::from_raw(pid.cast_signed())) {
        // It may have ended by itself.
        let _ended = kill_process(pid, signal);
    }
}

async fn supervise(state: Arc<Mutex<State>>, command: impl Fn() -> Command + Send + Sync) {
    loop {
        if state.lock().unwrap().held {
            sleep(PAUSE / 10).await;
            continue;
        }
        let begun = Instant::now();
        let mut child = tokio::process::Command::from(command()).kill_on_drop(true).spawn().unwrap();
        {
            let mut state = state.lock().unwrap();
            state.pid = child.id();
            state.starts += 1;
        }
        let ended = child.wait().await;
        {
            let mut state = state.lock().unwrap();
            state.pid = None;
            state.ends.push(format!("{ended:?} after {:?}", begun.elapsed()));
        }
        sleep(if begun.elapsed() < SOON { BACKOFF } else { PAUSE }).await;
    }
}
