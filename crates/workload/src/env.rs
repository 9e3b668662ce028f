use crate::{Role, Subject, pod};
use eventflow_domain::Mode;
use eventflow_domain::spec::EnvFrom;
use k8s_openapi::api::core::v1::{ConfigMapEnvSource, EnvFromSource, EnvVar, SecretEnvSource};

fn var(name: &str, value: String) -> EnvVar {
    EnvVar { name: name.to_owned(), value: Some(value), value_from: None }
}

/// The function's own variables, then ours, whose names it cannot use. What only an attempt knows is added by whoever
/// makes its Job.
pub(crate) fn env(subject: &Subject<'_>, role: Role) -> Vec<EnvVar> {
    let mut all: Vec<_> =
        subject.spec.env.iter().map(|(name, value)| var(name.as_str(), escaped(value))).collect();
    all.push(var("EVENTFLOW_FUNCTION", subject.key.name.to_string()));
    all.push(var("EVENTFLOW_NAMESPACE", subject.key.namespace.to_string()));
    all.push(var("EVENTFLOW_VERSION", subject.version.to_string()));
    if role == Role::Warm && subject.spec.mode == Mode::Http {
        all.push(var("PORT", pod::port(subject.spec).to_string()));
    }
    all
}

/// Kubernetes would expand `$(NAME)`; a function's values are taken as they are.
fn escaped(value: &str) -> String {
    value.replace("$(", "$$(")
}

pub(crate) fn env_from(subject: &Subject<'_>) -> Option<Vec<EnvFromSource>> {
    let all = subject.spec.env_from.iter().map(|source| match source {
        EnvFrom::SecretRef(name) => EnvFromSource {
            secret_ref: Some(SecretEnvSource { name: name.to_string(), optional: None }),
            ..EnvFromSource::default()
        },
        EnvFrom::ConfigMapRef(name) => EnvFromSource {
            config_map_ref: Some(ConfigMapEnvSource { name: name.to_string(), optional: None }),
            ..EnvFromSource::default()
        },
    });
    Some(all.collect::<Vec<_>>()).filter(|all| !all.is_empty())
}
