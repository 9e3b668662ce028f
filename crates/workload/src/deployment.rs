use crate::{Installation, Role, Subject, labels, pod};
use eventflow_crd::names;
use eventflow_domain::spec::{FunctionSpec, Mode, RuntimeKind, Scale};
use k8s_openapi::api::apps::v1::{Deployment, DeploymentSpec, DeploymentStrategy, RollingUpdateDeployment};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

/// Who says how many copies there are. Nobody else writes the Deployment's `replicas`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Copies {
    /// The operator: so many.
    Operator(u32),
    /// The dispatcher that holds the Lease `eventflow-scaler`, from `start` on. Also where an http function has
    /// `replicas: 0`: none is kept warm, a call still starts one.
    Dispatcher { start: u32 },
    /// A HorizontalPodAutoscaler, from `start` on.
    Autoscaler { start: u32 },
}

impl Copies {
    /// How many a new Deployment begins with.
    pub fn start(self) -> u32 {
        match self {
            Self::Operator(start) | Self::Dispatcher { start } | Self::Autoscaler { start } => start,
        }
    }
}

pub fn copies(spec: &FunctionSpec) -> Copies {
    match spec.scale {
        Scale::Fixed(0) if spec.mode == Mode::Http => Copies::Dispatcher { start: 0 },
        Scale::Fixed(copies) => Copies::Operator(copies),
        Scale::Auto { min, cpu: Some(_), .. } => Copies::Autoscaler { start: min.max(1) },
        Scale::Auto { min, cpu: None, .. } => Copies::Dispatcher { start: min },
    }
}

/// Whether there are warm copies at all, at least at times: then there are a Deployment and a Service.
pub fn has_copies(spec: &FunctionSpec) -> bool {
    spec.runtime == RuntimeKind::Container && (spec.mode == Mode::Http || spec.scale != Scale::Fixed(0))
}

/// The warm copies. `replicas` is `None` where somebody else has said how many there are.
pub fn deployment(
    subject: &Subject<'_>,
    installation: &Installation,
    replicas: Option<u32>,
    config: Option<&str>,
) -> Deployment {
    let name = &subject.key.name;
    Deployment {
        metadata: labels::metadata(subject, names::child(name)),
        spec: Some(DeploymentSpec {
            progress_deadline_seconds: Some(subject.spec.start_deadline.as_secs().max(1) as i32),
            replicas: replicas.map(|n| n as i32),
            // Versions are kept by us; Kubernetes' own history only needs the step back of a failed rollout.
            revision_history_limit: Some(2),
            selector: labels::selector(name, Role::Warm),
            strategy: Some(DeploymentStrategy {
                type_: Some("RollingUpdate".to_owned()),
                rolling_update: Some(RollingUpdateDeployment {
                    max_surge: Some(IntOrString::String("25%".to_owned())),
                    // An old copy goes when a new one is ready: no call finds none.
                    max_unavailable: Some(IntOrString::Int(0)),
                }),
            }),
            template: pod::pod_template(subject, Role::Warm, installation, config),
            ..DeploymentSpec::default()
        }),
        status: None,
    }
}
