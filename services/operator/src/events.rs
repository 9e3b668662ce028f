//! What people are told as Kubernetes events: few, and never the same again and again.

use crate::index::Key;
use crate::reason;
use crate::reconcile::Findings;
use eventflow_crd::{Function, FunctionStatus};
use eventflow_domain::FunctionVersion;
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Client;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::fmt;
use std::time::Duration;
use tokio::time::Instant;

/// Events of one reason about one function that may follow each other, and the time in which one of them comes back.
const BURST: u32 = 5;
const REFILL: Duration = Duration::from_secs(60);
/// Functions whose events are counted at most; beyond it the counting begins anew.
const MOST: usize = 20_000;

/// By function and reason: how many were spent, and since when they come back.
type Spent = HashMap<(Key, &'static str), (u32, Instant)>;

/// Publishes events; a failed one is logged, it stands in nobody's way.
pub struct Events {
    recorder: Recorder,
    spent: Mutex<Spent>,
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").field("counted", &self.spent.lock().len()).finish_non_exhaustive()
    }
}

impl Events {
    /// `client` behind the gate: only the leader speaks.
    pub fn new(client: Client, instance: &str) -> Self {
        let reporter = Reporter {
            controller: eventflow_crd::names::OPERATOR.to_owned(),
            instance: Some(instance.to_owned()),
        };
        Self { recorder: Recorder::new(client, reporter), spent: Mutex::default() }
    }

    pub(crate) async fn version_created(&self, object: &Function, version: &FunctionVersion) {
        let note = format!("version {} created, declared by {}", version.number, version.created_by);
        // The number makes events of two versions two events.
        let action = format!("CreateVersion{}", version.number);
        self.publish(&object.metadata, EventType::Normal, "VersionCreated", action, note).await;
    }

    /// What a new status says that people want to know.
    pub(crate) async fn found(
        &self,
        metadata: &ObjectMeta,
        findings: &Findings,
        before: &FunctionStatus,
        after: &FunctionStatus,
    ) {
        if let (Some(old), Some(new)) = (before.replicas, after.replicas)
            && old != new
            && findings.refusal.is_none()
        {
            let note = format!("warm copies: {old} to {new}");
            self.publish(metadata, EventType::Normal, "Scaled", format!("ScaleTo{new}"), note).await;
        }
        let refused = |status: &FunctionStatus| {
            let ready = status.condition("Ready");
            ready.filter(|ready| ready.reason == reason::INVALID_SPEC).map(|ready| ready.message.clone())
        };
        if let Some(message) = refused(after)
            && refused(before).as_ref() != Some(&message)
        {
            self.publish(metadata, EventType::Warning, reason::INVALID_SPEC, "Validate".to_owned(), message)
                .await;
        }
        let degraded = |status: &FunctionStatus| {
            let degraded = status.condition("Degraded").filter(|degraded| degraded.status == "True");
            degraded.map(|degraded| (degraded.reason.clone(), degraded.message.clone()))
        };
        if let Some((reason, message)) = degraded(after)
            && degraded(before).is_none_or(|(old, _)| old != reason)
        {
            self.publish(metadata, EventType::Warning, "Degraded", reason, message).await;
        }
    }

    /// An attempt ended badly. Bounded and counted up: one event stands for many.
    pub(crate) async fn invocation_failed(&self, metadata: &ObjectMeta, note: String) {
        self.publish(metadata, EventType::Warning, "InvocationFailed", "Run".to_owned(), note).await;
    }

    /// The function is gone.
    pub(crate) fn forget(&self, key: &Key) {
        self.spent.lock().retain(|(of, _), _| of != key);
    }

    async fn publish(
        &self,
        about: &ObjectMeta,
        type_: EventType,
        reason: &'static str,
        action: String,
        note: String,
    ) {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let key = Key::new(&text(&about.namespace), &text(&about.name));
        if !self.may(&key, reason) {
            return;
        }
        let reference = ObjectReference {
            api_version: Some("eventflow.io/v1alpha1".to_owned()),
            kind: Some("Function".to_owned()),
            name: about.name.clone(),
            namespace: about.namespace.clone(),
            uid: about.uid.clone(),
            ..ObjectReference::default()
        };
        // The API server takes 1 KiB of note and 128 characters of action.
        let event = Event {
            type_,
            reason: reason.to_owned(),
            note: Some(note.chars().take(900).collect()),
            action: action.chars().take(128).collect(),
            secondary: None,
        };
        if let Err(error) = self.recorder.publish(&event, &reference).await {
            tracing::warn!(function = %key, reason, error = %eventflow_domain::error::Chain(&error), "failed to publish an event");
        }
    }

    fn may(&self, key: &Key, reason: &'static str) -> bool {
        let now = Instant::now();
        let mut spent = self.spent.lock();
        if spent.len() >= MOST {
            spent.clear();
        }
        let (count, since) = spent.entry((key.clone(), reason)).or_insert((0, now));
        let back = (now.duration_since(*since).as_secs() / REFILL.as_secs()) as u32;
        if back > 0 {
            *count = count.saturating_sub(back);
            *since = now;
        }
        let may = *count < BURST;
        *count += u32::from(may);
        may
    }
}
