//! A real PostgreSQL.

use super::{Guarded, Signal, free_port, program};
use std::io;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// How long a server may take to answer.
const START: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(20);
/// Another process may take the port before the server does.
const PORTS: u32 = 5;

/// Removes "$1" when whoever started it is gone, and the server had its time to end.
const JANITOR: &str = r#"cat >/dev/null; sleep 3; rm -rf "$1""#;

/// How the server is run.
#[derive(Debug, Clone, Default)]
pub struct PostgresOptions {
    /// Whether a commit survives a power cut; slower.
    pub fsync: bool,
    /// Where its folder is made (a disk of its own, say), which everybody may enter; absent: among the temporary files.
    pub parent: Option<PathBuf>,
    /// Further settings.
    pub settings: Vec<(&'static str, String)>,
}

/// A PostgreSQL server of its own: everybody on this machine's loopback may log in as `postgres`.
#[derive(Debug)]
pub struct PostgresServer {
    /// Ends before its folder goes.
    server: Option<Guarded>,
    folder: Folder,
    options: PostgresOptions,
    port: u16,
    databases: AtomicU32,
}

/// Made for the server's user, and removed with this value or with the process.
#[derive(Debug)]
struct Folder {
    path: PathBuf,
    janitor: Child,
    /// Whom the server runs as, where this process is root: `initdb` refuses root.
    user: Option<(u32, u32)>,
}

impl PostgresServer {
    /// Makes a new cluster in a temporary folder and starts it.
    ///
    /// # Panics
    /// Where the server cannot be had or does not start.
    pub async fn start(options: PostgresOptions) -> Self {
        let folder = Folder::new(options.parent.as_deref()).expect("a temporary folder");
        let mut args = vec!["-D", "data", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C"];
        if !options.fsync {
            args.push("--no-sync");
        }
        folder.run("initdb", &args).await.expect("initdb should make a cluster");
        let databases = AtomicU32::new(0);
        let mut server = Self { server: None, folder, options, port: 0, databases };
        for _ in 0..PORTS {
            server.port = free_port();
            if server.launch().await {
                return server;
            }
        }
        server.fail("did not start")
    }

    /// Of the database `postgres`.
    pub fn url(&self) -> String {
        self.url_of("postgres")
    }

    pub fn url_of(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}?sslmode=disable", self.port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Makes a database of its own, as a copy of `template` where one is given (nobody may be connected to that).
    /// Returns its name.
    pub async fn fresh_database(&self, template: Option<&str>) -> String {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.sql("postgres", &format!("CREATE DATABASE {name} TEMPLATE {}", template.unwrap_or("template0")))
            .await;
        name
    }

    /// Removes it, whoever is connected. Does not wait for its answer longer than the program does.
    pub fn drop_database(&self, name: &str) {
        let port = self.port.to_string();
        let words = self.folder.wrapped("psql");
        let (first, rest) = words.split_first().expect("a program");
        let statement = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
        let args = ["-h", "127.0.0.1", "-U", "postgres", "-p", &port, "-d", "postgres", "-qc", &statement];
        let dropped = Command::new(first).args(rest).args(args).current_dir(&self.folder.path).output();
        dropped.expect("psql runs");
    }

    /// Runs statements as another program would, each in a transaction of its own; what they print.
    pub async fn sql(&self, database: &str, sql: &str) -> String {
        let (port, mut args) = (self.port.to_string(), vec!["-h", "127.0.0.1", "-U", "postgres", "-p"]);
        args.extend([port.as_str(), "-d", database, "-qAtX", "-v", "ON_ERROR_STOP=1"]);
        for statement in sql.split(";\n") {
            args.extend(["-c", statement]);
        }
        let output = self.folder.run("psql", &args).await.expect("psql should do it");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Runs a script of psql with these variables.
    pub async fn script(&self, file: &str, variables: &[(&str, &str)]) {
        let script = std::fs::read_to_string(file).expect("a script");
        // Read here: its folder may not be open to the server's user.
        let copy = self.folder.path.join("script.sql");
        std::fs::write(&copy, script).expect("a copy");
        let (port, copy) = (self.port.to_string(), copy.display().to_string());
        let mut args =
            vec!["-h", "127.0.0.1", "-U", "postgres", "-d", "postgres", "-qX", "-p", &port, "-f", &copy];
        let variables: Vec<String> =
            variables.iter().map(|(name, value)| format!("{name}={value}")).collect();
        for variable in &variables {
            args.extend(["-v", variable]);
        }
        self.folder.run("psql", &args).await.expect("psql should do it");
    }

    /// Sends a signal to all processes of the server.
    pub fn signal(&self, signal: Signal) {
        let Some(server) = &self.server else {
            return;
        };
        // Found before: those of a dead parent are no longer its children.
        let backends = children(server.pid());
        server.signal(signal);
        if signal != Signal::Terminate && !backends.is_empty() {
            let kill = Command::new("kill").arg(format!("-{}", signal.name())).args(backends).output();
            kill.expect("kill runs");
        }
    }

    /// Ends it at once, all its processes, and waits until none holds a file of its folder.
    pub fn kill(&mut self) {
        self.signal(Signal::Kill);
        drop(self.server.take());
    }

    /// Starts it again, on the same data and port, where it has ended; ends it at once where not.
    pub async fn restart(&mut self) {
        drop(self.server.take());
        // Processes of the one before may still hold its memory for a moment.
        for _ in 0..PORTS * 10 {
            if self.launch().await {
                return;
            }
            tokio::time::sleep(PAUSE * 5).await;
        }
        self.fail("did not start again")
    }

    /// Whether it came up.
    async fn launch(&mut self) -> bool {
        let port = self.port.to_string();
        let own = [("listen_addresses", "127.0.0.1".to_owned()), ("port", port.clone())];
        let fsync = if self.options.fsync { "on" } else { "off" };
        let plain = [
            ("unix_socket_directories", String::new()),
            ("fsync", fsync.to_owned()),
            ("max_connections", "200".to_owned()),
            ("shared_buffers", "32MB".to_owned()),
            ("max_wal_senders", "0".to_owned()),
            ("wal_level", "minimal".to_owned()),
        ];
        let mut args = vec!["-D".to_owned(), self.folder.path.join("data").display().to_string()];
        for (name, value) in own.iter().chain(&plain).chain(&self.options.settings) {
            args.extend(["-c".to_owned(), format!("{name}={value}")]);
        }
        let mut command = self.folder.wrapped("postgres");
        let rest = command.split_off(1).into_iter().chain(args);
        let first = PathBuf::from(command.pop().unwrap_or_default());
        let log = self.folder.path.join("log");
        let server = Guarded::start(&first, rest, &log, None).expect("the guard should start");
        let mut waited = Duration::ZERO;
        while waited < START {
            let ready =
                self.folder.run("pg_isready", &["-q", "-h", "127.0.0.1", "-t", "1", "-p", &port]).await;
            if ready.is_ok() {
                self.server = Some(server);
                return true;
            }
            if !server.is_alive() {
                return false;
            }
            tokio::time::sleep(PAUSE).await;
            waited += PAUSE;
        }
        false
    }

    #[expect(clippy::panic, reason = "this is test code in a library")]
    fn fail(&self, what: &str) -> ! {
        let log = std::fs::read_to_string(self.folder.path.join("log")).unwrap_or_default();
        panic!("PostgreSQL {what}:\n{log}")
    }
}

impl Folder {
    fn new(parent: Option<&Path>) -> io::Result<Self> {
        let parent = parent.map_or_else(std::env::temp_dir, Path::to_owned);
        let made =
            Command::new("mktemp").args(["-d", "-p"]).arg(parent).arg("eventflow-pg-XXXXXX").output()?;
        let path = PathBuf::from(String::from_utf8_lossy(&made.stdout).trim());
        let user = if path.metadata()?.uid() == 0 { Some(unprivileged()?) } else { None };
        if let Some((uid, gid)) = user {
            chown(&path, Some(uid), Some(gid))?;
        }
        let janitor = Command::new("sh")
            .args(["-c", JANITOR, "janitor"])
            .arg(&path)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        Ok(Self { path, janitor, user })
    }

    /// The program, as the user that it is to run as.
    fn wrapped(&self, name: &str) -> Vec<String> {
        let program = program(name, &installed()).display().to_string();
        match self.user {
            None => vec![program],
            Some((uid, gid)) => {
                let setpriv = super::program("setpriv", &[]).display().to_string();
                vec![
                    setpriv,
                    format!("--reuid={uid}"),
                    format!("--regid={gid}"),
                    "--clear-groups".to_owned(),
                    program,
                ]
            }
        }
    }

    /// Runs a program to its end.
    async fn run(&self, name: &str, args: &[&str]) -> io::Result<Output> {
        let words = self.wrapped(name);
        let (first, rest) = words.split_first().ok_or_else(|| io::Error::other("no program"))?;
        let mut command = tokio::process::Command::new(first);
        command.args(rest).args(args).current_dir(&self.path).stdin(Stdio::null()).kill_on_drop(true);
        let output = command.output().await?;
        if output.status.success() {
            return Ok(output);
        }
        Err(io::Error::other(format!("{name}: {}", String::from_utf8_lossy(&output.stderr))))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.path);
        let _ = self.janitor.kill();
        let _ = self.janitor.wait();
    }
}

/// The variable that names a folder of programs to run instead of the newest that is installed.
const PROGRAMS: &str = "EVENTFLOW_POSTGRES_BIN";

/// Where the programs are: those that were asked for, else those that distributions install, oldest first.
fn installed() -> Vec<PathBuf> {
    if let Some(asked) = std::env::var_os(PROGRAMS) {
        return vec![asked.into()];
    }
    let versions = (15..=18).map(|version| format!("/usr/lib/postgresql/{version}/bin"));
    versions.map(PathBuf::from).filter(|folder| folder.is_dir()).collect()
}

/// The user and group ids of `nobody`.
fn unprivileged() -> io::Result<(u32, u32)> {
    let id = |flag| -> io::Result<u32> {
        let output = Command::new("id").args([flag, "nobody"]).output()?;
        String::from_utf8_lossy(&output.stdout).trim().parse().map_err(io::Error::other)
    };
    Ok((id("-u")?, id("-g")?))
}

fn children(pid: u32) -> Vec<String> {
    let file = Path::new("/proc").join(pid.to_string()).join("task").join(pid.to_string()).join("children");
    let text = std::fs::read_to_string(file).unwrap_or_default();
    text.split_whitespace().map(str::to_owned).collect()
}
