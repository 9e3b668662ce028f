//! Where the other services are: the adapters of the port `Peers`.

use crate::cluster::Endpoints;
use crate::sections::Peers;
use eventflow_domain::ports;
use eventflow_interconnect::StaticPeers;
use eventflow_lifecycle::Handle;
use std::sync::Arc;

/// The replicas of the api.
pub fn apis(peers: &Peers, cluster: Option<&Endpoints>, handle: &Handle) -> Arc<dyn ports::Peers> {
    found(&peers.apis_service, &peers.apis, cluster, handle)
}

/// The replicas of the dispatcher.
pub fn dispatchers(peers: &Peers, cluster: Option<&Endpoints>, handle: &Handle) -> Arc<dyn ports::Peers> {
    found(&peers.dispatchers_service, &peers.dispatchers, cluster, handle)
}

/// The endpoints of `service` (`name:port`) where one is named and there is a cluster, else those that are listed.
fn found(
    service: &str,
    listed: &[String],
    cluster: Option<&Endpoints>,
    handle: &Handle,
) -> Arc<dyn ports::Peers> {
    match (cluster, service.split_once(':')) {
        (Some(cluster), Some((service, port))) => cluster.of(service, port, handle),
        _ => Arc::new(StaticPeers::new(listed.iter().map(String::as_str))),
    }
}
