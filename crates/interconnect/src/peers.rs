//! Who the replicas are.

use eventflow_domain::ports::{Peer, Peers};
use std::sync::Arc;

/// Replicas that are listed by configuration.
#[derive(Debug, Clone)]
pub struct StaticPeers(Arc<[Peer]>);

impl StaticPeers {
    pub fn new<P: Into<Peer>>(peers: impl IntoIterator<Item = P>) -> Self {
        Self(peers.into_iter().map(Into::into).collect())
    }
}

impl Peers for StaticPeers {
    fn current(&self) -> Arc<[Peer]> {
        Arc::clone(&self.0)
    }
}
