//! Servers as child processes: started, asked for their CPU time and memory, ended.

use anyhow::{Context as _, Result, bail};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// A tick of `/proc/PID/stat`: Linux has 100 a second on every machine this runs on.
const TICK: Duration = Duration::from_millis(10);
const START: Duration = Duration::from_secs(30);

/// A server that is ended when this is dropped.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    /// `host:port`.
    pub(crate) address: String,
}

impl Process {
    /// Waits for the line that names a URL, on stdout or, where the program says it there, on stderr.
    pub(crate) async fn start(mut command: Command, on_stderr: bool) -> Result<Self> {
        let program = command.as_std().get_program().to_owned();
        command.stdin(Stdio::null()).kill_on_drop(true);
        if on_stderr {
            command.stdout(Stdio::null()).stderr(Stdio::piped());
        } else {
            command.stdout(Stdio::piped()).stderr(Stdio::null());
        }
        let mut child = command.spawn().with_context(|| format!("failed to start {}", program.display()))?;
        let found = match (child.stdout.take(), child.stderr.take()) {
            (Some(out), _) => timeout(START, address(out)).await,
            (_, Some(err)) => timeout(START, address(err)).await,
            _ => bail!("no output to read"),
        };
        let address = found.with_context(|| format!("{} did not start in time", program.display()))?;
        let address = address.with_context(|| format!("{} did not start", program.display()))?;
        Ok(Self { child, address })
    }

    pub(crate) fn pid(&self) -> Result<u32> {
        self.child.id().context("the server has ended")
    }

    /// SIGKILL, as a crash would.
    pub(crate) async fn kill(mut self) -> Result<()> {
        self.child.kill().await.context("failed to end the server")
    }
}

async fn address(output: impl AsyncRead + Unpin + Send + 'static) -> Result<String> {
    let mut lines = BufReader::new(output).lines();
    while let Some(line) = lines.next_line().await? {
        if let Some((_, rest)) = line.split_once("http://") {
            let address = rest.split(['/', ' ', '\u{1b}']).next().unwrap_or_default().to_owned();
            drain(lines);
            return Ok(address);
        }
    }
    bail!("it ended without a word of its address")
}

/// Reads on, so that the server never waits for its reader.
#[expect(clippy::disallowed_methods, reason = "ends with the server whose output it reads")]
fn drain<R: AsyncRead + Unpin + Send + 'static>(mut lines: tokio::io::Lines<BufReader<R>>) {
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
}

/// User and system time of a process so far; 10 ms is the finest step.
pub(crate) fn cpu_time(pid: u32) -> Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    ticks(&stat).map(|ticks| TICK * ticks).context("no times in /proc/PID/stat")
}

/// utime and stime: the 14th and 15th field. The 2nd, the name, may hold blanks and brackets.
fn ticks(stat: &str) -> Option<u32> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_ascii_whitespace().skip(11);
    let mut next = || fields.next()?.parse::<u32>().ok();
    Some(next()? + next()?)
}

/// Bytes of a process that are in memory now, and the most that ever were.
pub(crate) fn memory(pid: u32) -> Result<(u64, u64)> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let of = |key: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(key))?;
        line.split_ascii_whitespace().next()?.parse::<u64>().ok().map(|kib| kib << 10)
    };
    of("VmRSS:").zip(of("VmHWM:")).context("no memory in /proc/PID/status")
}

/// This program once more, as a peer.
pub(crate) async fn peer(kind: &str, data: Option<&Path>) -> Result<Process> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["peer", kind]);
    if let Some(data) = data {
        command.arg("--data").arg(data);
    }
    Process::start(command, false).await
}

/// The same, over a PostgreSQL database.
pub(crate) async fn peer_on_postgres(kind: &str, url: &str) -> Result<Process> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["peer", kind, "--postgres", url]);
    Process::start(command, false).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_ticks_are_found_behind_any_name() {
        let stat = "7 (a ) b) S 1 2 3 4 5 6 7 8 9 10 21 2 0 0 20 0 4 0 99";
        assert_eq!(ticks(stat), Some(23));
        assert_eq!(ticks("7 (a"), None);
    }

    #[test]
    fn the_memory_of_this_process_is_known() {
        let (now, most) = memory(std::process::id()).unwrap();
        assert!(now > 100 << 10 && most >= now, "{now} {most}");
    }
}
