//! Podman: a container engine of a test's own.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

const SERVE: &str = include_str!("podman/serve.sh");

/// An engine with the images [`Podman::IMAGE`] and [`Podman::NOBODY`]. Its containers, network and folder go with it,
/// however the test process ends.
#[derive(Debug)]
pub struct Podman {
    guard: Child,
    tell: Option<ChildStdin>,
    hear: BufReader<ChildStdout>,
    folder: PathBuf,
}

impl Podman {
    /// A static busybox that runs as root; `/www` has an index for its `httpd`, which answers with the body it got.
    pub const IMAGE: &str = "localhost/busybox:1";
    /// The same, as the user nobody.
    pub const NOBODY: &str = "localhost/nobody:1";

    /// `Err` says why this machine runs no containers.
    pub fn start() -> Result<Self, String> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        // Short: the path of a socket has at most 107 bytes.
        let folder = std::env::temp_dir().join(format!("ef-podman-{}-{number}", std::process::id()));
        let log = folder.with_extension("log");
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let mut guard = Command::new("bash")
            .args(["-c", SERVE, "serve.sh"])
            .args([&folder, &root])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(&log).map_err(|error| format!("{}: {error}", log.display()))?)
            .spawn()
            .map_err(|error| format!("bash: {error}"))?;
        let tell = guard.stdin.take();
        let hear = BufReader::new(guard.stdout.take().ok_or("no pipe")?);
        let mut podman = Self { guard, tell, hear, folder };
        let answer = podman.answer();
        let said = std::fs::read_to_string(&log).unwrap_or_default();
        let _ = std::fs::remove_file(&log);
        if answer == "ready" { Ok(podman) } else { Err(format!("{answer}\n{said}")) }
    }

    pub fn socket(&self) -> PathBuf {
        self.folder.join("podman.sock")
    }

    /// The engine goes away; what runs goes on. Its socket goes too.
    pub fn down(&mut self) {
        self.say("down");
    }

    /// The engine comes back.
    pub fn up(&mut self) {
        self.say("up");
    }

    /// The names of all containers, ended ones included.
    pub fn containers(&self) -> Vec<String> {
        self.podman(["ps", "--all", "--format", "{{.Names}}"]).lines().map(str::to_owned).collect()
    }

    /// The names of all volumes.
    pub fn volumes(&self) -> Vec<String> {
        self.podman(["volume", "ls", "--quiet"]).lines().map(str::to_owned).collect()
    }

    /// What `podman ARGS` prints.
    ///
    /// # Panics
    /// Where it fails.
    pub fn podman<const N: usize>(&self, args: [&str; N]) -> String {
        let of = |name: &str| self.folder.join(name);
        let output = Command::new("podman")
            .arg("--root")
            .arg(of("root"))
            .arg("--runroot")
            .arg(of("run"))
            .args(["--storage-driver", "vfs"])
            .args(args)
            .env("CONTAINERS_CONF", of("containers.conf"))
            .env("CONTAINERS_REGISTRIES_CONF", of("registries.conf"))
            .output()
            .expect("podman runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(output.status.success(), "podman {args:?}: {}", text(&output.stderr));
        text(&output.stdout)
    }

    fn say(&mut self, word: &str) {
        let tell = self.tell.as_mut().expect("the guard listens");
        writeln!(tell, "{word}").expect("the guard listens");
        assert_eq!(self.answer(), word);
    }

    fn answer(&mut self) -> String {
        let mut line = String::new();
        let _ = self.hear.read_line(&mut line);
        line.trim().to_owned()
    }
}

impl Drop for Podman {
    fn drop(&mut self) {
        drop(self.tell.take());
        let _ = self.guard.wait();
    }
}
