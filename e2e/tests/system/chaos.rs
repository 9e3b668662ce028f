//! The server killed, stopped, starved and flooded, and every call accounted for.

pub(crate) mod children;
pub(crate) mod functions;
mod load;
pub(crate) mod readback;
mod storm;
mod tries;
