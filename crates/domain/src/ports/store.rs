//! The record: the one thing that must not be lost. Every method is one transaction; a returned `Ok` is durable
//! unless the method says otherwise.

mod configs;
mod functions;
mod invocations;
mod logs;
mod shared;
mod slots;

pub use configs::{ConfigData, ConfigEntry, ConfigKind, ConfigStore};
pub use functions::{FunctionPage, FunctionRow, FunctionStore};
pub use invocations::{
    Accepted, Claim, ClaimRequest, DeadLetterGroup, Ended, EndedCell, EndedQuery, Expired, IdempotencyKey,
    InvocationFilter, InvocationPage, InvocationStore, Lease, NewInvocation, OutboxRow, QueueStats, Renewal,
    Retention, RetentionReport, Settled, Settlement, Start, Swept, WindowStats,
};
pub use logs::{LineKey, LogQuery, LogStore};
pub use shared::{FunctionNews, ReadinessReport, ReadinessRow, SharedFunctionStore};
pub use slots::{SlotStore, SlotWant};

/// The whole record.
pub trait Store: FunctionStore + InvocationStore + LogStore + ConfigStore {}
impl<T: FunctionStore + InvocationStore + LogStore + ConfigStore> Store for T {}
