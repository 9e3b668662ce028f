//! Load on an EventFlow that harm is done to, and what is read back afterwards.

pub mod children;
pub mod functions;
pub mod load;
pub mod readback;
pub mod tries;
