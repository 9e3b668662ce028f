//! Replicas of one of our services, by the EndpointSlices of its Service: works without kube-proxy and without DNS,
//! and knows each replica, so that requests are balanced, not connections.

use crate::cache::{Cache, Selector};
use crate::namespaces::{Chosen, Namespaces};
use eventflow_domain::ports::{Peer, Peers};
use futures::StreamExt as _;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::{Client, ResourceExt as _};
use parking_lot::RwLock;
use std::collections::BTreeSet;
use std::sync::Arc;

const SERVICE_NAME: &str = "kubernetes.io/service-name";

/// The ready replicas behind a Service's port.
#[derive(Debug)]
pub struct EndpointPeers(Arc<RwLock<Arc<[Peer]>>>);

impl EndpointPeers {
    /// Nobody is known before the future runs; it does not end. While the API server is away, those known last stay.
    pub fn follow(
        client: Client,
        namespace: &str,
        service: &str,
        port: &str,
    ) -> (Self, impl Future<Output = ()> + Send + 'static + use<>) {
        let known: Arc<RwLock<Arc<[Peer]>>> = Arc::new(RwLock::new(Arc::from([])));
        let peers = Self(Arc::clone(&known));
        let (namespace, service, port) = (namespace.to_owned(), service.to_owned(), port.to_owned());
        let following = async move {
            let here = Chosen::Listed(BTreeSet::from([namespace.clone()]));
            let (namespaces, choosing) = Namespaces::follow(client.clone(), here);
            let (slices, watching) =
                Cache::<EndpointSlice>::follow(client, &namespaces, Selector::default(), prune);
            let mut changes = slices.changes();
            let of_service =
                |slice: &EndpointSlice| slice.labels().get(SERVICE_NAME).is_some_and(|name| *name == service);
            let learning = async {
                while changes.next().await.is_some() {
                    let now = addresses(&slices.list_in(&namespace, of_service), &port);
                    *known.write() = now;
                }
            };
            tokio::join!(choosing, watching, learning);
        };
        (peers, following)
    }
}

impl Peers for EndpointPeers {
    fn current(&self) -> Arc<[Peer]> {
        Arc::clone(&self.0.read())
    }
}

fn prune(slice: &mut EndpointSlice) {
    slice.metadata.managed_fields = None;
    slice.metadata.annotations = None;
}

/// `host:port` of every endpoint that may be asked, each once, in order. One that is shutting down is not.
fn addresses(slices: &[Arc<EndpointSlice>], port: &str) -> Arc<[Peer]> {
    let mut found = BTreeSet::new();
    for slice in slices {
        let named = slice.ports.iter().flatten().find(|of| of.name.as_deref().unwrap_or_default() == port);
        let Some(number) = named.and_then(|port| port.port) else { continue };
        let ready = slice.endpoints.iter().filter(|endpoint| {
            endpoint.conditions.as_ref().is_none_or(|conditions| conditions.ready != Some(false))
        });
        for address in ready.flat_map(|endpoint| &endpoint.addresses) {
            let host = if address.contains(':') { format!("[{address}]") } else { address.clone() };
            found.insert(Peer::from(format!("{host}:{number}")));
        }
    }
    found.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::discovery::v1::{Endpoint, EndpointConditions, EndpointPort};

    fn endpoint(address: &str, ready: Option<bool>) -> Endpoint {
        let conditions = EndpointConditions { ready, ..EndpointConditions::default() };
        Endpoint { addresses: vec![address.to_owned()], conditions: Some(conditions), ..Endpoint::default() }
    }

    fn slice(endpoints: Vec<Endpoint>, ports: &[(&str, i32)]) -> Arc<EndpointSlice> {
        let port = |(name, number): &(&str, i32)| EndpointPort {
            name: Some((*name).to_owned()),
            port: Some(*number),
            ..EndpointPort::default()
        };
        let ports = Some(ports.iter().map(port).collect());
        Arc::new(EndpointSlice { endpoints, ports, ..EndpointSlice::default() })
    }

    #[test]
    fn ready_endpoints_of_the_named_port_are_peers_once_each() {
        let slices = [
            slice(
                vec![
                    endpoint("10.0.0.2", Some(true)),
                    endpoint("10.0.0.1", None),
                    endpoint("10.0.0.3", Some(false)),
                ],
                &[("http", 8080), ("grpc", 9090)],
            ),
            slice(vec![endpoint("10.0.0.2", Some(true)), endpoint("fd00::1", Some(true))], &[("grpc", 9090)]),
            slice(vec![endpoint("10.0.0.9", Some(true))], &[("http", 8080)]),
        ];
        let peers: Vec<_> = addresses(&slices, "grpc").iter().map(ToString::to_string).collect();
        assert_eq!(peers, ["10.0.0.1:9090", "10.0.0.2:9090", "[fd00::1]:9090"]);
    }
}
