//! The launcher: the process between EventFlow and a function's command.
//!
//! It reads one order from its stdin, a socket whose other end only the server holds; starts the command; and ends
//! everything that came of it when the command ends, when it is told to, when memory runs over, or when the socket
//! closes, which it does however the server dies. It is a subreaper, so a daemon that left group and session is
//! still found. What remains, should the launcher itself be killed, is ended by the server, or at its next start.

mod limits;
mod supervise;
mod tree;

use crate::wire::{MAX_MESSAGE, Order, Report};
use crate::{proc, resolve, stale};
use rustix::process::{Pid, setsid};
use rustix::stdio::{dup2_stderr, dup2_stdin, dup2_stdout};
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitCode, Stdio};

/// The launcher's whole life. It takes no arguments; a person who runs it by hand is told what it is for.
pub fn main(args: impl Iterator<Item = OsString>) -> ExitCode {
    if args.count() > 0 {
        return refuse("takes no arguments");
    }
    match launch() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => refuse(&error.to_string()),
    }
}

fn refuse(why: &str) -> ExitCode {
    let _ =
        writeln!(io::stderr(), "exec-child is started by EventFlow itself, to run a process function: {why}");
    ExitCode::from(64)
}

fn launch() -> io::Result<()> {
    let control = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    // Fails only for a group leader, which we are not; a session of our own keeps the terminal's signals away.
    let _ = setsid();
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    let mut lines = BufReader::new(&control);
    let mut line = String::new();
    (&mut lines).take(MAX_MESSAGE).read_line(&mut line)?;
    let order: Order = serde_json::from_str(&line).map_err(io::Error::other)?;
    let early_end = !lines.buffer().is_empty();
    let ended = run(&control, &order, early_end);
    // The server takes the result file from the folder, then closes the socket.
    let _ = control.set_read_timeout(Some(supervise::HANDOVER));
    let _ = io::copy(&mut (&control).take(MAX_MESSAGE), &mut io::sink());
    let _ = fs::remove_dir_all(&order.scratch);
    ended
}

fn run(control: &UnixStream, order: &Order, early_end: bool) -> io::Result<()> {
    let child = match spawn(order) {
        Ok(child) => child,
        Err(report) => return tell(control, &report),
    };
    let pid = Pid::from_child(&child);
    let process = proc::identify(pid.as_raw_pid());
    let record = stale::write(&order.records, process);
    if let Some(process) = process {
        // A server that is gone is noticed by the read that follows.
        let _ = tell(control, &Report::Started(process));
    }
    let _ = silence();
    let exit = if early_end {
        tree::end(pid, order.grace());
        supervise::exit_of_ended()
    } else {
        supervise::watch(control, pid, order)
    };
    if let Ok(record) = record {
        let _ = fs::remove_file(record);
    }
    let _ = tell(control, &Report::Ended(exit));
    Ok(())
}

impl Order {
    fn grace(&self) -> std::time::Duration {
        std::time::Duration::from_millis(self.grace_ms)
    }
}

fn spawn(order: &Order) -> Result<Child, Report> {
    let failed = |not_found, message| Report::NotStarted { not_found, message };
    let (program, args) = order.command.split_first().ok_or_else(|| failed(true, "no command".to_owned()))?;
    let path = order.env.iter().rfind(|(name, _)| name == "PATH").map_or("", |(_, path)| path);
    let file = resolve::resolve(program, path).map_err(|missing| {
        failed(matches!(missing, resolve::Missing::NotFound(_)), missing.message().to_owned())
    })?;
    let stdin = match &order.stdin {
        Some(payload) => {
            File::open(payload).map_err(|error| failed(false, format!("payload file: {error}")))?.into()
        }
        None => Stdio::null(),
    };
    limits::apply(order).map_err(|error| failed(false, format!("limits: {error}")))?;
    let child = Command::new(&file)
        .arg0(program)
        .args(args)
        .env_clear()
        .envs(order.env.iter().map(|(name, value)| (name, value)))
        .current_dir(&order.scratch)
        .stdin(stdin)
        .process_group(0)
        .spawn()
        .map_err(|error| failed(false, format!("{}: {error}{}", file.display(), hint(&error))))?;
    limits::prefer_for_oom_killer(&child);
    Ok(child)
}

/// The program was found, so a file that is missing now is the one behind it.
fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::NotFound => "; the interpreter that its first line names does not exist",
        _ => "",
    }
}

/// Lets go of the pipes, which are the command's alone from here on: their end is the end of its output.
fn silence() -> io::Result<()> {
    let null = File::options().read(true).write(true).open("/dev/null")?;
    dup2_stdin(&null)?;
    dup2_stdout(&null)?;
    dup2_stderr(&null)?;
    Ok(())
}

fn tell(mut control: &UnixStream, report: &Report) -> io::Result<()> {
    let mut line = serde_json::to_vec(report).map_err(io::Error::other)?;
    line.push(b'\n');
    control.write_all(&line)
}
