//! The command line, run as a person would, in a home folder of its own.

use crate::wait::within;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

/// No command of a test takes longer.
const LONGEST: Duration = Duration::from_secs(60);

/// Leaves a child nothing of this process's environment but the search path.
pub(crate) fn clean(command: &mut std::process::Command, home: &Path) {
    command.env_clear();
    for kept in ["PATH", "LD_LIBRARY_PATH", "TMPDIR"] {
        if let Some(value) = std::env::var_os(kept) {
            command.env(kept, value);
        }
    }
    command.env("HOME", home).env("RUST_BACKTRACE", "1");
    for (key, folder) in
        [("XDG_CONFIG_HOME", "config"), ("XDG_DATA_HOME", "data"), ("XDG_STATE_HOME", "state")]
    {
        command.env(key, home.join(folder));
    }
}

/// One person at one terminal: credentials and the working folder are kept from command to command.
#[derive(Debug)]
pub struct Cli {
    home: TempDir,
    url: String,
}

/// How a command ended.
#[derive(Debug)]
pub struct Ended {
    /// The exit code; -1 where a signal ended it.
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Cli {
    /// Not logged in.
    pub fn new(url: &str) -> Self {
        let home = tempfile::Builder::new().prefix("eventflow-cli-").tempdir().unwrap();
        Self { home, url: url.to_owned() }
    }

    /// The home folder, which is the working folder too.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// Writes a file into the working folder.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.home().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    /// A command to be changed and started by the test; ended where it is dropped.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = std::process::Command::new(crate::binary());
        clean(&mut command, self.home());
        command.args(args).current_dir(self.home()).env("EVENTFLOW_URL", &self.url);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut command = Command::from(command);
        command.kill_on_drop(true);
        command
    }

    /// Runs a command to its end.
    pub async fn run(&self, args: &[&str]) -> Ended {
        Self::finish(self.command(args), &[]).await
    }

    /// Runs a command that reads `input`.
    pub async fn run_with(&self, args: &[&str], input: &[u8]) -> Ended {
        let mut command = self.command(args);
        command.stdin(Stdio::piped());
        Self::finish(command, input).await
    }

    /// Runs a command and fails the test where its exit code is not 0; returns its stdout.
    pub async fn ok(&self, args: &[&str]) -> String {
        let ended = self.run(args).await;
        assert_eq!(ended.code, 0, "eventflow {args:?}: {ended:#?}");
        ended.stdout
    }

    /// Runs a command to its end.
    pub async fn finish(mut command: Command, input: &[u8]) -> Ended {
        let mut child = command.spawn().unwrap();
        let stdin = child.stdin.take();
        let feed = async {
            if let Some(mut stdin) = stdin {
                // A command that does not read all of it is none of our business.
                drop(stdin.write_all(input).await);
            }
        };
        let run = async { tokio::join!(feed, child.wait_with_output()).1 };
        let output = within("a command", LONGEST, run).await.unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Ended {
            code: output.status.code().unwrap_or(-1),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }
}
