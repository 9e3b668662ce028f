//! Where the other services are: the adapters of the port `Peers`.

use crate::sections::Peers;
use eventflow_domain::ports;
use eventflow_interconnect::StaticPeers;
use std::sync::Arc;

fn listed(peers: &[String]) -> Arc<dyn ports::Peers> {
    Arc::new(StaticPeers::new(peers.iter().map(String::as_str)))
}

/// The replicas of the api.
pub fn apis(peers: &Peers) -> Arc<dyn ports::Peers> {
    listed(&peers.apis)
}

/// The replicas of the dispatcher.
pub fn dispatchers(peers: &Peers) -> Arc<dyn ports::Peers> {
    listed(&peers.dispatchers)
}
