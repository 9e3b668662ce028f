//! What a pod may do: the two profiles of the Pod Security Standards that function pods come in.

use crate::Installation;
use eventflow_domain::FunctionSpec;
use eventflow_domain::spec::PodSecurity;
use k8s_openapi::api::core::v1::{Capabilities, PodSecurityContext, SeccompProfile, SecurityContext};

/// The profile in force: the function's, else the installation's.
pub fn profile(spec: &FunctionSpec, installation: &Installation) -> PodSecurity {
    spec.pod.security.unwrap_or(installation.pod_security)
}

/// Of a pod. Under `restricted` an image that runs as root does not start.
pub fn pod_security(profile: PodSecurity) -> PodSecurityContext {
    PodSecurityContext {
        run_as_non_root: (profile == PodSecurity::Restricted).then_some(true),
        seccomp_profile: Some(SeccompProfile { type_: "RuntimeDefault".to_owned(), localhost_profile: None }),
        ..PodSecurityContext::default()
    }
}

/// Of a container. `restricted`: no capability, the root file system read-only. `baseline`: the runtime's default
/// capabilities less NET_RAW.
pub fn container_security(profile: PodSecurity) -> SecurityContext {
    let restricted = profile == PodSecurity::Restricted;
    let drop = if restricted { "ALL" } else { "NET_RAW" };
    SecurityContext {
        allow_privilege_escalation: Some(false),
        capabilities: Some(Capabilities { add: None, drop: Some(vec![drop.to_owned()]) }),
        read_only_root_filesystem: restricted.then_some(true),
        run_as_non_root: restricted.then_some(true),
        ..SecurityContext::default()
    }
}
