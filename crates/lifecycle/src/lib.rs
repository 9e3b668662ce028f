//! How a process of EventFlow lives: its configuration, its clock, its tasks, its health and its end.
//!
//! Every binary starts the same way: [`config`] → telemetry guard → bind listeners → build → [`Supervisor`] →
//! drain. Rooms never start tasks by themselves: they take a [`Handle`], so that no task dies unseen and every
//! task hears of the shutdown.
//!
//! ```text
//!   signal, fatal task, Handle::shutdown
//!        │
//!        ▼
//!   not ready ──▶ stop accepting ──▶ in-flight work ends ──▶ cancel ──▶ join ──▶ exit code
//!   (health)      (draining())       (≤ grace)              (token())  (≤ join)
//! ```
//!
//! It is no framework: it knows no service, no transport and no store.

mod clock;
pub mod config;
mod health;
mod signals;
mod supervisor;

pub use clock::SystemClock;
pub use health::{Check, CheckReport, Health, Phase, Report};
pub use signals::{Signal, Signals};
pub use supervisor::{Exit, Handle, InFlight, OnExit, Outcome, ShutdownConfig, Supervisor};
pub use tokio_util::sync::CancellationToken;
