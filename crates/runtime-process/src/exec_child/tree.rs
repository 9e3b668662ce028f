//! Ending everything that came of the command.

use crate::proc;
use rustix::process::{
    Pid, Signal, WaitOptions, WaitStatus, getpgid, getpid, kill_process, kill_process_group, wait,
};
use std::thread;
use std::time::Duration;

/// How long SIGKILL is repeated against a tree that goes on forking. Only what the kernel itself holds (a dead
/// network file system) survives it.
const KILL: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(2);

/// What is left of the launcher's children.
#[derive(Debug, Default)]
pub(super) struct Reaped {
    /// How the command itself ended, if it is among those reaped now.
    pub(super) command: Option<WaitStatus>,
    pub(super) none_left: bool,
}

/// Collects all that have ended: the command, and orphans that the kernel gave to us.
pub(super) fn reap(command: Pid) -> Reaped {
    let mut reaped = Reaped::default();
    loop {
        match wait(WaitOptions::NOHANG) {
            Ok(Some((pid, status))) if pid == command => reaped.command = Some(status),
            Ok(Some(_)) | Err(rustix::io::Errno::INTR) => {}
            Ok(None) => return reaped,
            Err(_) => return Reaped { none_left: true, ..reaped },
        }
    }
}

/// SIGTERM to all, SIGKILL to those left after `grace`. Returns how the command ended, if it had not before.
pub(super) fn end(command: Pid, grace: Duration) -> Option<WaitStatus> {
    signal(command, Signal::TERM);
    match drain(command, grace, || {}) {
        (status, true) => status,
        (status, false) => {
            let killed = kill(command);
            status.or(killed)
        }
    }
}

/// SIGKILL to all, again and again until none is left.
pub(super) fn kill(command: Pid) -> Option<WaitStatus> {
    drain(command, KILL, || signal(command, Signal::KILL)).0
}

fn drain(command: Pid, patience: Duration, mut again: impl FnMut()) -> (Option<WaitStatus>, bool) {
    let mut status = None;
    let mut waited = Duration::ZERO;
    loop {
        again();
        let reaped = reap(command);
        status = status.or(reaped.command);
        if reaped.none_left || waited >= patience {
            return (status, reaped.none_left);
        }
        thread::sleep(PAUSE);
        waited += PAUSE;
    }
}

fn signal(command: Pid, signal: Signal) {
    // In one step for the group, so that one that forks meanwhile gains nothing; then those who left it.
    let _ = kill_process_group(command, signal);
    for pid in proc::descendants(getpid().as_raw_pid()) {
        let outside = |pid: &Pid| getpgid(Some(*pid)).is_ok_and(|group| group != command);
        if let Some(pid) = Pid::from_raw(pid).filter(outside) {
            let _ = kill_process(pid, signal);
        }
    }
}
