//! What EventFlow talks about: names, functions, invocations, and the ports through which the rest of the
//! world is reached.
//!
//! This crate knows no transport, database, broker, runtime or cluster. The life of an invocation is a pure
//! state machine ([`lifecycle::step`]); adapters of the ports in [`ports`] carry out what it decides.
//!
//! ```text
//!   api ──accept──▶ ports::Store ──outbox──▶ ports::Bus ──▶ dispatcher ──▶ ports::Runtime
//!                        ▲                                      │
//!                        └────────── lifecycle::step ◀──settle──┘
//! ```

pub mod access;
pub mod activity;
pub mod error;
pub mod function;
pub mod ids;
pub mod invocation;
pub mod lifecycle;
pub mod limits;
pub mod logs;
pub mod names;
pub mod ports;
pub mod quantity;
pub mod spec;
pub mod suggest;
pub mod time;
pub mod trace;
pub mod validate;

pub use bytes::Bytes;
pub use error::{Error, ErrorKind, Result, Violation};
pub use function::{
    Condition, ConditionStatus, CopyExit, CopyState, Function, FunctionEvent, FunctionKey, FunctionVersion,
    Manager, Readiness, WarmCopy,
};
pub use ids::{ArtifactDigest, Epoch, FunctionUid, InvocationId, VersionNumber, WorkerId};
pub use invocation::{Attempt, Body, Failure, Invocation, Output, Reason, Source, StartKind};
pub use lifecycle::State;
pub use names::{ConfigName, EnvName, FunctionName, Namespace};
pub use spec::{FunctionSpec, Mode, RuntimeKind};
pub use time::Timestamp;
