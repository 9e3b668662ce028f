//! The server killed, stopped, starved and flooded, and every call accounted for.

pub(crate) mod children;
mod edges;
mod fairness;
mod full_disk;
pub(crate) mod functions;
mod graceful;
mod load;
pub(crate) mod readback;
mod scene;
mod storm;
mod tries;
