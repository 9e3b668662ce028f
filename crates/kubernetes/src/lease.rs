//! A Lease: at most one of many holds it, and whoever loses touch with the API server gives up before another takes it.

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// Which Lease, and who asks.
#[derive(Debug, Clone)]
pub struct LeaseConfig {
    pub namespace: String,
    pub name: String,
    /// Unique for each process.
    pub identity: String,
    pub field_manager: &'static str,
    /// How long it is held without a renewal. At least 3 s.
    pub duration: Duration,
}

/// Whether this process holds it now.
#[derive(Debug, Clone)]
pub struct Holder(watch::Receiver<bool>);

/// What was seen of another's Lease: it counts from when *we* saw it renewed, so that clocks need not agree.
#[derive(Debug, Default)]
struct Seen {
    renewal: Option<(String, Option<Timestamp>)>,
    since: Option<Instant>,
}

impl Holder {
    /// Held by nobody here before the future runs; it does not end. Dropping it lets the Lease run out.
    pub fn follow(client: Client, config: LeaseConfig) -> (Self, impl Future<Output = ()> + Send + 'static) {
        let (told, heard) = watch::channel(false);
        let following = async move {
            let api = Api::<Lease>::namespaced(client, &config.namespace);
            let mut seen = Seen::default();
            let mut held_until = None;
            loop {
                let asked_at = Instant::now();
                let pause = config.duration / 3;
                // An answer later than this is as good as none.
                let asked = tokio::time::timeout(pause, take(&api, &config, &mut seen)).await;
                match asked {
                    Ok(Ok(true)) => held_until = Some(asked_at + config.duration * 2 / 3),
                    Ok(Ok(false)) => held_until = None,
                    Ok(Err(error)) => {
                        tracing::warn!(lease = %config.name, %error, "cannot renew a lease, trying again");
                    }
                    Err(_) => tracing::warn!(lease = %config.name, "the API server does not answer in time"),
                }
                let next = asked_at + pause;
                told_until(&told, held_until, next).await;
            }
        };
        (Self(heard), following)
    }

    pub fn holds(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits for the next change; whether it is held then.
    pub async fn changed(&mut self) -> bool {
        if self.0.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
        *self.0.borrow_and_update()
    }
}

/// Says until `next` whether it is held; what runs out in between is said at once.
async fn told_until(told: &watch::Sender<bool>, held_until: Option<Instant>, next: Instant) {
    let say = |held: bool| {
        told.send_if_modified(|before| std::mem::replace(before, held) != held);
    };
    let Some(until) = held_until.filter(|until| *until > Instant::now()) else {
        say(false);
        return tokio::time::sleep_until(next).await;
    };
    say(true);
    if until < next {
        tokio::time::sleep_until(until).await;
        say(false);
    }
    tokio::time::sleep_until(next).await;
}

/// Takes or renews it, if it is ours or free. Whether it is ours now.
async fn take(api: &Api<Lease>, config: &LeaseConfig, seen: &mut Seen) -> Result<bool, kube::Error> {
    let params = PostParams { field_manager: Some(config.field_manager.to_owned()), ..PostParams::default() };
    let Some(mut lease) = api.get_opt(&config.name).await? else {
        let metadata = ObjectMeta {
            name: Some(config.name.clone()),
            namespace: Some(config.namespace.clone()),
            ..ObjectMeta::default()
        };
        let spec = spec(config, None, Timestamp::now());
        let made = api.create(&params, &Lease { metadata, spec: Some(spec) }).await;
        return ours(made.map(drop));
    };
    let before = lease.spec.take();
    if !seen.is_free(before.as_ref(), &config.identity) {
        return Ok(false);
    }
    lease.spec = Some(spec(config, before, Timestamp::now()));
    // With the resourceVersion that was read: of two, one is refused.
    ours(api.replace(&config.name, &params, &lease).await.map(drop))
}

fn ours(written: Result<(), kube::Error>) -> Result<bool, kube::Error> {
    match written {
        Ok(()) => Ok(true),
        Err(error) if crate::is_conflict(&error) => Ok(false),
        Err(error) => Err(error),
    }
}

impl Seen {
    fn is_free(&mut self, lease: Option<&LeaseSpec>, me: &str) -> bool {
        let Some(lease) = lease else { return true };
        let holder = lease.holder_identity.clone().unwrap_or_default();
        if holder.is_empty() || holder == me {
            return true;
        }
        let renewal = Some((holder, lease.renew_time.as_ref().map(|time| time.0)));
        if self.renewal != renewal {
            *self = Self { renewal, since: Some(Instant::now()) };
        }
        let duration =
            Duration::from_secs(lease.lease_duration_seconds.unwrap_or(15).max(1).unsigned_abs().into());
        self.since.is_some_and(|since| since.elapsed() > duration)
    }
}

fn spec(config: &LeaseConfig, before: Option<LeaseSpec>, now: Timestamp) -> LeaseSpec {
    let before = before.unwrap_or_default();
    let same = before.holder_identity.as_deref() == Some(config.identity.as_str());
    LeaseSpec {
        holder_identity: Some(config.identity.clone()),
        lease_duration_seconds: Some(i32::try_from(config.duration.as_secs()).unwrap_or(i32::MAX)),
        acquire_time: if same { before.acquire_time } else { Some(MicroTime(now)) },
        renew_time: Some(MicroTime(now)),
        lease_transitions: match (before.lease_transitions, same) {
            (transitions, true) => transitions,
            (transitions, false) => Some(transitions.unwrap_or(0) + 1),
        },
        ..before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(by: &str, renewed: i64) -> LeaseSpec {
        LeaseSpec {
            holder_identity: Some(by.to_owned()),
            lease_duration_seconds: Some(9),
            renew_time: Some(MicroTime(Timestamp::from_second(renewed).expect("a time"))),
            ..LeaseSpec::default()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn anothers_lease_is_free_once_it_was_not_renewed_for_its_whole_duration() {
        let mut seen = Seen::default();
        assert!(!seen.is_free(Some(&held("other", 1)), "me"), "its clock may be years behind ours");
        tokio::time::advance(Duration::from_secs(8)).await;
        assert!(!seen.is_free(Some(&held("other", 2)), "me"), "renewed");
        tokio::time::advance(Duration::from_secs(8)).await;
        assert!(!seen.is_free(Some(&held("other", 2)), "me"));
        tokio::time::advance(Duration::from_secs(2)).await;
        assert!(seen.is_free(Some(&held("other", 2)), "me"));
        assert!(seen.is_free(Some(&held("me", 2)), "me") && seen.is_free(None, "me"));
    }

    #[tokio::test(start_paused = true)]
    async fn what_could_not_be_renewed_is_given_up_before_another_may_take_it() {
        let (told, heard) = watch::channel(false);
        let now = Instant::now();
        let until = now + Duration::from_secs(6);
        let saying = told_until(&told, Some(until), now + Duration::from_secs(9));
        tokio::pin!(saying);
        assert!(futures::poll!(&mut saying).is_pending() && *heard.borrow());
        tokio::time::advance(Duration::from_secs(6)).await;
        assert!(futures::poll!(&mut saying).is_pending());
        assert!(!*heard.borrow());
    }
}
