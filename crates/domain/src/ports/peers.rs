use std::fmt::Debug;
use std::sync::Arc;

/// Where a replica of one of our services is reached: `host:port`.
pub type Peer = Arc<str>;

/// The replicas of one service that may be asked now.
///
/// Answers from memory: how it learns of them is the adapter's business. One that is listed may be gone already.
pub trait Peers: Debug + Send + Sync {
    /// In no order that means anything; empty where none is known.
    fn current(&self) -> Arc<[Peer]>;
}
