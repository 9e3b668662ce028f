//! What the binaries share, and the binaries of the cluster: the room that names adapters.
//!
//! ```text
//!   eventflow dev (cli) ─┐
//!   eventflow-api ───────┼──▶ sections (configuration) ──▶ translate ──▶ services, runtimes, gateway
//!   eventflow-dispatcher ┤    adapters: PostgreSQL, JetStream, blobs, registry, key
//!   eventflow-gateway ───┘    peers: where the others are
//!   eventflow-operator ────▶ its own sections ──▶ services/operator over the API server
//! ```

pub mod adapters;
pub mod api;
#[cfg(feature = "kubernetes")]
pub mod cluster;
#[cfg(not(feature = "kubernetes"))]
#[path = "no_cluster.rs"]
pub mod cluster;
pub mod copies;
pub mod dispatcher;
pub mod gateway;
mod in_order;
#[cfg(feature = "kubernetes")]
pub mod operator;
pub mod peers;
pub mod ranges;
pub mod sections;
pub mod service;
pub mod translate;
mod users;

pub use copies::Copies;
