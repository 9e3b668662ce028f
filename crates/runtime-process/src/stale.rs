//! Children that outlived their server: noted by each launcher while it works, ended at the next start.

use crate::proc;
use crate::wire::ProcessId;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

const PAUSE: Duration = Duration::from_millis(10);

/// Notes launcher and command in a file of their own.
pub(crate) fn write(records: &Path, command: Option<ProcessId>) -> io::Result<PathBuf> {
    let launcher = proc::identify(std::process::id() as i32);
    let path = records.join(std::process::id().to_string());
    fs::write(&path, serde_json::to_vec(&(launcher, command))?)?;
    Ok(path)
}

/// Ends what an earlier server left behind, and forgets it. A launcher that is at work on that already is given
/// `grace`. Only a process whose pid and start time both match is touched.
pub(crate) fn sweep(records: &Path, grace: Duration) -> io::Result<usize> {
    let mut ended = 0;
    for entry in fs::read_dir(records)? {
        let path = entry?.path();
        let noted = fs::read(&path)
            .ok()
            .and_then(|bytes| serde_json::from_slice::<(Option<ProcessId>, Option<ProcessId>)>(&bytes).ok());
        if let Some((launcher, command)) = noted {
            ended += usize::from(end(launcher, command, grace));
        }
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(ended)
}

fn end(launcher: Option<ProcessId>, command: Option<ProcessId>, grace: Duration) -> bool {
    let alive = |process: Option<ProcessId>| process.filter(|process| proc::is_alive(*process));
    let mut waited = Duration::ZERO;
    while alive(launcher).is_some() && waited < grace {
        thread::sleep(PAUSE);
        waited += PAUSE;
    }
    let left = [alive(command), alive(launcher)];
    for process in left.into_iter().flatten() {
        kill(process);
    }
    left.iter().any(Option::is_some)
}

/// SIGKILL to the process, and to its group where it leads one.
pub(crate) fn kill(process: ProcessId) {
    let Some(pid) = Pid::from_raw(process.pid).filter(|_| proc::is_alive(process)) else { return };
    let _ = kill_process_group(pid, Signal::KILL);
    let _ = kill_process(pid, Signal::KILL);
}
