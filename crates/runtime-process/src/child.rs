//! The server's side of a launcher.

use crate::capture::Pipe;
use crate::config::Launcher;
use crate::scratch::Scratch;
use crate::stale;
use crate::wire::{END, Exit, MAX_MESSAGE, Order, ProcessId, Report};
use eventflow_domain::invocation::{Failure, Reason};
use std::io::{self, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdStream;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, Lines, Take};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::process::{Child as Process, Command};

/// A launcher that does not even read its order is broken.
const ORDER: Duration = Duration::from_secs(5);
/// Beyond the grace, until the launcher must have said that all has ended.
const REPORT: Duration = Duration::from_secs(3);
/// Until the launcher has removed the scratch folder.
const FAREWELL: Duration = Duration::from_secs(2);

/// A command at work under its launcher. Dropping it closes the socket, at which the launcher ends everything.
#[derive(Debug)]
pub(crate) struct Child {
    pub(crate) control: Control,
    pub(crate) stdout: Pipe,
    pub(crate) stderr: Pipe,
}

/// The socket to the launcher.
#[derive(Debug)]
pub(crate) struct Control {
    lines: Lines<BufReader<Take<OwnedReadHalf>>>,
    tell: OwnedWriteHalf,
    launcher: Process,
    command: Option<ProcessId>,
    /// All has ended: `exit` says how, unless the launcher was killed.
    over: bool,
    exit: Option<Exit>,
    grace: Duration,
}

impl Child {
    /// Starts a launcher and gives it its order. Blocks for about as long as the kernel needs to run a program.
    pub(crate) fn launch(launcher: &Launcher, scratch: &mut Scratch, order: &Order) -> io::Result<Self> {
        let (ours, theirs) = StdStream::pair()?;
        let (stdout, child_stdout) = Pipe::create()?;
        let (stderr, child_stderr) = Pipe::create()?;
        let process = Command::new(&launcher.program)
            .args(&launcher.args)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::from(child_stdout))
            .stderr(Stdio::from(child_stderr))
            .spawn()?;
        ours.set_write_timeout(Some(ORDER))?;
        let mut line = serde_json::to_vec(order)?;
        line.push(b'\n');
        (&ours).write_all(&line)?;
        scratch.hand_over();
        ours.set_nonblocking(true)?;
        let (read, tell) = UnixStream::from_std(ours)?.into_split();
        let control = Control {
            lines: BufReader::new(read.take(MAX_MESSAGE)).lines(),
            tell,
            launcher: process,
            command: None,
            over: false,
            exit: None,
            grace: Duration::from_millis(order.grace_ms),
        };
        Ok(Self { control, stdout: Pipe::new(stdout)?, stderr: Pipe::new(stderr)? })
    }
}

impl Control {
    /// Everything that is started is below it.
    pub(crate) fn launcher(&self) -> Option<i32> {
        self.launcher.id().map(|pid| pid as i32)
    }

    /// Waits for the start of the command.
    pub(crate) async fn started(&mut self) -> Result<(), Failure> {
        match self.report().await {
            Some(Report::Started(command)) => {
                self.command = Some(command);
                Ok(())
            }
            Some(Report::NotStarted { message, .. }) => Err(Failure::new(Reason::StartFailed, message)),
            Some(Report::Ended(_)) | None => {
                Err(Failure::new(Reason::StartFailed, "the launcher ended before it had started the command"))
            }
        }
    }

    /// Waits for the end of the command and of all it has started. `None`: the launcher was killed. May be dropped
    /// and called again.
    pub(crate) async fn ended(&mut self) -> Option<Exit> {
        while !self.over {
            match self.report().await {
                Some(Report::Ended(exit)) => (self.over, self.exit) = (true, Some(exit)),
                Some(_) => {}
                None => {
                    // What the launcher held is nobody's now.
                    self.command.take().into_iter().for_each(stale::kill);
                    self.over = true;
                }
            }
        }
        self.exit
    }

    /// Ends the command, SIGTERM first, and waits until it has.
    pub(crate) async fn end(&mut self) -> Option<Exit> {
        let _ = self.tell.write_all(END).await;
        let waited = tokio::time::timeout(self.grace + REPORT, self.ended()).await;
        waited.unwrap_or_else(|_| {
            tracing::warn!(command = ?self.command, "a process could not be ended");
            None
        })
    }

    /// Lets the launcher go, which removes the scratch folder, and waits for that.
    pub(crate) async fn farewell(self) {
        let Self { lines, tell, mut launcher, .. } = self;
        drop((lines, tell));
        let _ = tokio::time::timeout(FAREWELL, launcher.wait()).await;
    }

    async fn report(&mut self) -> Option<Report> {
        let line = self.lines.next_line().await.ok().flatten()?;
        serde_json::from_str(&line).ok()
    }
}

/// Why a command that ended by itself failed, if it did.
pub(crate) fn failure(exit: Option<Exit>, memory: u64) -> Option<Failure> {
    let Some(exit) = exit else {
        return Some(Failure::new(Reason::Internal, "the launcher of the process was killed"));
    };
    let mib = |bytes: u64| bytes >> 20;
    Some(match exit {
        Exit { over_memory: Some(used), .. } => Failure::new(
            Reason::OutOfMemory,
            format!(
                "used {} MiB of memory, more than resources.memory allows ({} MiB)",
                mib(used),
                mib(memory)
            ),
        ),
        Exit { code: Some(0), .. } => return None,
        Exit { code: Some(code), .. } => Failure::new(Reason::ExitCode, format!("exited with code {code}")),
        Exit { signal: Some(signal), .. } => {
            Failure::new(Reason::Signal, format!("ended by signal {signal}{}", signal_name(signal)))
        }
        Exit { code: None, signal: None, .. } => Failure::new(Reason::Internal, "ended without a status"),
    })
}

fn signal_name(signal: i32) -> &'static str {
    match signal {
        1 => " (SIGHUP)",
        2 => " (SIGINT)",
        3 => " (SIGQUIT)",
        4 => " (SIGILL)",
        6 => " (SIGABRT)",
        7 => " (SIGBUS)",
        8 => " (SIGFPE)",
        9 => " (SIGKILL)",
        11 => " (SIGSEGV)",
        13 => " (SIGPIPE)",
        15 => " (SIGTERM)",
        24 => " (SIGXCPU)",
        25 => " (SIGXFSZ)",
        31 => " (SIGSYS)",
        _ => "",
    }
}
