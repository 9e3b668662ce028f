//! What this process can say about itself: `/healthz` (alive) and `/readyz` (its dependencies are there).

use parking_lot::Mutex;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::watch;

/// The state of the whole process, as `/readyz` shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// A check is not ready.
    Waiting,
    Ready,
    /// The process is shutting down: no new work, whatever the checks say.
    Draining,
}

/// One named check and, if it is not ready, why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckReport {
    pub name: &'static str,
    pub ready: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Arc<str>>,
}

/// The body of `/readyz`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    pub ready: bool,
    pub state: Phase,
    pub checks: Vec<CheckReport>,
}

/// The registry of checks; cheap to clone. With no checks the process is ready.
#[derive(Debug, Clone)]
pub struct Health(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// `None` = ready, else the reason why not.
    checks: Mutex<BTreeMap<&'static str, Option<Arc<str>>>>,
    phase: watch::Sender<Phase>,
}

impl Health {
    pub fn new() -> Self {
        let (phase, _) = watch::channel(Phase::Ready);
        Self(Arc::new(Inner { checks: Mutex::default(), phase }))
    }

    /// Declares a check, not ready until its owner says so. Declare all checks before the listeners answer.
    pub fn check(&self, name: &'static str) -> Check {
        self.set(name, Some("starting".into()));
        Check { health: self.clone(), name }
    }

    /// Marks a check as ready, declaring it if it is new.
    pub fn ready(&self, name: &'static str) {
        self.set(name, None);
    }

    /// Marks a check as not ready; `reason` is public.
    pub fn not_ready(&self, name: &'static str, reason: impl Into<Arc<str>>) {
        self.set(name, Some(reason.into()));
    }

    fn set(&self, name: &'static str, reason: Option<Arc<str>>) {
        let mut checks = self.0.checks.lock();
        let before = checks.insert(name, reason.clone());
        let phase = if checks.values().all(Option::is_none) { Phase::Ready } else { Phase::Waiting };
        self.0.phase.send_if_modified(|now| {
            let changed = *now != phase && *now != Phase::Draining;
            if changed {
                *now = phase;
            }
            changed
        });
        if before.is_some_and(|before| before.is_none() != reason.is_none()) {
            match reason {
                None => tracing::info!(check = name, "ready"),
                Some(reason) => tracing::warn!(check = name, %reason, "not ready"),
            }
        }
    }

    /// From now on the process is not ready, for good.
    pub fn set_draining(&self) {
        self.0.phase.send_replace(Phase::Draining);
    }

    pub fn phase(&self) -> Phase {
        *self.0.phase.borrow()
    }

    pub fn is_ready(&self) -> bool {
        self.phase() == Phase::Ready
    }

    /// Every check by name, for `/readyz`.
    pub fn report(&self) -> Report {
        let checks = self.0.checks.lock();
        let report = |(&name, reason): (&&'static str, &Option<Arc<str>>)| CheckReport {
            name,
            ready: reason.is_none(),
            reason: reason.clone(),
        };
        let state = self.phase();
        Report { ready: state == Phase::Ready, state, checks: checks.iter().map(report).collect() }
    }

    /// Follows the phase, for `grpc.health.v1`.
    pub fn watch(&self) -> watch::Receiver<Phase> {
        self.0.phase.subscribe()
    }

    /// Waits until the process is ready; `false` if it began to drain instead.
    pub async fn wait_ready(&self) -> bool {
        let mut phase = self.watch();
        let reached = phase.wait_for(|phase| *phase != Phase::Waiting).await;
        reached.is_ok_and(|phase| *phase == Phase::Ready)
    }
}

impl Default for Health {
    fn default() -> Self {
        Self::new()
    }
}

/// The owner's side of one check.
#[derive(Debug, Clone)]
pub struct Check {
    health: Health,
    name: &'static str,
}

impl Check {
    pub fn ready(&self) {
        self.health.ready(self.name);
    }

    /// `reason` is public.
    pub fn not_ready(&self, reason: impl Into<Arc<str>>) {
        self.health.not_ready(self.name, reason);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_process_is_ready_when_all_its_checks_are() {
        let health = Health::new();
        let (store, bus) = (health.check("store"), health.check("bus"));
        store.ready();
        assert!(!health.is_ready());
        bus.ready();
        assert!(health.wait_ready().await);
        store.not_ready("disk full");
        let report = serde_json::to_value(health.report()).expect("json");
        let checks = serde_json::json!([
            {"name": "bus", "ready": true},
            {"name": "store", "ready": false, "reason": "disk full"},
        ]);
        assert_eq!(report, serde_json::json!({"ready": false, "state": "waiting", "checks": checks}));
    }

    #[tokio::test]
    async fn draining_is_for_good() {
        let health = Health::new();
        let store = health.check("store");
        health.set_draining();
        store.ready();
        assert_eq!(health.phase(), Phase::Draining);
        assert!(!health.wait_ready().await);
    }
}
