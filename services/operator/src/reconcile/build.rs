//! What there must be. Pure.

use super::Valid;
use super::dereference::Configs;
use super::number::Numbered;
use crate::index::View;
use eventflow_crd::names;
use eventflow_domain::VersionNumber;
use eventflow_workload::{
    Copies, Installation, Subject, autoscaler, copies, deployment, has_copies, network_policies, service,
};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::networking::v1::NetworkPolicy;

/// The children of a function, as wanted. What is `None` must not be there.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Resources {
    pub deployment: Option<Deployment>,
    pub service: Option<Service>,
    pub autoscaler: Option<HorizontalPodAutoscaler>,
    pub policies: Vec<NetworkPolicy>,
}

/// A version that is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Version {
    pub number: VersionNumber,
}

impl From<&Numbered> for Version {
    fn from(numbered: &Numbered) -> Self {
        match numbered {
            Numbered::Kept(number) => Self { number: *number },
            Numbered::New(version) => Self { number: version.number },
        }
    }
}

pub(super) fn build(
    view: &View,
    valid: &Valid,
    version: Version,
    configs: &Configs,
    installation: &Installation,
) -> Resources {
    let Valid { key, uid, spec, .. } = valid;
    let subject = Subject { key, uid: *uid, version: version.number, spec };
    let policies = network_policies(&subject, installation);
    if !has_copies(spec) {
        return Resources { policies, ..Resources::default() };
    }
    let live = view.deployment.as_deref();
    let replicas = replicas(copies(spec), live);
    // While something that the pods need is missing, what runs goes on with what it was started with.
    let digest = configs.digest.as_deref().or_else(|| live.and_then(digest_in));
    Resources {
        deployment: Some(deployment(&subject, installation, replicas, digest)),
        service: Some(service(&subject)),
        autoscaler: autoscaler(&subject),
        policies,
    }
}

fn digest_in(live: &Deployment) -> Option<&str> {
    let annotations = live.spec.as_ref()?.template.metadata.as_ref()?.annotations.as_ref()?;
    annotations.get(names::CONFIG_DIGEST).map(String::as_str)
}

/// How many copies the operator says there are; `None` where somebody else does. Left out before anybody else has said
/// it, the API server would make it 1.
fn replicas(copies: Copies, live: Option<&Deployment>) -> Option<u32> {
    let Some(live) = live else { return Some(copies.start()) };
    if let Copies::Operator(fixed) = copies {
        return Some(fixed);
    }
    let managers = crate::index::managers_of_replicas(live);
    if managers.iter().any(|manager| manager != names::OPERATOR) {
        return None;
    }
    let now = live.spec.as_ref().and_then(|spec| spec.replicas).and_then(|n| u32::try_from(n).ok());
    Some(now.unwrap_or_else(|| copies.start()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn live(managers: &[&str]) -> Deployment {
        let entries: Vec<_> = managers
            .iter()
            .map(|manager| json!({"manager": manager, "fieldsV1": {"f:spec": {"f:replicas": {}}}}))
            .collect();
        serde_json::from_value(json!({
            "metadata": {"name": "fn-a", "managedFields": entries},
            "spec": {"replicas": 4, "selector": {}, "template": {}},
        }))
        .expect("a Deployment")
    }

    #[test]
    fn replicas_are_said_by_their_owner_and_handed_over_without_a_gap() {
        let scaled = Copies::Dispatcher { start: 0 };
        assert_eq!(replicas(scaled, None), Some(0), "a new Deployment begins where scaling begins");
        assert_eq!(
            replicas(scaled, Some(&live(&[names::OPERATOR]))),
            Some(4),
            "nobody has taken them over yet"
        );
        assert_eq!(replicas(scaled, Some(&live(&[names::DISPATCHER]))), None, "the dispatcher has");
        assert_eq!(replicas(scaled, Some(&live(&[names::OPERATOR, names::DISPATCHER]))), None);
        assert_eq!(replicas(Copies::Operator(2), Some(&live(&[names::DISPATCHER]))), Some(2), "taken back");
    }
}
