use crate::{Subject, labels};
use eventflow_crd::names;
use eventflow_domain::spec::Scale;
use k8s_openapi::api::autoscaling::v2::{
    CrossVersionObjectReference, HorizontalPodAutoscaler, HorizontalPodAutoscalerSpec, MetricSpec,
    MetricTarget, ResourceMetricSource,
};

/// By CPU, where `scaling.cpu` is set.
pub fn autoscaler(subject: &Subject<'_>) -> Option<HorizontalPodAutoscaler> {
    let Scale::Auto { min, max, cpu: Some(cpu), .. } = subject.spec.scale else { return None };
    let name = names::child(&subject.key.name);
    Some(HorizontalPodAutoscaler {
        metadata: labels::metadata(subject, name.clone()),
        spec: Some(HorizontalPodAutoscalerSpec {
            min_replicas: Some(min.max(1) as i32),
            max_replicas: max as i32,
            metrics: Some(vec![MetricSpec {
                type_: "Resource".to_owned(),
                resource: Some(ResourceMetricSource {
                    name: "cpu".to_owned(),
                    target: MetricTarget {
                        type_: "Utilization".to_owned(),
                        average_utilization: Some(cpu as i32),
                        ..MetricTarget::default()
                    },
                }),
                ..MetricSpec::default()
            }]),
            scale_target_ref: CrossVersionObjectReference {
                api_version: Some("apps/v1".to_owned()),
                kind: "Deployment".to_owned(),
                name,
            },
            ..HorizontalPodAutoscalerSpec::default()
        }),
        status: None,
    })
}
