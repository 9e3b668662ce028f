//! Http mode: warm copies of a command that serve on `$PORT`.
//!
//! ```text
//!   Pools ── one per version ──▶ Pool ── slots, waiting calls, backoff ──▶ Copy ── connections, output
//!                                 │                                         ▲
//!                                 └── a task per copy (life.rs): start, watch, idle stop
//! ```

mod copy;
mod lease;
mod life;
mod output;
mod pool;
mod pools;
mod serve;
mod state;
mod status;

pub(crate) use pools::Pools;
pub(crate) use serve::serve;
