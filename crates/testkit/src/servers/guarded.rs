use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Starts "$@", says its process id, and waits: for the server's own end, or for the end of standard input, which is the
/// end of whoever started it. A stopped server is let go on first, or it would not hear that it shall end.
const GUARD: &str = r#"
trap "" INT TERM HUP
(trap - INT TERM HUP; exec "$@") </dev/null >&2 &
server=$!
echo "$server"
exec >&-
cat >/dev/null
kill -CONT "$server" 2>/dev/null
kill -QUIT "$server" 2>/dev/null
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    # One that has ended has no command line, also before it is waited for.
    [ -n "$(tr -d '\0' <"/proc/$server/cmdline" 2>/dev/null)" ] || break
    sleep 0.1
done
kill -KILL "$server" 2>/dev/null
wait "$server" 2>/dev/null
[ -z "$EVENTFLOW_GUARDED_FOLDER" ] || rm -rf "$EVENTFLOW_GUARDED_FOLDER"
"#;

/// What to do to a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    Kill,
    Stop,
    Continue,
    Terminate,
}

impl Signal {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Kill => "KILL",
            Self::Stop => "STOP",
            Self::Continue => "CONT",
            Self::Terminate => "TERM",
        }
    }
}

/// A server process behind a guard, so that it outlives no test: not a dropped value, nor a killed test process.
#[derive(Debug)]
pub struct Guarded {
    guard: Child,
    pid: u32,
}

impl Guarded {
    /// Starts `program` with its output in `log`. `folder`, if given, is removed when it has ended.
    pub fn start<A: AsRef<OsStr>>(
        program: &Path,
        args: impl IntoIterator<Item = A>,
        log: &Path,
        folder: Option<&Path>,
    ) -> std::io::Result<Self> {
        let mut guard = Command::new("sh")
            .args(["-c", GUARD, "guard"])
            .arg(program)
            .args(args)
            .env("EVENTFLOW_GUARDED_FOLDER", folder.unwrap_or_else(|| Path::new("")))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::options().create(true).append(true).open(log)?)
            .spawn()?;
        let mut line = String::new();
        let out = guard.stdout.take().ok_or_else(|| std::io::Error::other("no pipe"))?;
        BufReader::new(out.take(64)).read_line(&mut line)?;
        let pid = line.trim().parse().map_err(std::io::Error::other)?;
        Ok(Self { guard, pid })
    }

    /// Of the server, not of its guard.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Sends a signal to the server; one that has ended already is fine.
    pub fn signal(&self, signal: Signal) {
        let kill = Command::new("kill").arg(format!("-{}", signal.name())).arg(self.pid.to_string()).output();
        kill.expect("kill runs");
    }

    /// Whether the server is there. A killed one may be there for a moment longer.
    pub fn is_alive(&self) -> bool {
        // A zombie has no command line.
        std::fs::read(format!("/proc/{}/cmdline", self.pid)).is_ok_and(|line| !line.is_empty())
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        // Bounded by the guard itself.
        let _ = self.guard.wait();
    }
}
