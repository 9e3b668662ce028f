//! Functions in a cluster: the port `Runtime` for `runtime: container`.
//!
//! ```text
//!   run ──▶ Job fn-<function>-<id>-<attempt> ──▶ pod ──▶ its state (one watch for all), its log, its result
//!             │ made once: a name that is taken is ours, or refused          ▲
//!             │ payload: annotation, or fetched by an init container ────────┤ transfer: the port that pods reach
//!             └ result: termination message, stdout, or uploaded ────────────┘
//!
//!   serve ──▶ pool of the ready pods (EndpointSlices) ──▶ the less loaded of two ──▶ answer, streamed
//!               └ none there: the request is held, the Deployment gets its first copy
//!
//!   scale: warm copies by what runs and waits, by the one dispatcher that holds the Lease
//! ```
//!
//! One Job is one attempt: it makes one pod and never a second one. What Kubernetes keeps is enough to go on after a
//! crash of ours: any dispatcher can follow a Job that another one made.

mod config;
mod http;
mod job;
mod runtime;
mod scale;
mod transfer;

pub use config::{JobSettings, KubernetesConfig};
pub use runtime::{KubernetesRuntime, Watches};
pub use scale::{Decision, Load, LoadOf, Scaler, ScalerConfig, Trend, decide};
pub use transfer::{Secret, Transfer};
