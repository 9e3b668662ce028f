//! One Job = one attempt.

mod create;
mod ender;
mod follow;
mod logs;
mod object;
pub(crate) mod pod;
mod pods;
mod verdict;

pub(crate) use ender::Ender;
pub(crate) use eventflow_crd::names::{FUNCTION as FUNCTION_LABEL, ROLE};
pub(crate) use object::{belongs, name};
pub(crate) use pods::Pods;

use crate::runtime::Shared;
use create::Made;
use ender::Ending;
use eventflow_domain::ports::{Call, LogSink, Ran};
use eventflow_domain::{Failure, Reason, StartKind, Timestamp};
use std::sync::Arc;
use tokio::time::Instant;

/// A run from its Job's creation (or finding) to its end.
pub(crate) async fn run(shared: &Arc<Shared>, call: Call, logs: Arc<dyn LogSink>) -> Ran {
    let (began, tried_at) = (Instant::now(), shared.clock.now());
    let ran = |started_at: Option<Timestamp>| Ran {
        start: StartKind::Cold,
        // The cluster's clock has whole seconds and may be behind ours.
        started_at: started_at.map_or(tried_at, |at| at.max(tried_at)),
        output: None,
        failure: None,
        exit_code: None,
    };
    let failed = |failure| Ran { failure: Some(failure), ..ran(None) };
    let deadline = began + call.start_deadline;
    let key = &call.version.key;
    let name = object::name(&key.name, call.invocation, call.attempt);
    let mut news = shared.pods.of(key.namespace.as_str(), &name);
    let mut ending = Ending::new(shared, &call, &name);
    let made = create::make(shared, &call, deadline).await;
    let Ok(Some(Made { job, found })) = made else {
        let gone = || Failure::new(Reason::Lost, "its Job is gone, and nobody saw how it ended");
        let failure = made.err().unwrap_or_else(gone);
        // Where the last word was no refusal, a Job may come of it all the same.
        if failure.reason != Reason::StartDeadline {
            ending.disarm();
        }
        return failed(failure);
    };
    ending.made(&job);
    if found {
        shared.pods.look(&news);
    }
    let followed = follow::Following { shared, call: &call, job: &job, logs: &logs, deadline, found };
    let end = followed.to_the_end(&mut news).await;
    if end.leave_to_cluster {
        ending.disarm();
    }
    Ran { output: end.output, failure: end.failure, exit_code: end.exit_code, ..ran(end.started_at) }
}
