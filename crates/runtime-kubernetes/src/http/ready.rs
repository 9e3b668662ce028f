//! From EndpointSlices to addresses: pure.

use eventflow_crd::names;
use eventflow_domain::{FunctionKey, FunctionName, VersionNumber};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::ResourceExt as _;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

const SERVICE_NAME: &str = "kubernetes.io/service-name";

/// A copy that takes requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ready {
    pub(super) address: SocketAddr,
    pub(super) version: Option<VersionNumber>,
}

/// Whose copies a slice holds, if it is of a function's own Service.
pub(super) fn key(slice: &EndpointSlice) -> Option<FunctionKey> {
    let service = slice.labels().get(SERVICE_NAME)?;
    let name: FunctionName = service.strip_prefix("fn-")?.parse().ok()?;
    Some(FunctionKey::new(slice.namespace()?.parse().ok()?, name))
}

pub(super) fn is_of(slice: &EndpointSlice, name: &FunctionName) -> bool {
    slice.labels().get(SERVICE_NAME).is_some_and(|service| *service == names::child(name))
}

/// Those that are ready, each once, in order. `version` knows that of a pod.
pub(super) fn of(
    slices: &[Arc<EndpointSlice>],
    version: impl Fn(&str) -> Option<VersionNumber>,
) -> Vec<Ready> {
    let mut found = BTreeMap::new();
    for slice in slices {
        let Some(port) = slice.ports.iter().flatten().find_map(|port| port.port) else { continue };
        let Ok(port) = u16::try_from(port) else { continue };
        for endpoint in &slice.endpoints {
            if endpoint.conditions.as_ref().is_some_and(|conditions| conditions.ready == Some(false)) {
                continue;
            }
            let pod = endpoint.target_ref.as_ref().and_then(|target| target.name.as_deref());
            for address in endpoint.addresses.iter().filter_map(|address| address.parse::<IpAddr>().ok()) {
                found.insert(SocketAddr::new(address, port), pod.and_then(&version));
            }
        }
    }
    found.into_iter().map(|(address, version)| Ready { address, version }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn ready_pods_of_the_functions_service_are_copies() {
        let slice: EndpointSlice = serde_json::from_value(json!({
            "metadata": {"name": "fn-f-x", "namespace": "media", "labels": {"kubernetes.io/service-name": "fn-f"}},
            "addressType": "IPv4", "ports": [{"name": "http", "port": 8080}],
            "endpoints": [
                {"addresses": ["10.0.0.2"], "conditions": {"ready": true}, "targetRef": {"kind": "Pod", "name": "b"}},
                {"addresses": ["10.0.0.1"], "conditions": {}, "targetRef": {"kind": "Pod", "name": "a"}},
                {"addresses": ["10.0.0.3"], "conditions": {"ready": false}}]
        }))
        .expect("a slice");
        assert_eq!(key(&slice).map(|key| key.to_string()).as_deref(), Some("media/f"));
        let version = |pod: &str| (pod == "a").then_some(VersionNumber(3));
        let ready = of(&[Arc::new(slice)], version);
        assert_eq!(
            ready,
            [
                Ready {
                    address: "10.0.0.1:8080".parse().expect("an address"),
                    version: Some(VersionNumber(3))
                },
                Ready { address: "10.0.0.2:8080".parse().expect("an address"), version: None },
            ]
        );
    }
}
