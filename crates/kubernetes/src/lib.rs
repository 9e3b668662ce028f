//! What the adapters for Kubernetes share: the client, the namespaces that are opted in, and watches kept in memory.
//!
//! ```text
//!   Namespaces (label eventflow.io/enabled=true, or a list) ──▶ Cache<K>: one watch per namespace
//!                                                                 │ get, list: from memory
//!                                                                 └ changes: to whoever listens
//!                                                          ──▶ Events: only of namespaces that are looked at
//! ```
//!
//! Watches are kept per namespace, so that roles there are enough: nothing needs a right in all namespaces but to see
//! which ones are opted in. A watch that is silent for a minute is opened anew, and one that fails is tried again with
//! a growing pause of up to 30 seconds; what is in memory stays there meanwhile.

mod cache;
mod client;
mod ended;
mod errors;
mod events;
mod lease;
mod namespaces;
mod peers;

pub use cache::{Cache, Change, Selector};
pub use client::{ConnectError, connect};
pub use ended::{failure, timestamp};
pub use errors::{is_conflict, is_gone, message, to_domain};
pub use events::{Events, Told};
pub use lease::{Holder, LeaseConfig};
pub use namespaces::{Chosen, Namespaces};
pub use peers::EndpointPeers;

/// Set on a namespace, to `true`: EventFlow works there.
pub const ENABLED: &str = "eventflow.io/enabled";
