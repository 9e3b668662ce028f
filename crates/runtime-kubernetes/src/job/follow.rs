//! From a Job to the end of its run.

use super::logs::{self, Captured};
use super::object::container_log;
use super::pod::{self, Exit, Phase, UPLOAD, Why};
use super::pods::{News, Seen};
use super::verdict;
use crate::runtime::Shared;
use crate::transfer::result_key;
use eventflow_domain::invocation::{Content, Output};
use eventflow_domain::ports::{Call, LogSink};
use eventflow_domain::spec::ResultChannel;
use eventflow_domain::{Failure, Reason, Timestamp};
use futures::TryStreamExt as _;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::events::v1::Event;
use kube::api::ListParams;
use kube::{Api, ResourceExt as _};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

/// Between two looks at a Job that has no pod.
const LOOK: Duration = Duration::from_secs(10);
/// For one answer of the API server.
const ASK: Duration = Duration::from_secs(5);
/// From the end of a container to the end of its log.
const LOG_GRACE: Duration = Duration::from_secs(5);
/// From the end of a container to the upload of its result.
const UPLOAD_GRACE: Duration = Duration::from_secs(90);

pub(crate) struct Following<'a> {
    pub(crate) shared: &'a Arc<Shared>,
    pub(crate) call: &'a Call,
    pub(crate) job: &'a Job,
    pub(crate) logs: &'a Arc<dyn LogSink>,
    pub(crate) deadline: Instant,
    pub(crate) found: bool,
}

/// How the run ended.
#[derive(Debug, Default)]
pub(crate) struct End {
    pub(crate) output: Option<Output>,
    pub(crate) failure: Option<Failure>,
    pub(crate) exit_code: Option<i32>,
    pub(crate) started_at: Option<Timestamp>,
    /// Nothing is left to be ended: the cluster removes the Job some time later.
    pub(crate) leave_to_cluster: bool,
}

impl From<Failure> for End {
    fn from(failure: Failure) -> Self {
        Self { failure: Some(failure), ..Self::default() }
    }
}

/// A container that has started.
struct Started {
    pod: Arc<Pod>,
    at: Option<Timestamp>,
}

/// How the container's run was over.
enum Over {
    Ended(Exit),
    TakenAway(Why),
    TimedOut,
}

impl Following<'_> {
    pub(crate) async fn to_the_end(&self, news: &mut News) -> End {
        match self.until_started(news).await {
            Ok(started) => self.until_ended(news, started).await,
            Err(failure) => failure.into(),
        }
    }

    fn namespace(&self) -> &str {
        self.call.version.key.namespace.as_str()
    }

    async fn until_started(&self, news: &mut News) -> Result<Started, Failure> {
        let mut why = None;
        let mut seen = news.now();
        loop {
            if let Some(pod) = &seen.pod {
                match pod::phase(pod) {
                    Phase::Running { started_at } => {
                        return Ok(Started { pod: Arc::clone(pod), at: started_at });
                    }
                    Phase::Ended(exit) => {
                        return Ok(Started { pod: Arc::clone(pod), at: exit.started_at });
                    }
                    Phase::Hopeless(why) => return Err(verdict::hopeless(&why)),
                    Phase::TakenAway(why) => return Err(verdict::taken_away(&why)),
                    Phase::Waiting(_) if seen.gone => return Err(verdict::taken_away(&deleted())),
                    Phase::Waiting(said) => why = said.or(why),
                }
            }
            tokio::select! {
                next = news.next() => seen = next,
                () = tokio::time::sleep_until(self.deadline) => {
                    if why.is_none() {
                        why = self.events().await;
                    }
                    return Err(verdict::not_started(self.call.start_deadline, why.as_ref()));
                }
                () = tokio::time::sleep(LOOK), if seen.pod.is_none() => self.look_at_job().await?,
            }
        }
    }

    /// A Job without a pod: it may be gone, or have ended long ago.
    async fn look_at_job(&self) -> Result<(), Failure> {
        let api = Api::<Job>::namespaced(self.shared.client.clone(), self.namespace());
        let Ok(Ok(job)) = timeout(ASK, api.get_opt(&self.job.name_any())).await else { return Ok(()) };
        let lost = |text: &str| Failure::new(Reason::Lost, text);
        let Some(job) = job.filter(|job| job.uid() == self.job.uid()) else {
            return Err(lost("its Job was deleted before a pod was seen"));
        };
        let over =
            job.status.iter().flat_map(|status| status.conditions.iter().flatten()).find(|condition| {
                matches!(condition.type_.as_str(), "Complete" | "Failed") && condition.status == "True"
            });
        match over {
            // Its pod may be on its way to us.
            None => Ok(()),
            Some(condition) if condition.type_ == "Complete" => {
                Err(lost("its Job has ended and its pod is gone: nobody saw the result"))
            }
            Some(condition) => {
                let text = |text: &Option<String>| text.clone().unwrap_or_default();
                let why = Why { reason: text(&condition.reason), message: text(&condition.message) };
                Err(verdict::hopeless(&why))
            }
        }
    }

    /// What the cluster says of a Job without a pod: a quota, an admission.
    async fn events(&self) -> Option<Why> {
        let api = Api::<Event>::namespaced(self.shared.client.clone(), self.namespace());
        let of_job = format!("regarding.uid={}", self.job.uid()?);
        let listed = timeout(ASK, api.list(&ListParams::default().fields(&of_job))).await.ok()?.ok()?;
        let warning =
            listed.items.into_iter().rev().find(|event| event.type_.as_deref() == Some("Warning"))?;
        Some(Why::new(&warning.reason.unwrap_or_default(), &warning.note.unwrap_or_default()))
    }

    async fn until_ended(&self, news: &mut News, started: Started) -> End {
        let api = Api::<Pod>::namespaced(self.shared.client.clone(), self.namespace());
        let name = started.pod.name_any();
        let (ended, over) = watch::channel(false);
        let mut captured = Captured::default();
        let keep = self.shared.config.stdout_result;
        let over = {
            let sink = self.logs.as_ref();
            let capture = logs::capture(&api, &name, sink, keep, &mut captured, over);
            let mut capture = std::pin::pin!(capture);
            let mut reading = true;
            let over = {
                let mut watching = std::pin::pin!(watch_on(news));
                let mut timer = std::pin::pin!(tokio::time::sleep(self.left(started.at)));
                loop {
                    tokio::select! {
                        biased;
                        over = &mut watching => break over,
                        () = &mut capture, if reading => reading = false,
                        () = &mut timer => break Over::TimedOut,
                    }
                }
            };
            ended.send_replace(true);
            let patience =
                if matches!(over, Over::Ended(_)) { LOG_GRACE } else { Duration::from_millis(500) };
            if reading {
                drop(timeout(patience, capture).await);
            }
            over
        };
        let at = started.at;
        match over {
            Over::Ended(exit) => {
                logs::close(self.logs.as_ref(), &captured);
                self.conclude(news, exit, captured, at).await
            }
            Over::TimedOut => End { started_at: at, ..verdict::timed_out(self.call.timeout).into() },
            Over::TakenAway(why) => {
                // What it printed last went with it.
                logs::partial(self.logs.as_ref());
                End { started_at: at, ..verdict::taken_away(&why).into() }
            }
        }
    }

    /// Of the timeout. It counts from the container's start, which a run that was found had before.
    fn left(&self, started_at: Option<Timestamp>) -> Duration {
        let ran =
            started_at.filter(|_| self.found).map_or(Duration::ZERO, |at| self.shared.clock.now().since(at));
        self.call.timeout.saturating_sub(ran)
    }

    async fn conclude(&self, news: &mut News, exit: Exit, captured: Captured, at: Option<Timestamp>) -> End {
        let mut end = End {
            started_at: exit.started_at.or(at),
            exit_code: Some(exit.code),
            failure: verdict::failure(&exit),
            // But for what stays of a pod whose result is still to be uploaded.
            leave_to_cluster: true,
            ..End::default()
        };
        if end.failure.is_some() {
            return end;
        }
        let result = match self.call.version.spec.result {
            ResultChannel::Inline => verdict::of_message(&exit.message),
            ResultChannel::File => self.uploaded(news).await,
        };
        match result {
            Ok(content) => {
                let content = content.unwrap_or_else(|| container_log(captured.tail()));
                end.output = Some(Output { content, status: None });
            }
            Err(failure) => end.failure = Some(failure),
        }
        end
    }

    /// The result that the sidecar uploaded; `None` where there was no file.
    async fn uploaded(&self, news: &mut News) -> Result<Option<Content>, Failure> {
        let failed = |text: String| Failure::new(Reason::Internal, text);
        let ended = timeout(UPLOAD_GRACE, helper_ended(news)).await;
        let helper =
            ended.ok().flatten().ok_or_else(|| failed("the result was not uploaded in time".to_owned()))?;
        match helper.code {
            0 if helper.message.starts_with("none") => Ok(None),
            0 => self.read_uploaded().await.map(Some),
            _ if helper.message.starts_with("413") => {
                let limit = self.shared.config.payload;
                Err(Failure::new(Reason::ResultTooLarge, format!("the result has more than {limit} bytes")))
            }
            _ => Err(failed(format!("the result could not be uploaded: {}", helper.message))),
        }
    }

    async fn read_uploaded(&self) -> Result<Content, Failure> {
        let key = result_key(self.call.invocation, self.call.attempt);
        let failed = |cause: &dyn std::fmt::Display| {
            tracing::warn!(%cause, key, "cannot read an uploaded result");
            Failure::new(Reason::Internal, "failed to read the uploaded result")
        };
        let (size, mut stream) = self.shared.blobs.get(&key).await.map_err(|error| failed(&error))?;
        let mut whole =
            Vec::with_capacity(usize::try_from(size.min(self.shared.config.payload)).unwrap_or(0));
        while let Some(bytes) = stream.try_next().await.map_err(|error| failed(&error))? {
            whole.extend_from_slice(&bytes);
        }
        Ok(Content::guessed(whole.into()))
    }
}

fn deleted() -> Why {
    Why::new("Deleted", "somebody, or the cluster, deleted the pod")
}

/// Until the container has ended, or the pod is gone.
async fn watch_on(news: &mut News) -> Over {
    let mut seen = news.now();
    loop {
        let Seen { pod, gone } = &seen;
        match pod.as_deref().map(pod::phase) {
            Some(Phase::Ended(exit)) => return Over::Ended(exit),
            Some(Phase::TakenAway(why) | Phase::Hopeless(why)) => return Over::TakenAway(why),
            _ if *gone => return Over::TakenAway(deleted()),
            _ => {}
        }
        seen = news.next().await;
    }
}

/// Until our sidecar has ended; `None` where the pod is over without it.
async fn helper_ended(news: &mut News) -> Option<pod::Helper> {
    let mut seen = news.now();
    loop {
        if let Some(pod) = &seen.pod {
            if let Some(helper) = pod::helper(pod, UPLOAD) {
                return Some(helper);
            }
            if seen.gone || pod::is_over(pod) {
                return None;
            }
        }
        seen = news.next().await;
    }
}
