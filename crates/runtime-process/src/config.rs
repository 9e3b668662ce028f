use eventflow_domain::limits::Limits;
use eventflow_domain::spec::Backoff;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// How the launcher is started: a program and the arguments that make it call [`crate::exec_child::main`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launcher {
    pub program: PathBuf,
    pub args: Vec<OsString>,
}

impl Launcher {
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self { program: program.into(), args: Vec::new() }
    }

    /// The program that runs now, with a hidden subcommand; found even after its file was replaced.
    pub fn this_program(subcommand: impl Into<OsString>) -> Self {
        Self { program: "/proc/self/exe".into(), args: vec![subcommand.into()] }
    }
}

/// Bounds on what process functions may take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bounds {
    /// Bytes of a result file; one more byte is `ResultTooLarge`.
    pub result: u64,
    /// Bytes kept of stdout, the last ones, where no result file was written.
    pub stdout_result: usize,
    /// Calls that may wait for a copy of one function.
    pub waiting_calls: usize,
    /// Open files of one process.
    pub open_files: u64,
    /// Bytes of one file that a process writes.
    pub file_size: u64,
}

impl From<&Limits> for Bounds {
    fn from(limits: &Limits) -> Self {
        Self {
            result: limits.payload,
            stdout_result: limits.stdout_result as usize,
            waiting_calls: 10_000,
            open_files: 65_536,
            file_size: 16 << 30,
        }
    }
}

#[derive(Debug, Clone)]
pub struct ProcessConfig {
    pub launcher: Launcher,
    /// Ours alone, absolute: scratch folders and the records of running children. Made where it is missing.
    pub work_dir: PathBuf,
    /// What of the server's environment functions see: see [`ProcessConfig::base_env`].
    pub base_env: Vec<(String, String)>,
    /// Between SIGTERM and SIGKILL; at most 4 s, since 5 s after its end nothing of a call may be left.
    pub kill_grace: Duration,
    /// A warm copy without a call for this long is stopped, down to the function's minimum.
    pub idle_stop: Duration,
    /// Between a crash of a warm copy and the next start.
    pub restart: Backoff,
    pub bounds: Bounds,
}

impl ProcessConfig {
    /// The longest `kill_grace`.
    pub const MAX_GRACE: Duration = Duration::from_secs(4);
    /// Searched for commands where the server itself has no PATH.
    pub const DEFAULT_PATH: &'static str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

    const ALLOWED: [&'static str; 4] = ["PATH", "LANG", "LC_ALL", "TZ"];

    pub fn new(launcher: Launcher, work_dir: impl Into<PathBuf>) -> Self {
        Self {
            launcher,
            work_dir: work_dir.into(),
            base_env: Self::base_env(std::iter::empty()),
            kill_grace: Duration::from_secs(2),
            idle_stop: Duration::from_mins(5),
            restart: Backoff {
                initial: Duration::from_millis(500),
                max: Duration::from_mins(1),
                factor: 2.0,
                jitter: 0.2,
            },
            bounds: Bounds::from(&Limits::default()),
        }
    }

    /// Of an environment the part that functions may see: PATH, LANG, LC_ALL and TZ.
    pub fn base_env(environment: impl IntoIterator<Item = (OsString, OsString)>) -> Vec<(String, String)> {
        let mut allowed: Vec<(String, String)> = environment
            .into_iter()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .filter(|(name, _)| Self::ALLOWED.contains(&name.as_str()))
            .collect();
        if !allowed.iter().any(|(name, _)| name == "PATH") {
            allowed.push(("PATH".to_owned(), Self::DEFAULT_PATH.to_owned()));
        }
        allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_an_environment_only_the_allowed_part_is_taken() {
        let environment = [("PATH", "/bin"), ("AWS_SECRET_ACCESS_KEY", "x"), ("TZ", "UTC")];
        let taken = ProcessConfig::base_env(environment.map(|(name, value)| (name.into(), value.into())));
        assert_eq!(taken, [("PATH", "/bin"), ("TZ", "UTC")].map(|(n, v)| (n.to_owned(), v.to_owned())));
        let path = ("PATH".to_owned(), ProcessConfig::DEFAULT_PATH.to_owned());
        assert_eq!(ProcessConfig::base_env(std::iter::empty()), [path]);
    }
}
