//! Makes the Job of an attempt, or finds the one that an earlier try made.

use super::object;
use super::pod::Why;
use super::verdict;
use crate::runtime::Shared;
use eventflow_domain::ports::Call;
use eventflow_domain::{Failure, Reason};
use k8s_openapi::api::batch::v1::Job;
use kube::Api;
use kube::api::PostParams;
use kube::core::Status;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// For one answer of the API server.
const ASK: Duration = Duration::from_secs(10);
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const MOST_PAUSE: Duration = Duration::from_secs(5);

/// The Job of an attempt.
pub(crate) struct Made {
    pub(crate) job: Job,
    /// Another try, or another dispatcher, made it.
    pub(crate) found: bool,
}

/// What a failed request means.
enum Refusal {
    /// May work later.
    NotNow(Why),
    /// Never will.
    Never(Failure),
    /// The name is taken.
    Taken,
}

/// `None` where an adopted attempt's Job is gone.
pub(crate) async fn make(
    shared: &Arc<Shared>,
    call: &Call,
    deadline: Instant,
) -> Result<Option<Made>, Failure> {
    let namespace = call.version.key.namespace.as_str();
    let api = Api::<Job>::namespaced(shared.client.clone(), namespace);
    let name = object::name(&call.version.key.name, call.invocation, call.attempt);
    if call.adopted {
        return find(&api, &name, call, deadline).await;
    }
    if !shared.namespaces.has(namespace) {
        let text = format!(
            "namespace {namespace} is not enabled: kubectl label namespace {namespace} eventflow.io/enabled=true"
        );
        return Err(Failure::new(Reason::StartFailed, text));
    }
    let job = object::build(shared, call)?;
    let params = PostParams { field_manager: Some(object::MANAGER.to_owned()), ..PostParams::default() };
    let mut pause = FIRST_PAUSE;
    loop {
        let made = tokio::time::timeout(ASK, api.create(&params, &job)).await;
        let why = match made {
            Ok(Ok(job)) => return Ok(Some(Made { job, found: false })),
            Err(_) => Why::new("NoAnswer", "the API server does not answer in time"),
            Ok(Err(error)) => match refusal(&error) {
                Refusal::Never(failure) => return Err(failure),
                // Made by a try whose answer was lost; or not ours at all.
                Refusal::Taken => match find(&api, &name, call, deadline).await? {
                    Some(found) => return Ok(Some(found)),
                    None => Why::new("Taken", "a Job of this name was removed just now"),
                },
                Refusal::NotNow(why) => why,
            },
        };
        if Instant::now() + pause >= deadline {
            return Err(verdict::not_started(call.start_deadline, Some(&why)));
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(MOST_PAUSE);
    }
}

/// The Job of this name, if it is this attempt's; another's is a failure.
async fn find(api: &Api<Job>, name: &str, call: &Call, deadline: Instant) -> Result<Option<Made>, Failure> {
    loop {
        match tokio::time::timeout(ASK, api.get_opt(name)).await {
            Ok(Ok(None)) => return Ok(None),
            Ok(Ok(Some(job))) if object::belongs(&job, call.invocation, call.attempt, &call.version) => {
                return Ok(Some(Made { job, found: true }));
            }
            Ok(Ok(Some(_))) => {
                let text = format!("there is a Job {name} that is not of this call; remove or rename it");
                return Err(Failure::new(Reason::StartFailed, text));
            }
            Ok(Err(error)) => tracing::warn!(job = name, %error, "cannot read a Job, trying again"),
            Err(_) => tracing::warn!(job = name, "cannot read a Job in time, trying again"),
        }
        // Whether it runs is not known: nothing may be decided before the deadline.
        if Instant::now() + MOST_PAUSE >= deadline {
            return Err(Failure::new(
                Reason::Lost,
                "the API server was away while the call was to be followed",
            ));
        }
        tokio::time::sleep(MOST_PAUSE / 5).await;
    }
}

fn refusal(error: &kube::Error) -> Refusal {
    let kube::Error::Api(status) = error else {
        return Refusal::NotNow(Why::new("NoAnswer", &error.to_string()));
    };
    let never = || {
        let text = format!("the cluster refused the Job: {}", status.message);
        Refusal::Never(Failure::new(Reason::StartFailed, text))
    };
    match status.code {
        409 if status.is_already_exists() => Refusal::Taken,
        403 if is_quota(status) => Refusal::NotNow(Why::new("QuotaExceeded", &status.message)),
        // An API server that has just started knows neither roles nor accounts for a moment; and a binding that is
        // missing may come.
        401 => Refusal::NotNow(Why::new("Unauthorized", &status.message)),
        403 if is_role(status) => Refusal::NotNow(Why::new("Forbidden", &status.message)),
        409 | 429 | 500..=599 => Refusal::NotNow(Why::new("ClusterBusy", &status.message)),
        _ => never(),
    }
}

/// Refused by the roles of our account, not by an admission.
fn is_role(status: &Status) -> bool {
    status.message.contains("cannot create resource")
}

fn is_quota(status: &Status) -> bool {
    status.message.contains("exceeded quota")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn api(code: u16, reason: &str, message: &str) -> kube::Error {
        kube::Error::Api(Status::failure(message, reason).with_code(code).boxed())
    }

    #[test]
    fn what_may_work_later_is_told_from_what_never_will() {
        let quota = "jobs.batch \"x\" is forbidden: exceeded quota: q, requested: count/jobs.batch=1";
        let Refusal::NotNow(why) = refusal(&api(403, "Forbidden", quota)) else { panic!("later") };
        assert_eq!(why.reason, "QuotaExceeded");
        let role = "jobs.batch is forbidden: User \"eventflow\" cannot create resource \"jobs\" in API group \"batch\"";
        let Refusal::NotNow(why) = refusal(&api(403, "Forbidden", role)) else { panic!("later") };
        assert!(why.text().starts_with("Forbidden: jobs.batch is forbidden"), "{}", why.text());
        assert!(matches!(refusal(&api(401, "Unauthorized", "Unauthorized")), Refusal::NotNow(_)));
        let Refusal::Never(denied) = refusal(&api(403, "Forbidden", "admission webhook denied")) else {
            panic!("never")
        };
        assert_eq!(denied.reason, Reason::StartFailed);
        assert!(denied.message.contains("admission webhook denied"));
        assert!(matches!(refusal(&api(409, "AlreadyExists", "")), Refusal::Taken));
        assert!(matches!(refusal(&api(422, "Invalid", "")), Refusal::Never(_)));
        assert!(matches!(refusal(&api(404, "NotFound", "namespaces \"x\" not found")), Refusal::Never(_)));
        assert!(matches!(refusal(&api(429, "TooManyRequests", "")), Refusal::NotNow(_)));
        assert!(matches!(refusal(&api(503, "ServiceUnavailable", "")), Refusal::NotNow(_)));
    }
}
