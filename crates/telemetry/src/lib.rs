//! What EventFlow says about itself: logs, metrics, traces.
//!
//! [`init`] sets up logs (JSON lines, or text on a terminal) and, if an endpoint is configured, spans over OTLP;
//! the [`Guard`] it returns sends what is left when the process ends. [`Metrics`] is one registry with every
//! metric of the platform. [`propagation`] carries the W3C trace context from and to headers.
//!
//! ```text
//!   gateway ──headers──▶ api ──record──▶ dispatcher ──env, headers──▶ function
//!      └───────────── one trace: propagation::{http, grpc} ──────────────┘
//! ```
//!
//! A request has one span, made with `tracing::info_span!(target: "eventflow…", …)` and handed to
//! [`propagation::adopt`]; spans inside it are `debug_span!`, which cost nothing unless OTLP is on.

mod config;
mod init;
mod log;
pub mod metrics;
pub mod names;
pub mod propagation;

pub use config::{Config, Format};
pub use init::{Error, Guard, init};
pub use metrics::{FunctionMetrics, Metrics};
