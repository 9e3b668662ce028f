//! The record: the one thing that must not be lost. Every method is one transaction; a returned `Ok` is durable
//! unless the method says otherwise.

mod configs;
mod functions;
mod invocations;
mod logs;

pub use configs::{ConfigData, ConfigEntry, ConfigKind, ConfigStore};
pub use functions::{FunctionPage, FunctionRow, FunctionStore};
pub use invocations::{
    Accepted, Claim, ClaimRequest, IdempotencyKey, InvocationFilter, InvocationPage, InvocationStore, Lease,
    NewInvocation, OutboxRow, QueueStats, Renewal, Retention, RetentionReport, Settled, Settlement, Start,
    Swept, WindowStats,
};
pub use logs::{LogQuery, LogStore};

/// The whole record.
pub trait Store: FunctionStore + InvocationStore + LogStore + ConfigStore {}
impl<T: FunctionStore + InvocationStore + LogStore + ConfigStore> Store for T {}
