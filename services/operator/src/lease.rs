//! Who of several operators writes: the holder of a Lease. The others keep their views warm.
//!
//! A holder trusts its own monotonic clock only: it stops writing before others may take the Lease, whatever the wall
//! clocks say, also where it stood still meanwhile. Taking and renewing carry the resourceVersion that was read, so of
//! two that try one fails.

use eventflow_lifecycle::CancellationToken;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use k8s_openapi::jiff;
use kube::api::PostParams;
use kube::{Api, Client};
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// The times of a Lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Times {
    /// Others take a Lease that nobody renewed for so long.
    pub duration: Duration,
    /// A holder that could not renew for so long writes no more; less than `duration`.
    pub deadline: Duration,
    /// Between renewals, and between looks at somebody else's Lease.
    pub every: Duration,
}

impl Default for Times {
    fn default() -> Self {
        Self {
            duration: Duration::from_secs(15),
            deadline: Duration::from_secs(10),
            every: Duration::from_secs(3),
        }
    }
}

/// Whether this process may write.
#[derive(Debug)]
pub struct Leadership {
    /// Until when; by our own clock.
    until: Mutex<Option<Instant>>,
    leads: watch::Sender<bool>,
}

impl Default for Leadership {
    fn default() -> Self {
        Self { until: Mutex::new(None), leads: watch::Sender::new(false) }
    }
}

impl Leadership {
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Asked before every write, at the moment it is sent.
    pub fn may_write(&self) -> bool {
        self.until.lock().is_some_and(|until| Instant::now() < until)
    }

    /// Follows who leads. May lag behind [`Leadership::may_write`], never the other way to harm.
    pub fn follow(&self) -> watch::Receiver<bool> {
        self.leads.subscribe()
    }

    fn set(&self, until: Option<Instant>) {
        *self.until.lock() = until;
        let leads = until.is_some();
        self.leads.send_if_modified(|now| std::mem::replace(now, leads) != leads);
    }
}

/// Takes part in the election.
#[derive(Debug)]
pub struct Election {
    api: Api<Lease>,
    name: String,
    identity: String,
    times: Times,
    leadership: Arc<Leadership>,
    /// What was seen of somebody else's Lease, and since when it has been the same.
    seen: Option<(String, Instant)>,
}

impl Election {
    /// `client` must not be behind the gate that asks [`Leadership`].
    pub fn new(
        client: Client,
        namespace: &str,
        identity: String,
        times: Times,
        leadership: Arc<Leadership>,
    ) -> Self {
        Self {
            api: Api::namespaced(client, namespace),
            name: eventflow_crd::names::OPERATOR_LEASE.to_owned(),
            identity,
            times,
            leadership,
            seen: None,
        }
    }

    /// Until told to stop; then the Lease is given back, so that another need not wait for its end.
    pub async fn run(mut self, stop: CancellationToken) {
        loop {
            let started = Instant::now();
            let tried = tokio::time::timeout(self.times.deadline / 2, self.round()).await;
            match tried {
                Ok(Ok(true)) => self.leadership.set(Some(started + self.times.deadline)),
                Ok(Ok(false)) => self.leadership.set(None),
                Ok(Err(error)) => self.failed(&error.to_string()),
                Err(_) => self.failed("no answer in time"),
            }
            tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep(self.times.every) => {}
            }
        }
        let held = self.leadership.may_write();
        self.leadership.set(None);
        if held && let Ok(Err(error)) = tokio::time::timeout(Duration::from_secs(2), self.release()).await {
            tracing::warn!(%error, "failed to give the lease back");
        }
    }

    fn failed(&self, error: &str) {
        tracing::warn!(error, lease = %self.name, "failed to take or renew the lease");
        if !self.leadership.may_write() {
            self.leadership.set(None);
        }
    }

    /// One look at the Lease; whether it is ours now.
    async fn round(&mut self) -> kube::Result<bool> {
        let Some(lease) = self.api.get_opt(&self.name).await? else {
            let lease = Lease {
                metadata: ObjectMeta { name: Some(self.name.clone()), ..ObjectMeta::default() },
                spec: Some(self.mine(None)),
            };
            return self.outcome(self.api.create(&Self::post(), &lease).await);
        };
        let spec = lease.spec.clone().unwrap_or_default();
        let holder = spec.holder_identity.as_deref().unwrap_or_default();
        if holder == self.identity || holder.is_empty() || self.is_over(&lease, &spec) {
            let mine = Lease { spec: Some(self.mine(Some(&spec))), ..lease };
            return self.outcome(self.api.replace(&self.name, &Self::post(), &mine).await);
        }
        Ok(false)
    }

    /// Whether somebody else's Lease stayed the same for its whole duration, as our own clock counts.
    fn is_over(&mut self, lease: &Lease, spec: &LeaseSpec) -> bool {
        let now = Instant::now();
        let version = lease.metadata.resource_version.clone().unwrap_or_default();
        let duration = spec.lease_duration_seconds.and_then(|s| u64::try_from(s).ok());
        let duration = duration.map_or(self.times.duration, Duration::from_secs).max(self.times.duration);
        match &self.seen {
            Some((seen, since)) if *seen == version => now.duration_since(*since) >= duration,
            _ => {
                self.seen = Some((version, now));
                false
            }
        }
    }

    /// A conflict is somebody else's win, no failure.
    fn outcome(&self, written: kube::Result<Lease>) -> kube::Result<bool> {
        match written {
            Ok(_) => {
                if !*self.leadership.follow().borrow() {
                    tracing::info!(identity = %self.identity, lease = %self.name, "leads now");
                }
                Ok(true)
            }
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn post() -> PostParams {
        PostParams { field_manager: Some(eventflow_crd::names::OPERATOR.to_owned()), ..PostParams::default() }
    }

    fn mine(&self, before: Option<&LeaseSpec>) -> LeaseSpec {
        let now = MicroTime(jiff::Timestamp::now());
        let again = before.filter(|spec| spec.holder_identity.as_deref() == Some(self.identity.as_str()));
        let transitions = before.and_then(|spec| spec.lease_transitions).unwrap_or(0);
        LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: Some(self.times.duration.as_secs().max(1) as i32),
            acquire_time: again.and_then(|spec| spec.acquire_time.clone()).or_else(|| Some(now.clone())),
            renew_time: Some(now),
            lease_transitions: Some(if again.is_some() {
                transitions
            } else {
                transitions.saturating_add(1)
            }),
            ..LeaseSpec::default()
        }
    }

    async fn release(&self) -> kube::Result<()> {
        let Some(mut lease) = self.api.get_opt(&self.name).await? else { return Ok(()) };
        let Some(spec) = &mut lease.spec else { return Ok(()) };
        if spec.holder_identity.as_deref() == Some(self.identity.as_str()) {
            spec.holder_identity = None;
            self.api.replace(&self.name, &Self::post(), &lease).await?;
        }
        Ok(())
    }
}
