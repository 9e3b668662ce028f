//! The real binary on a data folder of its own, and the few calls that prepare a measurement.

use crate::load::{HttpCaller, Request};
use crate::process::Process;
use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use tokio::process::Command;

/// Of every call that is measured: 256 bytes.
pub(crate) const PAYLOAD: Bytes = Bytes::from_static(&[b'x'; 256]);

/// Gives its payload back.
pub(crate) const LEAN: &str = r#"(module
  (memory (export "memory") 4)
  (func (export "ef_alloc") (param i32) (result i32) (i32.const 1024))
  (func (export "ef_handle") (param i32 i32) (result i64)
    (i64.or (i64.shl (i64.extend_i32_u (local.get 0)) (i64.const 32)) (i64.extend_i32_u (local.get 1)))))"#;

/// Given or beside this program.
pub(crate) fn binary(given: Option<&Path>) -> Result<PathBuf> {
    let path = match given {
        Some(path) => path.to_owned(),
        None => std::env::current_exe()?.with_file_name("eventflow"),
    };
    ensure!(
        path.is_file(),
        "{} is not there: `cargo build --release --bin eventflow` makes it, or name it by EVENTFLOW_BIN",
        path.display()
    );
    Ok(path)
}

/// A server that runs. The folder outlives it.
#[derive(Debug)]
pub(crate) struct EventFlow {
    pub(crate) process: Process,
    pub(crate) token: String,
}

impl EventFlow {
    pub(crate) async fn start(binary: &Path, data: &TempDir) -> Result<Self> {
        Self::log_in(spawn(binary, data).await?).await
    }

    /// Of a server that is ready.
    pub(crate) async fn log_in(process: Process) -> Result<Self> {
        let login = json!({"username": "admin", "password": "admin"});
        let answer = send(&process.address, &post_json("/auth/token", &login), None).await?;
        let token = answer.get("token").and_then(Value::as_str).context("no token in the answer")?.to_owned();
        Ok(Self { process, token })
    }

    pub(crate) fn address(&self) -> &str {
        &self.process.address
    }

    /// Stores code; what `image` names it by.
    pub(crate) async fn upload(&self, code: impl Into<Bytes>) -> Result<String> {
        let request = Request::post("/v1/artifacts", code);
        let answer = send(self.address(), &request, Some(&self.token)).await?;
        let digest = answer.get("digest").and_then(Value::as_str).context("no digest in the answer")?;
        Ok(format!("artifact@{digest}"))
    }

    pub(crate) async fn apply(&self, name: &str, image: &str, mode: &str) -> Result<()> {
        let function = json!({
            "name": name, "runtime": "wasm", "image": image, "mode": mode, "queue": {"max": 1_000_000},
            "concurrency": 256,
        });
        let request = post_json("/v1/functions", &function);
        send(self.address(), &request, Some(&self.token)).await.map(drop)
    }

    /// A call of `name` that is ready to be made; `query` without its `?`.
    pub(crate) fn invoke(&self, name: &str, query: &str) -> Request {
        invoke(name, query, &self.token)
    }
}

pub(crate) fn invoke(name: &str, query: &str, token: &str) -> Request {
    Request::post(format!("/v1/functions/{name}:invoke?{query}"), PAYLOAD).with_token(token)
}

/// Started and ready, without any call.
pub(crate) async fn spawn(binary: &Path, data: &TempDir) -> Result<Process> {
    let mut command = Command::new(binary);
    command.args(["dev", "--listen", "127.0.0.1:0", "--no-examples", "--data"]).arg(data.path());
    Process::start(command, false).await
}

fn post_json(path: &str, body: &Value) -> Request {
    Request { content_type: "application/json", ..Request::post(path, body.to_string()) }
}

async fn send(address: &str, request: &Request, token: Option<&str>) -> Result<Value> {
    let request = token.map_or_else(|| request.clone(), |token| request.clone().with_token(token));
    let mut caller = HttpCaller::connect(address, &request, 200).await?;
    let (status, body) = caller.exchange().await?;
    let text = String::from_utf8_lossy(&body);
    ensure!((200..300).contains(&status), "{} {}: {status} {text}", request.method, request.path);
    Ok(serde_json::from_slice(&body).unwrap_or_default())
}
