//! The dispatcher: takes calls that wait, runs them, and writes down how they ended.
//!
//! ```text
//!  outbox ──relay──▶ bus ──fetch──▶ scheduler ──claim──▶ attempt ──▶ settle ──▶ store
//!                                   (ring, slots)          │ ▲
//!  Invoker::call ──────────────────────┘                   ▼ │ cut: cancelled, released, lease gone
//!  Invoker::proxy ─────────────────────┘                runtime   ◀── leases
//!
//!  shares: of each function's bound, what this process may run, where there are several
//!  adopt: a run that outlives its worker (a Job) is taken over by another one, as the same attempt
//!  accept: a call for which a slot is free is committed as running, and skips outbox, bus and claim
//!  beside it: sweeper (lost leases, forgotten calls, retention) · functions (prepare, delete) · logs · recorder
//! ```
//!
//! It works over ports only and keeps nothing that the store does not know: a process that dies loses time, not
//! calls. It is no API: who may call what was decided before.

mod adapt;
mod adopt;
mod attempt;
mod backoff;
mod budget;
mod config;
mod control;
mod core;
mod dispatcher;
mod functions;
mod leased;
mod leases;
mod logs;
mod ports;
mod proxy;
mod recorder;
pub mod relay;
mod ring;
mod scheduler;
mod settle;
mod shares;
mod slots;
mod sweeper;
mod sync;
#[cfg(test)]
mod virtual_time;

pub use config::Config;
pub use dispatcher::{Dispatcher, Status};
pub use ports::Ports;
pub use relay::{Relay, Wake};
