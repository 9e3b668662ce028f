//! Who may talk to function pods, and to whom they may talk.

use crate::{Installation, Role, Subject, egress, labels, pod};
use eventflow_crd::names;
use eventflow_domain::{FunctionName, RuntimeKind};
use k8s_openapi::api::networking::v1::{
    NetworkPolicy, NetworkPolicyEgressRule, NetworkPolicyIngressRule, NetworkPolicyPeer, NetworkPolicyPort,
    NetworkPolicySpec,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

/// `fn-<name>`, and `fn-<name>.job`: no other function's name yields the second.
pub fn policy_name(name: &FunctionName, role: Role) -> String {
    match role {
        Role::Warm => names::child(name),
        Role::Job => format!("{}.job", names::child(name)),
    }
}

/// One for each role; none for wasm, which runs in the dispatchers. In: dispatcher and gateway, to warm copies only. Out:
/// DNS, the internet without private ranges, what `egress` names, and from Jobs the dispatchers' fetch port.
pub fn network_policies(subject: &Subject<'_>, installation: &Installation) -> Vec<NetworkPolicy> {
    if subject.spec.runtime != RuntimeKind::Container {
        return Vec::new();
    }
    [Role::Warm, Role::Job].into_iter().map(|role| policy(subject, installation, role)).collect()
}

fn policy(subject: &Subject<'_>, installation: &Installation, role: Role) -> NetworkPolicy {
    let name = &subject.key.name;
    let mut out = egress::rules(&subject.spec.egress);
    let ingress = match role {
        Role::Warm => vec![NetworkPolicyIngressRule {
            from: Some(vec![ours(installation, &["eventflow-dispatcher", "eventflow-gateway"])]),
            ports: Some(vec![port("TCP", pod::port(subject.spec))]),
        }],
        Role::Job => {
            out.push(NetworkPolicyEgressRule {
                ports: Some(vec![port("TCP", installation.fetch_port)]),
                to: Some(vec![ours(installation, &["eventflow-dispatcher"])]),
            });
            Vec::new()
        }
    };
    NetworkPolicy {
        metadata: labels::metadata(subject, policy_name(name, role)),
        spec: Some(NetworkPolicySpec {
            egress: Some(out),
            ingress: Some(ingress).filter(|rules| !rules.is_empty()),
            pod_selector: Some(labels::selector(name, role)),
            policy_types: Some(vec!["Ingress".to_owned(), "Egress".to_owned()]),
        }),
    }
}

/// Pods of EventFlow itself.
fn ours(installation: &Installation, apps: &[&str]) -> NetworkPolicyPeer {
    NetworkPolicyPeer {
        namespace_selector: Some(namespace(&installation.namespace)),
        pod_selector: Some(LabelSelector {
            match_expressions: Some(vec![LabelSelectorRequirement {
                key: "app".to_owned(),
                operator: "In".to_owned(),
                values: Some(apps.iter().map(|app| (*app).to_owned()).collect()),
            }]),
            ..LabelSelector::default()
        }),
        ip_block: None,
    }
}

pub(crate) fn namespace(name: &str) -> LabelSelector {
    LabelSelector {
        match_labels: Some([("kubernetes.io/metadata.name".to_owned(), name.to_owned())].into()),
        ..LabelSelector::default()
    }
}

pub(crate) fn port(protocol: &str, number: u16) -> NetworkPolicyPort {
    NetworkPolicyPort {
        port: Some(IntOrString::Int(number.into())),
        protocol: Some(protocol.to_owned()),
        end_port: None,
    }
}
