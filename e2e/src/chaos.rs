//! Chaos: a fleet under load of all kinds, while harm of all kinds is done to every process and every server of it; then
//! everything is read back, and the books must balance.
//!
//! ```text
//!   bin/chaos ── one process for each seed, in a network and mounts of its own ──▶ run
//!   run:  ground (disks, fleet) ── load ──▶ requests ┐
//!         plan (by the seed) ── faults ──▶ harm      ├──▶ checker
//!         watch (reads meanwhile) ──▶ what had ended ┘
//! ```

pub mod faults;
mod ground;
mod net;
pub mod plan;
mod probe;
pub mod report;
mod run;
mod stalls;
mod streams;
mod watch;

pub use faults::Fault;
pub use ground::Ground;
pub use net::OWN as OWN_NET;
pub use plan::Plan;
pub use report::Report;
pub use run::{Size, run, wall};
