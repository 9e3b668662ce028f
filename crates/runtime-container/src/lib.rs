//! Functions as containers of this machine: the port `Runtime` for `runtime: container` in the local shape, over the
//! socket of a Docker-compatible engine (Docker, or Podman).
//!
//! ```text
//!   ContainerRuntime ─▶ Engine: which socket answers, what it can limit
//!        ├ job   ─▶ create ─▶ payload in ─▶ attach ─▶ start ─▶ exit ─▶ result out ─▶ remove
//!        ├ http  ─▶ warm copies (eventflow-runtime-http), a loopback port each
//!        └ sweep ─▶ removes what an earlier server, or a broken answer, left in the engine
//! ```
//!
//! An engine may come and go while the server runs. Containers do not outlive their server: what a killed one left is
//! removed before the next one starts anything, told apart by the labels of [`Installation`].

mod archive;
mod config;
mod copies;
mod engine;
mod exit;
mod find;
mod guard;
mod images;
mod installation;
mod job;
mod object;
mod output;
mod readiness;
mod runtime;
mod sweep;
mod verdict;

pub use config::{Bounds, ContainerConfig};
pub use find::Sockets;
pub use installation::Installation;
pub use runtime::ContainerRuntime;
