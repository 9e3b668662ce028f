//! Adapters of the port [`Bus`](eventflow_domain::ports::Bus): transport of work to workers, and live news to whoever
//! listens. A bus is never the record: wiping it loses nothing.
//!
//! ```text
//!   relay ──publish──▶ queue of a function ──fetch──▶ in flight ──ack──▶ forgotten
//!                        ▲        │                      │
//!                        │        └─▶ active()           │ nak
//!                        └───────── delayed ◀────────────┘
//! ```
//!
//! [`InMemoryBus`] is the bus of one process; [`JetStreamBus`] that of many, over NATS JetStream.

mod bells;
pub mod in_memory;
pub mod jetstream;

pub use in_memory::InMemoryBus;
pub use jetstream::JetStreamBus;
