//! The ports: what the services need of the world, each with a contract suite in `eventflow_testkit` that every
//! adapter passes.

mod blobs;
mod bus;
mod clock;
mod events;
mod invoker;
mod peers;
mod registry;
mod runtime;
mod store;

pub use blobs::{BlobInfo, BlobKey, Blobs, ByteStream};
pub use bus::{Bus, Delivery, Live, Message, Topic};
pub use clock::Clock;
pub use events::{FunctionEvent, FunctionEvents, NoEvents};
pub use invoker::{CallBody, Invoker, ProxyCall, SyncAnswer, SyncCall};
pub use peers::{Peer, Peers};
pub use registry::{Applied, Apply, FunctionRegistry, Precondition, RegistryEvent};
pub use runtime::{
    Call, Duplex, HttpRequest, HttpResponse, LogSink, Ran, Run, Runtime, RuntimeReport, Upgraded,
};
pub use store::{
    Accepted, Claim, ClaimRequest, ConfigData, ConfigEntry, ConfigKind, ConfigStore, DeadLetterGroup, Ended,
    EndedCell, EndedQuery, Expired, FunctionNews, FunctionPage, FunctionRow, FunctionStore, IdempotencyKey,
    InvocationFilter, InvocationPage, InvocationStore, Lease, LineKey, LogQuery, LogStore, NewInvocation,
    OutboxRow, QueueStats, ReadinessReport, ReadinessRow, Renewal, Retention, RetentionReport, Settled,
    Settlement, SharedFunctionStore, SlotStore, SlotWant, Start, Store, Swept, WindowStats,
};
