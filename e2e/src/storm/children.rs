//! Processes that a server or its functions started, known by a variable in their environment.

use crate::Server;
use crate::server::Options;
use crate::wait::until;
use std::fs;
use std::path::Path;
use std::time::Duration;

const MARK: &str = "CHAOS_MARK";
/// What a test may wait for the end of what a dead server started.
pub const GONE: Duration = Duration::from_secs(5);

/// A variable of one test's own.
#[derive(Debug, Clone)]
pub struct Mark(String);

impl Default for Mark {
    fn default() -> Self {
        Self::new()
    }
}

impl Mark {
    pub fn new() -> Self {
        Self(format!("{}-{:016x}", std::process::id(), rand::random::<u64>()))
    }

    /// The server carries it, and so do the launchers that it starts.
    pub fn on(&self, options: Options) -> Options {
        options.env(MARK, &self.0)
    }

    /// For the `env` of a function: EventFlow hands on nothing of the server's own.
    pub fn env(&self) -> serde_json::Value {
        serde_json::json!({ MARK: self.0 })
    }

    /// Live processes that carry it, as `pid: command`.
    pub fn carried_by(&self) -> Vec<String> {
        let entry = format!("{MARK}={}", self.0);
        let found = fs::read_dir("/proc").expect("a /proc").filter_map(|folder| {
            let pid: u32 = folder.ok()?.file_name().to_str()?.parse().ok()?;
            let folder = Path::new("/proc").join(pid.to_string());
            let environment = fs::read(folder.join("environ")).ok()?;
            let marked = environment.split(|byte| *byte == 0).any(|found| found == entry.as_bytes());
            let command = String::from_utf8_lossy(&fs::read(folder.join("cmdline")).ok()?).replace('\0', " ");
            marked.then(|| format!("{pid}: {command}"))
        });
        found.collect()
    }

    /// Waits until `count` processes carry it.
    pub async fn at_least(&self, count: usize) {
        until("the processes run", Duration::from_secs(20), async || {
            (self.carried_by().len() >= count).then_some(())
        })
        .await;
    }

    /// Fails where something is left 5 s after the server's end.
    pub async fn nothing_left(&self) {
        let mut left = Vec::new();
        let gone = async {
            loop {
                left = self.carried_by();
                if left.is_empty() {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let gone = tokio::time::timeout(GONE, gone).await;
        assert!(gone.is_ok(), "these outlived the server: {left:#?}");
    }
}

/// Bytes of memory that are the server's own now, in all of its processes.
pub fn resident(server: &Server) -> u64 {
    server.pids().into_iter().map(resident_of).sum()
}

fn resident_of(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("a status");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("a size");
    line.split_whitespace().nth(1).expect("a size").parse::<u64>().expect("a number") << 10
}
