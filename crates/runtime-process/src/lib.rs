//! Functions as processes of this machine: the port `Runtime` for `runtime: process`.
//!
//! Job mode starts the command once per call; http mode keeps copies that serve on `$PORT`. Nothing is started
//! directly: a small launcher (the same program, see [`exec_child`]) stands between, owns everything the command
//! starts, and ends it all when its socket to us closes, however we die.
//!
//! ```text
//!   ProcessRuntime ──order──▶ launcher (own session, subreaper) ──▶ command (own group) ──▶ whatever it starts
//!        ▲  ▲                    │                                    │
//!        │  └── started, ended ──┘                                    │
//!        └───────────────────── stdout, stderr (bounded pipes) ───────┘
//! ```
//!
//! This is no sandbox: a process function runs as the user that runs EventFlow. What is kept apart is the
//! environment (an allow-list), the working folder (one per call, or per warm copy) and the life time.

mod capture;
mod child;
mod config;
mod environment;
pub mod exec_child;
mod http;
mod job;
mod proc;
mod readiness;
mod resolve;
mod result;
mod runtime;
mod scratch;
mod stale;
mod wire;

pub use config::{Bounds, Launcher, ProcessConfig};
pub use eventflow_runtime_http::warm::{CopyLine, Observer};
pub use runtime::ProcessRuntime;
