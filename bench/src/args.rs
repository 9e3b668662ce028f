//! The command line.

use clap::{Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Measures EventFlow side by side with what it is built on.
#[derive(Debug, Parser)]
#[command(name = "eventflow-bench")]
pub(crate) struct Cli {
    /// Fewer and shorter rounds: under three minutes instead of twenty.
    #[arg(long)]
    pub(crate) quick: bool,
    /// Only subjects whose name holds this: rest-accept, grpc-accept, wasm, sync-lean, sync-component, restart, start,
    /// memory, durable, end-to-end, services-rest, services-grpc, services-end, services-drain, kubernetes-operator,
    /// kubernetes-jobs. May be given more than once.
    #[arg(long)]
    pub(crate) only: Vec<String>,
    /// Write every single figure to this file.
    #[arg(long)]
    pub(crate) json: Option<PathBuf>,
    /// The binary to measure. Default: `eventflow` beside this program.
    #[arg(long, env = "EVENTFLOW_BIN")]
    pub(crate) eventflow: Option<PathBuf>,
    /// The wasmtime command line. Default: `wasmtime` of the PATH; without one, its rows are skipped.
    #[arg(long, env = "WASMTIME_BIN")]
    pub(crate) wasmtime: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

impl Cli {
    pub(crate) fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| name.contains(only.as_str()))
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve as one of the peers (started by the measurement itself).
    #[command(hide = true)]
    Peer {
        kind: Peer,
        /// Where a peer that stores keeps its data: a folder for SQLite.
        #[arg(long)]
        data: Option<PathBuf>,
        /// Or a PostgreSQL database, new and empty.
        #[arg(long)]
        postgres: Option<String>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Peer {
    /// axum: a POST, a durable insert, 202.
    RestAccept,
    /// tonic: a unary call, a durable insert.
    GrpcAccept,
    /// axum: a POST answered with a constant.
    Constant,
}
