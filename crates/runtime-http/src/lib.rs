//! How a request reaches a copy that serves, and how its answer comes back: what runtimes with an http mode share.
//!
//! ```text
//!   HttpRequest ──request──▶ Connections (keep-alive) ──▶ copy ──answer──▶ HttpResponse, streamed,
//!                                                                          holding its Place until it is read
//! ```
//!
//! Which copy takes the request is the business of [`warm`], where the runtime itself starts the copies, and of the
//! runtime where others do.

mod answer;
mod connections;
pub mod oci;
mod quick_ack;
mod request;
mod tail;
mod tasks;
pub mod warm;
pub mod wrong_mode;

pub use answer::{Answered, Place};
pub use connections::{Body, Connections, Error, Sender};
pub use request::build as request;
pub use tail::Tail;
pub use tasks::Tasks;
