//! The newest events of one namespace, without what nobody reads.

use crate::timestamp;
use eventflow_domain::Timestamp;
use k8s_openapi::api::events::v1::Event;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// Events of a namespace that are kept; for one more, the oldest goes.
const MOST: usize = 5_000;
/// Characters of a message that are kept.
const MESSAGE: usize = 1024;

/// An event about an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Of the object.
    pub kind: String,
    pub name: String,
    pub uid: String,
    pub warning: bool,
    pub reason: String,
    pub message: String,
    /// How often, at least once.
    pub count: u32,
    /// The last time.
    pub at: Timestamp,
}

#[derive(Debug, Default)]
pub(super) struct Log {
    /// By the event's own name.
    events: HashMap<String, Arc<Told>>,
    /// The same, oldest first.
    order: BTreeSet<(Timestamp, String)>,
}

impl Log {
    pub(super) fn put(&mut self, event: &Event) {
        let Some((name, told)) = event.metadata.name.clone().zip(told(event)) else { return };
        self.forget(&name);
        self.order.insert((told.at, name.clone()));
        self.events.insert(name, Arc::new(told));
        if self.events.len() > MOST
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.events.remove(&oldest);
        }
    }

    /// It was too old for the cluster to keep.
    pub(super) fn remove(&mut self, event: &Event) {
        if let Some(name) = &event.metadata.name {
            self.forget(name);
        }
    }

    fn forget(&mut self, name: &str) {
        if let Some(before) = self.events.remove(name) {
            self.order.remove(&(before.at, name.to_owned()));
        }
    }

    pub(super) fn matching(&self, wanted: impl Fn(&Told) -> bool) -> Vec<Arc<Told>> {
        self.events.values().filter(|told| wanted(told)).cloned().collect()
    }
}

/// What of an event is kept. Old and new reporters fill different fields for the same.
fn told(event: &Event) -> Option<Told> {
    let regarding = event.regarding.as_ref()?;
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let series = event.series.as_ref();
    let at = series
        .map(|series| Timestamp::from_micros(series.last_observed_time.0.as_microsecond()))
        .or_else(|| event.deprecated_last_timestamp.as_ref().map(timestamp))
        .or_else(|| event.event_time.as_ref().map(|time| Timestamp::from_micros(time.0.as_microsecond())))
        .or_else(|| event.metadata.creation_timestamp.as_ref().map(timestamp))?;
    let count = series.map(|series| series.count).or(event.deprecated_count).unwrap_or(1);
    Some(Told {
        kind: text(&regarding.kind),
        name: text(&regarding.name),
        uid: text(&regarding.uid),
        warning: event.type_.as_deref() == Some("Warning"),
        reason: text(&event.reason),
        message: event.note.iter().flat_map(|note| note.chars()).take(MESSAGE).collect(),
        count: u32::try_from(count).unwrap_or(1).max(1),
        at,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::core::v1::ObjectReference;
    use k8s_openapi::api::events::v1::EventSeries;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta, Time};
    use k8s_openapi::jiff;

    fn instant(second: i64) -> jiff::Timestamp {
        jiff::Timestamp::from_second(second).expect("a time")
    }

    fn event(name: &str, second: i64) -> Event {
        Event {
            metadata: ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() },
            event_time: Some(MicroTime(instant(second))),
            regarding: Some(ObjectReference { name: Some("fn-f".to_owned()), ..ObjectReference::default() }),
            ..Event::default()
        }
    }

    #[test]
    fn of_a_flood_the_newest_are_kept() {
        let mut log = Log::default();
        for number in 0..MOST as i64 * 2 {
            log.put(&event(&format!("e{number}"), number));
        }
        assert_eq!((log.events.len(), log.order.len()), (MOST, MOST));
        let newer = Timestamp::from_millis(1000 * MOST as i64);
        assert_eq!(log.matching(|told| told.at >= newer).len(), MOST, "the newest");
        for number in 0..MOST as i64 * 2 {
            log.remove(&event(&format!("e{number}"), 0));
        }
        assert_eq!((log.events.len(), log.order.len()), (0, 0));
    }

    #[test]
    fn an_event_that_is_told_again_is_one_with_its_last_time_and_count() {
        let mut log = Log::default();
        log.put(&event("e", 1));
        let series = EventSeries { count: 7, last_observed_time: MicroTime(instant(9)) };
        log.put(&Event { series: Some(series), ..event("e", 1) });
        let found = log.matching(|_| true);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].count, found[0].at), (7, Timestamp::from_millis(9000)));
        // Of a reporter of the old kind.
        let old = Event {
            deprecated_count: Some(3),
            deprecated_last_timestamp: Some(Time(instant(20))),
            ..event("old", 1)
        };
        log.put(&Event { event_time: None, ..old });
        let old = log.matching(|told| told.count == 3);
        assert_eq!(old[0].at, Timestamp::from_millis(20_000));
    }

    #[test]
    fn a_message_without_end_is_cut() {
        let mut log = Log::default();
        log.put(&Event { note: Some("ü".repeat(64 << 10)), ..event("e", 1) });
        assert_eq!(log.matching(|_| true)[0].message.chars().count(), MESSAGE);
    }
}
