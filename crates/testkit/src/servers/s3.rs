//! versitygw: an S3 server over a folder.

use super::{Guarded, Signal, free_port, program};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

/// How long a start may take.
const START: Duration = Duration::from_secs(15);

/// One server on a loopback port of its own. Its folder goes with it, however the test process ends.
#[derive(Debug)]
pub struct S3Server {
    server: Guarded,
    folder: PathBuf,
    port: u16,
    buckets: AtomicU64,
    tls: Option<Tls>,
}

/// What a server proves by who it is, in PEM.
#[derive(Debug, Clone)]
struct Tls {
    certificate: String,
    key: String,
}

impl S3Server {
    pub const ACCESS_KEY: &str = "eventflow-tests";
    pub const SECRET_KEY: &str = "known-to-every-test";
    pub const REGION: &str = "us-east-1";

    pub async fn start() -> Self {
        Self::start_with(None).await
    }

    /// One that is spoken to by TLS only. Certificate and key are PEM.
    pub async fn start_with_tls(certificate: &str, key: &str) -> Self {
        Self::start_with(Some(Tls { certificate: certificate.to_owned(), key: key.to_owned() })).await
    }

    /// # Panics
    /// Where no server comes up: its log is in the message.
    #[expect(clippy::panic, reason = "this is test code in a library")]
    async fn start_with(tls: Option<Tls>) -> Self {
        let mut last = String::new();
        // Another process may take the port first.
        for _ in 0..5 {
            let (port, folder) = (free_port(), new_folder());
            let server = launch(&folder, port, tls.as_ref());
            match until_ready(&server, port, tls.is_some()).await {
                Ok(()) => return Self { server, folder, port, buckets: AtomicU64::new(0), tls },
                Err(why) => last = format!("{why}\n{}", log(&folder)),
            }
        }
        panic!("versitygw does not start: {last}")
    }

    pub fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://127.0.0.1:{}", self.port)
    }

    /// Makes an empty bucket; its name.
    pub fn new_bucket(&self) -> String {
        let name = format!("test-{}", self.buckets.fetch_add(1, Ordering::Relaxed));
        std::fs::create_dir(self.bucket(&name)).expect("a bucket is a folder");
        name
    }

    /// Where the objects of a bucket are, as files, and what is uploaded to it, under `.sgwtmp`.
    pub fn bucket(&self, name: &str) -> PathBuf {
        self.folder.join("buckets").join(name)
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

    /// Kills it if it runs, and starts it on the same port with the same buckets.
    ///
    /// # Panics
    /// Where it does not come up again.
    #[expect(clippy::panic, reason = "this is test code in a library")]
    pub async fn restart(&mut self) {
        self.kill().await;
        let folder = new_folder();
        for part in ["buckets", "metadata"] {
            std::fs::remove_dir(folder.join(part)).expect("it is empty");
            std::fs::rename(self.folder.join(part), folder.join(part)).expect("the objects move");
        }
        self.server = launch(&folder, self.port, self.tls.as_ref());
        self.folder = folder;
        if let Err(why) = until_ready(&self.server, self.port, self.tls.is_some()).await {
            panic!("versitygw does not start again: {why}\n{}", self.log());
        }
    }
}

fn new_folder() -> PathBuf {
    static LAST: AtomicU64 = AtomicU64::new(0);
    let number = LAST.fetch_add(1, Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("eventflow-s3-{}-{number}", std::process::id()));
    // Left by a killed process of the same id.
    let _ = std::fs::remove_dir_all(&folder);
    for part in ["buckets", "metadata"] {
        std::fs::create_dir_all(folder.join(part)).expect("a temporary folder");
    }
    folder
}

fn launch(folder: &Path, port: u16, tls: Option<&Tls>) -> Guarded {
    let address = format!("127.0.0.1:{port}");
    let (buckets, metadata) = (folder.join("buckets"), folder.join("metadata"));
    let (buckets, metadata) = (buckets.display().to_string(), metadata.display().to_string());
    let (certificate, key) = (folder.join("certificate.pem"), folder.join("key.pem"));
    let mut args: Vec<&str> = Vec::new();
    if let Some(tls) = tls {
        std::fs::write(&certificate, &tls.certificate).expect("the certificate is written");
        std::fs::write(&key, &tls.key).expect("the key is written");
    }
    let (certificate, key) = (certificate.display().to_string(), key.display().to_string());
    if tls.is_some() {
        args.extend(["--cert", &certificate, "--key", &key]);
    }
    args.extend(["--port", &address, "--region", S3Server::REGION]);
    args.extend(["--access", S3Server::ACCESS_KEY, "--secret", S3Server::SECRET_KEY]);
    args.extend(["--health", "/health", "--keep-alive", "--quiet"]);
    // Beside the files: not every file system has extended attributes.
    args.extend(["posix", "--sidecar", &metadata, &buckets]);
    let program = program("versitygw", &[]);
    Guarded::start(&program, args, &folder.join("log"), Some(folder)).expect("versitygw is started")
}

async fn until_ready(server: &Guarded, port: u16, tls: bool) -> Result<(), &'static str> {
    let ready = async {
        // It may look dead for a moment, while one program becomes another.
        let mut dead = 0;
        while dead < 5 {
            if is_healthy(port, tls).await {
                return Ok(());
            }
            dead = if server.is_alive() { 0 } else { dead + 1 };
            sleep(Duration::from_millis(10)).await;
        }
        Err("it ended")
    };
    timeout(START, ready).await.unwrap_or(Err("it does not answer"))
}

async fn is_healthy(port: u16, tls: bool) -> bool {
    let ask = async {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
        if tls {
            return Ok(true);
        }
        stream.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await?;
        let mut status = [0; 12];
        stream.read_exact(&mut status).await?;
        std::io::Result::Ok(&status == b"HTTP/1.1 200")
    };
    matches!(timeout(Duration::from_secs(1), ask).await, Ok(Ok(true)))
}

fn log(folder: &Path) -> String {
    std::fs::read_to_string(folder.join("log")).unwrap_or_default()
}
