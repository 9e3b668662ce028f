//! nats-server with JetStream.

use super::{Guarded, Signal, free_port, program};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

/// How long a start may take.
const START: Duration = Duration::from_secs(15);

/// Looks at a port that comes free.
const LETS_GO: u32 = 100;

/// What a restart finds on its disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Store {
    Kept,
    Wiped,
}

#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Bytes that all streams together may have; absent: what the disk has.
    pub max_file: Option<u64>,
    /// Where its folder is made (a small file system, say); absent: among the temporary files.
    pub parent: Option<PathBuf>,
    /// User and password; absent: everybody may connect.
    pub user: Option<(String, String)>,
    /// Every message is on the disk before it is confirmed; else every two minutes.
    pub sync_always: bool,
}

/// One server on a loopback port of its own. Its folder goes with it, however the test process ends.
#[derive(Debug)]
pub struct NatsServer {
    server: Guarded,
    folder: PathBuf,
    port: u16,
    options: Options,
}

impl NatsServer {
    pub async fn start() -> Self {
        Self::start_with(Options::default()).await
    }

    /// # Panics
    /// Where no server comes up: its log is in the message.
    #[expect(clippy::panic, reason = "this is test code in a library")]
    pub async fn start_with(options: Options) -> Self {
        let mut last = String::new();
        // Another process may take the port first.
        for _ in 0..5 {
            let (port, folder) = (free_port(), new_folder(&options));
            let server = launch(&folder, port, &options);
            match until_ready(&server, port).await {
                Ok(()) => return Self { server, folder, port, options },
                Err(why) => last = format!("{why}\n{}", log(&folder)),
            }
        }
        panic!("nats-server does not start: {last}")
    }

    /// With user and password, if it wants them.
    pub fn url(&self) -> String {
        match &self.options.user {
            Some((user, password)) => format!("nats://{user}:{password}@127.0.0.1:{}", self.port),
            None => format!("nats://127.0.0.1:{}", self.port),
        }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn pid(&self) -> u32 {
        self.server.pid()
    }

    /// Where the streams are.
    pub fn store(&self) -> PathBuf {
        self.folder.join("store")
    }

    pub fn log(&self) -> String {
        log(&self.folder)
    }

    pub fn signal(&self, signal: Signal) {
        self.server.signal(signal);
    }

    /// Ends it at once, as a lost machine does, and waits until it is gone.
    pub async fn kill(&self) {
        self.signal(Signal::Kill);
        while self.server.is_alive() {
            sleep(Duration::from_millis(5)).await;
        }
    }

    /// Kills it if it runs, and starts it on the same port.
    ///
    /// # Panics
    /// Where it does not come up again.
    #[expect(clippy::panic, reason = "this is test code in a library")]
    pub async fn restart(&mut self, store: Store) {
        self.kill().await;
        let folder = new_folder(&self.options);
        if store == Store::Kept && self.store().exists() {
            std::fs::rename(self.store(), folder.join("store")).expect("the store moves");
        }
        lets_go(self.port).await;
        self.server = launch(&folder, self.port, &self.options);
        self.folder = folder;
        if let Err(why) = until_ready(&self.server, self.port).await {
            panic!("nats-server does not start again: {why}\n{}", self.log());
        }
    }
}

/// A killed process has no command line any more a moment before it lets go of its port.
async fn lets_go(port: u16) {
    for _ in 0..LETS_GO {
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return;
        }
        sleep(Duration::from_millis(20)).await;
    }
}

fn new_folder(options: &Options) -> PathBuf {
    static LAST: AtomicU64 = AtomicU64::new(0);
    let number = LAST.fetch_add(1, Ordering::Relaxed);
    let folder = options.parent.clone().unwrap_or_else(std::env::temp_dir);
    let folder = folder.join(format!("eventflow-nats-{}-{number}", std::process::id()));
    // Left by a killed process of the same id.
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("a temporary folder");
    folder
}

fn launch(folder: &Path, port: u16, options: &Options) -> Guarded {
    let max_file = options.max_file.map(|bytes| format!(", max_file: {bytes}")).unwrap_or_default();
    let sync = if options.sync_always { ", sync_interval: always" } else { "" };
    let user = options
        .user
        .as_ref()
        .map(|(user, password)| format!("authorization {{ user: {user:?}, password: {password:?} }}\n"));
    let config = format!(
        "listen: \"127.0.0.1:{port}\"\njetstream {{ store_dir: \"{}\"{max_file}{sync} }}\n{}",
        folder.join("store").display(),
        user.unwrap_or_default(),
    );
    let file = folder.join("nats.conf");
    std::fs::write(&file, config).expect("the configuration is written");
    let program = program("nats-server", &[]);
    let args = [Path::new("-c"), &file];
    Guarded::start(&program, args, &folder.join("log"), Some(folder)).expect("nats-server is started")
}

/// The server says INFO to who connects once it is ready.
async fn until_ready(server: &Guarded, port: u16) -> Result<(), &'static str> {
    let ready = async {
        // It may look dead for a moment, while one program becomes another.
        let mut dead = 0;
        while dead < 5 {
            if says_info(port).await {
                return Ok(());
            }
            dead = if server.is_alive() { 0 } else { dead + 1 };
            sleep(Duration::from_millis(10)).await;
        }
        Err("it ended")
    };
    timeout(START, ready).await.unwrap_or(Err("it does not answer"))
}

async fn says_info(port: u16) -> bool {
    let Ok(stream) = TcpStream::connect(("127.0.0.1", port)).await else { return false };
    let mut line = String::new();
    let read = timeout(Duration::from_secs(1), BufReader::new(stream).read_line(&mut line)).await;
    matches!(read, Ok(Ok(_))) && line.starts_with("INFO ")
}

fn log(folder: &Path) -> String {
    std::fs::read_to_string(folder.join("log")).unwrap_or_default()
}
