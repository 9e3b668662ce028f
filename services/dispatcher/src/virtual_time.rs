//! The dispatcher over hours of virtual time: time stands still while anything can run, and jumps to the next timer.
//!
//! Nothing here is outside the process. The record is in memory and decides by `lifecycle::step` as the real ones
//! do; each dispatcher reaches it over a line of its own that can be cut, so that a process that hangs, or a
//! database that is away, is one word in a test.

mod adoption;
mod clock;
mod fairness;
mod leases;
mod queues;
mod record;
mod retries;
mod runtime;
mod shared_bus;
mod shares;
mod store;
mod sync;
mod world;

pub(crate) use store::SlotTable;
