//! Watching over a running command.

use super::tree;
use crate::proc;
use crate::wire::{Exit, Order};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, WaitStatus, getpid, pidfd_open};
use std::io::Read as _;
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// How long the server may take to collect the result after the end.
pub(super) const HANDOVER: Duration = Duration::from_mins(1);

/// Memory is looked at this often, and more often where it is more than half of what is allowed: the most that can
/// be taken between two looks is what a process can touch in that time.
const CALM: Duration = Duration::from_millis(100);
const TENSE: Duration = Duration::from_millis(20);
/// Longest pause where the kernel cannot tell us of the command's end.
const WITHOUT_PIDFD: Duration = Duration::from_millis(5);

/// Until the command has ended of itself, ran over its memory, or is to be ended.
pub(super) fn watch(control: &UnixStream, command: Pid, order: &Order) -> Exit {
    let pidfd = pidfd_open(command, PidfdFlags::empty()).ok();
    // The first look comes soon: a hog needs little time.
    let mut pause = TENSE;
    loop {
        let tick = if pidfd.is_some() { pause } else { pause.min(WITHOUT_PIDFD) };
        let mut fds = vec![PollFd::new(control, PollFlags::IN)];
        fds.extend(pidfd.as_ref().map(|pidfd| PollFd::new(pidfd, PollFlags::IN)));
        let timeout = Timespec { tv_sec: 0, tv_nsec: i64::from(tick.subsec_nanos()) };
        let _ = poll(&mut fds, Some(&timeout));
        let told = fds.first().is_some_and(|control| !control.revents().is_empty());

        let reaped = tree::reap(command);
        if let Some(status) = reaped.command {
            // As in a container: when the first process ends, the rest goes at once.
            if !reaped.none_left {
                tree::kill(command);
            }
            return exit(Some(status));
        }
        if told && is_over(control) {
            return exit(tree::end(command, order.grace()));
        }
        let used = proc::memory(&proc::descendants(getpid().as_raw_pid()), order.memory);
        if used > order.memory {
            let status = tree::kill(command);
            return Exit { over_memory: Some(used), ..exit(status) };
        }
        pause = if used > order.memory / 2 { TENSE } else { CALM };
    }
}

/// The socket is closed, or brings the one word there is.
fn is_over(mut control: &UnixStream) -> bool {
    !matches!(control.read(&mut [0; 16]), Err(error) if error.kind() == std::io::ErrorKind::Interrupted)
}

fn exit(status: Option<WaitStatus>) -> Exit {
    Exit {
        code: status.and_then(WaitStatus::exit_status),
        signal: status.and_then(WaitStatus::terminating_signal),
        over_memory: None,
    }
}

/// The command was to be ended before it was watched; how it ended does not matter to anyone.
pub(super) fn exit_of_ended() -> Exit {
    Exit::default()
}
