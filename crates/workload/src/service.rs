use crate::{Role, Subject, labels, pod};
use eventflow_crd::names;
use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

/// Port 80 of the Service is the function's `port`, or its port 80.
pub fn service(subject: &Subject<'_>) -> Service {
    let name = &subject.key.name;
    Service {
        metadata: labels::metadata(subject, names::child(name)),
        spec: Some(ServiceSpec {
            ports: Some(vec![ServicePort {
                name: Some("http".to_owned()),
                port: 80,
                protocol: Some("TCP".to_owned()),
                target_port: Some(IntOrString::Int(pod::port(subject.spec).into())),
                ..ServicePort::default()
            }]),
            selector: labels::selector(name, Role::Warm).match_labels,
            type_: Some("ClusterIP".to_owned()),
            ..ServiceSpec::default()
        }),
        status: None,
    }
}
