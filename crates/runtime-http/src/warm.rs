//! Warm copies that serve on a port: how many there are, which call gets which, and what is said of them.
//!
//! ```text
//!   Pools ── one per version ──▶ Pool ── slots, waiting calls, backoff ──▶ Copy ── connections, output
//!                                 │                                         ▲
//!                                 └── a task per copy (life.rs): start, watch, idle stop
//! ```
//!
//! What a copy is, a process or a container, is the business of whoever implements [`Start`] and [`Held`].

mod condition;
mod copy;
mod lease;
mod life;
mod lines;
mod observer;
mod pool;
mod pools;
mod probe;
mod serve;
mod start;
mod state;
mod status;

pub use condition::condition;
pub use lines::Lines;
pub use observer::{CopyLine, Nobody, Observer};
pub use pools::Pools;
pub use probe::{Probe, too_late};
pub use start::{Env, Held, NotStarted, Output, Settings, Start, Started, Wish};
