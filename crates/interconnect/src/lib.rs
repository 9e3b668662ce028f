//! Between our services: the port `Invoker` carried to another process, and any request to one of the apis.
//!
//! ```text
//!  api: RemoteInvoker ──gRPC DispatcherService──▶ server: Invoker of that process ──▶ runtime
//!           │ rendezvous hash of the function, spill when loaded, the next one when a peer is gone
//!           └──HTTP /internal/v1/fn/…, streamed both ways, upgrades included──▶ the same
//!  gateway: Apis ──HTTP/2, balanced per request──▶ api: public services, GatewayService
//! ```
//!
//! Every request carries a token of [`eventflow_auth::PeerKey`]: a listener of ours answers nobody else, not even a
//! user's admin token. Whether the caller may call was judged by the api.

mod balance;
mod choice;
mod client;
mod peers;
mod replay;
mod server;
mod wire;

pub use balance::{Answering, Apis, BalanceConfig};
pub use client::{ClientConfig, RemoteInvoker};
pub use peers::StaticPeers;
pub use server::{LoadSource, OwnLoad, ServerParts, routes};
pub use wire::{PassHead, malformed};

/// The header with the token that one service of ours shows another.
pub const PEER_HEADER: &str = "eventflow-peer";
/// The header by which an api tells up to which change of the functions it has seen them all.
pub const REVISION_HEADER: &str = "eventflow-revision";
/// The header by which a gateway asks an api to have seen this change: who wrote through one api reads it at the next.
pub const AT_LEAST_HEADER: &str = "eventflow-at-least";
/// The header with the head of a passed request, base64url of `PassRequest`.
const CALL_HEADER: &str = "eventflow-call";
/// The header with the head of a passed answer, base64url of `PassAnswer`.
const ANSWER_HEADER: &str = "eventflow-answer";
/// Requests to function URLs come below this path.
const FN_PREFIX: &str = "/internal/v1/fn";
/// Room in a message beside its payload.
const ENVELOPE: usize = 1 << 20;
