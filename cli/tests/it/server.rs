//! `eventflow dev` in a process of its own, and a client of its one port.

use serde_json::Value;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs::File;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::timeout;

const SOON: Duration = Duration::from_secs(30);

/// The binary, in an environment of nothing but what `home` and the search path are.
pub(crate) fn eventflow(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_eventflow"));
    command.env_clear().env("HOME", home).env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.kill_on_drop(true);
    command
}

pub(crate) struct Server {
    child: Child,
    folder: TempDir,
    pub(crate) address: String,
    pub(crate) token: String,
}

/// An HTTP answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

impl Server {
    pub(crate) async fn start(settings: &[String]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let log = File::create(folder.path().join("log")).expect("a file");
        let mut command = eventflow(folder.path());
        command.args(["dev", "--listen", "127.0.0.1:0", "--no-examples", "--data"]);
        command.arg(folder.path().join("data"));
        for setting in settings {
            command.args(["--set", setting]);
        }
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).spawn().expect("should start");
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let ready = timeout(SOON, lines.next_line()).await.expect("in time").expect("a line");
        let ready = ready.unwrap_or_else(|| panic!("ended: {}", log_of(folder.path())));
        let address = ready.rsplit("http://").next().expect("an address").to_owned();
        let mut server = Self { child, folder, address, token: String::new() };
        let login =
            server.send("POST", "/auth/token", &[], r#"{"username":"admin","password":"admin"}"#).await;
        server.token = login.json()["token"].as_str().expect("a token").to_owned();
        server
    }

    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let mut text = format!("{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n", self.address);
        if !self.token.is_empty() {
            let _ = write!(text, "authorization: Bearer {}\r\n", self.token);
        }
        for (name, value) in headers {
            let _ = write!(text, "{name}: {value}\r\n");
        }
        let _ = write!(text, "content-length: {}\r\n\r\n{body}", body.len());
        let mut stream = TcpStream::connect(&self.address).await.expect("a connection");
        stream.write_all(text.as_bytes()).await.expect("sent");
        let mut out = Vec::new();
        timeout(SOON, stream.read_to_end(&mut out)).await.expect("in time").expect("an answer");
        read(&String::from_utf8(out).expect("text"))
    }

    pub(crate) async fn apply(&self, function: &Value) {
        let json = [("content-type", "application/json")];
        let answer = self.send("POST", "/v1/functions", &json, &function.to_string()).await;
        assert_eq!(answer.status, 201, "{}", answer.body);
    }

    /// Ends it as a person would, and returns what it logged.
    pub(crate) async fn stop(mut self) -> String {
        let pid = self.child.id().expect("should run").to_string();
        let signalled = Command::new("kill").args(["-TERM", &pid]).status().await.expect("a signal");
        assert!(signalled.success());
        let ended = timeout(SOON, self.child.wait()).await.expect("in time").expect("a status");
        let log = log_of(self.folder.path());
        assert!(ended.success(), "{ended}: {log}");
        log
    }
}

fn log_of(folder: &Path) -> String {
    std::fs::read_to_string(folder.join("log")).unwrap_or_default()
}

fn read(text: &str) -> Answer {
    let (head, body) = text.split_once("\r\n\r\n").expect("a head");
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok()).expect("a status");
    let header = |line: &str| line.split_once(": ").map(|(k, v)| (k.to_lowercase(), v.to_owned()));
    let headers: HashMap<_, _> = lines.filter_map(header).collect();
    let chunked = headers.get("transfer-encoding").is_some_and(|coding| coding == "chunked");
    let body = if chunked { unchunked(body) } else { body.to_owned() };
    Answer { status, headers, body }
}

fn unchunked(mut text: &str) -> String {
    let mut out = String::new();
    while let Some((size, rest)) = text.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).expect("a size");
        out.push_str(&rest[..size]);
        text = rest[size..].trim_start_matches("\r\n");
    }
    out
}
