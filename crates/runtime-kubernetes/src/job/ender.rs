//! Ends Jobs whose run was given up: cancelled, timed out, never started.

use crate::runtime::Shared;
use eventflow_domain::InvocationId;
use eventflow_domain::ports::Call;
use futures::StreamExt as _;
use k8s_openapi::api::batch::v1::Job;
use kube::api::{DeleteParams, Preconditions};
use kube::{Api, Client, ResourceExt as _};
use parking_lot::Mutex;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, mpsc};

/// Jobs that may wait to be ended; one more is left to its own deadline.
const WAITING: usize = 4096;
/// Jobs ended at once: one that cannot be ended holds up few others.
const AT_ONCE: usize = 16;
const TRIES: u32 = 8;
const ASK: Duration = Duration::from_secs(5);

#[derive(Debug)]
struct Doomed {
    namespace: String,
    name: String,
    /// `None` where the answer to its making was not waited for: it may be there, or come to be.
    uid: Option<String>,
    invocation: InvocationId,
}

/// Where Jobs are handed in to be ended, and what knows which runs are another's by now.
#[derive(Debug)]
pub(crate) struct Ender {
    doomed: mpsc::Sender<Doomed>,
    left: Mutex<HashSet<(InvocationId, u32)>>,
    running: Mutex<HashSet<(InvocationId, u32)>>,
    pending: Mutex<usize>,
    idle: Notify,
}

impl Ender {
    /// Ends nothing before the future runs.
    pub(crate) fn new(client: Client) -> (Arc<Self>, impl Future<Output = ()> + Send + 'static) {
        let (doomed, mut waiting) = mpsc::channel(WAITING);
        let ender = Arc::new(Self {
            doomed,
            left: Mutex::default(),
            running: Mutex::default(),
            pending: Mutex::default(),
            idle: Notify::new(),
        });
        let mine = Arc::downgrade(&ender);
        let ending = async move {
            let jobs = futures::stream::poll_fn(move |context| waiting.poll_recv(context));
            jobs.for_each_concurrent(AT_ONCE, |job| async {
                let job = job;
                end(&client, &job).await;
                if let Some(ender) = mine.upgrade() {
                    *ender.pending.lock() -= 1;
                    ender.idle.notify_waiters();
                }
            })
            .await;
        };
        (ender, ending)
    }

    /// From now on the run is another's. Whether it runs here.
    pub(crate) fn leave(&self, invocation: InvocationId, attempt: u32) -> bool {
        let runs = self.running.lock().contains(&(invocation, attempt));
        if runs {
            self.left.lock().insert((invocation, attempt));
        }
        runs
    }

    /// Waits until nothing is left to end, at most `patience`.
    pub(crate) async fn idle(&self, patience: Duration) {
        let all = async {
            loop {
                let idle = self.idle.notified();
                if *self.pending.lock() == 0 {
                    return;
                }
                idle.await;
            }
        };
        if tokio::time::timeout(patience, all).await.is_err() {
            tracing::warn!("some Jobs could not be ended in time, their own deadline will");
        }
    }

    fn doom(&self, job: Doomed) {
        *self.pending.lock() += 1;
        if let Err(refused) = self.doomed.try_send(job) {
            *self.pending.lock() -= 1;
            tracing::warn!(error = %refused, "too many Jobs to end, one is left to its own deadline");
        }
    }
}

/// Deletes it if it is still the same; tried until the API server answers.
async fn end(client: &Client, job: &Doomed) {
    let api = Api::<Job>::namespaced(client.clone(), &job.namespace);
    let mut pause = Duration::from_millis(200);
    for _ in 0..TRIES {
        match tokio::time::timeout(ASK, try_end(&api, job)).await {
            Ok(Ok(true)) => return,
            // Not there (yet).
            Ok(Ok(false)) => {}
            Ok(Err(error)) => tracing::warn!(job = %job.name, %error, "cannot end a Job, trying again"),
            Err(_) => tracing::warn!(job = %job.name, "cannot end a Job in time, trying again"),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(5));
    }
}

/// Whether nothing is left to be done.
async fn try_end(api: &Api<Job>, job: &Doomed) -> Result<bool, kube::Error> {
    let uid = if let Some(uid) = &job.uid {
        uid.clone()
    } else {
        let Some(found) = api.get_opt(&job.name).await? else { return Ok(false) };
        if !super::object::is_of(&found, job.invocation) {
            return Ok(true);
        }
        found.uid().unwrap_or_default()
    };
    let same = Preconditions { uid: Some(uid), ..Preconditions::default() };
    match api.delete(&job.name, &DeleteParams::background().preconditions(same)).await {
        Ok(_) => Ok(true),
        // Gone, or another one of the name.
        Err(error) if crate::runtime::is_final(&error) => Ok(true),
        Err(error) => Err(error),
    }
}

/// Ends the Job when dropped, unless it ended by itself or is another's by then.
pub(crate) struct Ending {
    ender: Arc<Ender>,
    run: (InvocationId, u32),
    job: Option<Doomed>,
}

impl Ending {
    /// From before the Job is made: whoever gives up while the answer is on its way ends what comes of it.
    pub(crate) fn new(shared: &Arc<Shared>, call: &Call, name: &str) -> Self {
        let run = (call.invocation, call.attempt);
        let ender = Arc::clone(&shared.ender);
        ender.running.lock().insert(run);
        let namespace = call.version.key.namespace.to_string();
        let (name, invocation) = (name.to_owned(), call.invocation);
        Self { ender, run, job: Some(Doomed { namespace, name, uid: None, invocation }) }
    }

    /// It is this one.
    pub(crate) fn made(&mut self, job: &Job) {
        if let Some(doomed) = &mut self.job {
            doomed.uid = job.uid();
        }
    }

    pub(crate) fn disarm(&mut self) {
        self.job = None;
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.ender.running.lock().remove(&self.run);
        let left = self.ender.left.lock().remove(&self.run);
        if let Some(job) = self.job.take().filter(|_| !left) {
            self.ender.doom(job);
        }
    }
}
