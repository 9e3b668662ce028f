//! From a Function to what runs it: Deployment, Service, autoscaler, network policies, versions, status.
//!
//! ```text
//!   API server ──watches──▶ Index ──keys──▶ Queue ──▶ reconcile ──gate (Lease)──▶ API server
//!                  │                                      ▲
//!                  └──▶ Progress ──▶ /healthz             └─ dereference → validate → build → apply → update status
//! ```
//!
//! Any number of operators watch; the one that holds the Lease writes. Nothing is decided from memory: what the next
//! process finds in the cluster is enough to go on.

pub mod admission;
mod client;
mod compare;
mod config;
mod controller;
mod events;
mod index;
mod lease;
mod metrics;
mod progress;
mod queue;
mod reason;
mod reconcile;
mod watches;

pub use client::{NotLeading, gated, heard};
pub use compare::{digest, is_within};
pub use config::Config;
pub use controller::Operator;
pub use events::Events;
pub use index::{Declared, Index, Kept, Key, Kind, Room, View};
pub use lease::{Election, Leadership, Times};
pub use metrics::Metrics;
pub use progress::{PATIENCE, Progress};
pub use queue::{Queue, Verdict};
pub use reconcile::{Context, Error, References, reconcile};
