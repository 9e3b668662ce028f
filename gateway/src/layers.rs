//! What holds for every request, whatever answers it.

pub(crate) mod cors;
pub(crate) mod grpc;
pub(crate) mod guard;
pub(crate) mod outer;
mod span;
