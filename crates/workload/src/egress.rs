//! Where function pods may go.

use crate::network::{namespace, port};
use eventflow_domain::spec::Egress;
use k8s_openapi::api::networking::v1::{IPBlock, NetworkPolicyEgressRule, NetworkPolicyPeer};
use std::net::IpAddr;

/// Private ranges, carrier NAT, loopback, link-local with the clouds' metadata addresses.
const PRIVATE_4: [&str; 6] =
    ["10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16"];
const PRIVATE_6: [&str; 2] = ["fc00::/7", "fe80::/10"];
/// Of these ranges, what not even a declared host name opens.
const NEVER_4: [&str; 2] = ["127.0.0.0/8", "169.254.0.0/16"];
const NEVER_6: [&str; 2] = ["fd00:ec2::/32", "fe80::/10"];
/// Where a node's own DNS cache answers.
const NODE_DNS: &str = "169.254.20.10/32";

fn block(cidr: &str, except: &[&str]) -> NetworkPolicyPeer {
    NetworkPolicyPeer {
        ip_block: Some(IPBlock {
            cidr: cidr.to_owned(),
            except: Some(except.iter().map(|range| (*range).to_owned()).collect::<Vec<_>>())
                .filter(|all| !all.is_empty()),
        }),
        ..NetworkPolicyPeer::default()
    }
}

fn in_namespace(name: &str) -> NetworkPolicyPeer {
    NetworkPolicyPeer { namespace_selector: Some(namespace(name)), ..NetworkPolicyPeer::default() }
}

/// DNS, the internet, and what is declared.
pub(crate) fn rules(declared: &[Egress]) -> Vec<NetworkPolicyEgressRule> {
    let dns = NetworkPolicyEgressRule {
        ports: Some(vec![port("UDP", 53), port("TCP", 53)]),
        to: Some(vec![in_namespace("kube-system"), block(NODE_DNS, &[])]),
    };
    let internet = NetworkPolicyEgressRule {
        ports: None,
        to: Some(vec![block("0.0.0.0/0", &PRIVATE_4), block("::/0", &PRIVATE_6)]),
    };
    [dns, internet].into_iter().chain(declared.iter().map(open)).collect()
}

/// A policy knows addresses and namespaces, no names: an address opens itself, a Service's name opens its namespace, any
/// other name opens its port, but for loopback and link-local.
fn open(to: &Egress) -> NetworkPolicyEgressRule {
    let host = to.host.trim_start_matches('[').trim_end_matches(']');
    let peers = match host.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => vec![block(&format!("{address}/32"), &[])],
        Ok(IpAddr::V6(address)) => vec![block(&format!("{address}/128"), &[])],
        Err(_) => match service_namespace(host) {
            Some(name) => vec![in_namespace(name)],
            None => vec![block("0.0.0.0/0", &NEVER_4), block("::/0", &NEVER_6)],
        },
    };
    NetworkPolicyEgressRule { ports: Some(vec![port("TCP", to.port)]), to: Some(peers) }
}

/// The namespace in `<service>.<namespace>.svc[.cluster.local]`.
fn service_namespace(host: &str) -> Option<&str> {
    let mut parts = host.split('.');
    let (_service, namespace) = (parts.next()?, parts.next()?);
    (parts.next()? == "svc" && namespace.parse::<eventflow_domain::Namespace>().is_ok()).then_some(namespace)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(host: &str) -> String {
        let rule = open(&Egress { host: host.to_owned(), port: 5432 });
        let peers = rule.to.expect("peers");
        let block = |peer: &NetworkPolicyPeer| peer.ip_block.as_ref().map(|block| block.cidr.clone());
        let names = peers.iter().map(|peer| {
            block(peer)
                .unwrap_or_else(|| format!("{:?}", peer.namespace_selector.as_ref().expect("a namespace")))
        });
        names.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn an_address_opens_itself_a_service_its_namespace_and_a_name_its_port() {
        assert_eq!(opened("10.1.2.3"), "10.1.2.3/32");
        assert_eq!(opened("[fd00::1]"), "fd00::1/128");
        assert!(opened("db.media.svc.cluster.local").contains("\"media\""));
        assert!(opened("db.media.svc").contains("\"media\""));
        assert_eq!(opened("db.media"), "0.0.0.0/0 ::/0");
        assert_eq!(opened("api.example.com"), "0.0.0.0/0 ::/0");
    }
}
