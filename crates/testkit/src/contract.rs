//! One suite for each port. An adapter's tests call its functions against the real thing.

pub mod blobs;
pub mod bus;
pub mod registry;
pub mod runtime;
pub mod store;
