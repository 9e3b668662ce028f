//! Between the api and the dispatchers: the port `Invoker` carried to another process.
//!
//! ```text
//!  api: RemoteInvoker ──gRPC DispatcherService──▶ server: Invoker of that process ──▶ runtime
//!           │ rendezvous hash of the function, spill when loaded, the next one when a peer is gone
//!           └──HTTP /internal/v1/fn/…, streamed both ways, upgrades included──▶ the same
//! ```
//!
//! Every request carries a token of [`eventflow_auth::PeerKey`]: a listener of ours answers nobody else, not even a
//! user's admin token. Whether the caller may call was judged by the api.

mod choice;
mod client;
mod peers;
mod server;
mod wire;

pub use client::{ClientConfig, RemoteInvoker};
pub use peers::StaticPeers;
pub use server::{LoadSource, OwnLoad, ServerParts, routes};

/// The header with the token that one service of ours shows another.
const PEER_HEADER: &str = "eventflow-peer";
/// The header with the head of a passed request, base64url of `PassRequest`.
const CALL_HEADER: &str = "eventflow-call";
/// The header with the head of a passed answer, base64url of `PassAnswer`.
const ANSWER_HEADER: &str = "eventflow-answer";
/// Requests to function URLs come below this path.
const FN_PREFIX: &str = "/internal/v1/fn";
/// Room in a message beside its payload.
const ENVELOPE: usize = 1 << 20;
/// The reason of a refusal by a dispatcher that stops: nothing was run, another one may be asked.
const DRAINING: &str = "Draining";
