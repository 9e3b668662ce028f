//! Changes of calls, as they happen.

use super::App;
use super::invocations::require_list;
use async_stream::try_stream;
use eventflow_domain::access::{Caller, Permission};
use eventflow_domain::ports::{InvocationFilter, Live, Topic};
use eventflow_domain::{Error, FunctionKey, Invocation, InvocationId, Namespace, Result};
use futures::StreamExt as _;
use futures::stream::BoxStream;
use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout, timeout_at};

const MAX_SNAPSHOT: i32 = 1000;
/// A silent stream says so often that it lives, so that no proxy cuts it.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// Changes within so short a time are read together.
const GATHER: Duration = Duration::from_millis(50);
/// Calls that are read together.
const TOGETHER: usize = 500;
/// A watch of one call looks so often by itself: a live message may be lost.
const POLL: Duration = Duration::from_secs(1);
/// Calls told of, of which it is remembered that they were.
const REMEMBERED: usize = 10_000;

#[derive(Debug)]
pub enum InvocationWatchEvent {
    Changed(Box<Invocation>),
    Synced,
    Heartbeat,
}

type Events = BoxStream<'static, Result<InvocationWatchEvent>>;

/// The calls that a watcher was told of lately.
#[derive(Debug, Default)]
struct Told {
    ids: HashSet<InvocationId>,
    order: VecDeque<InvocationId>,
}

impl Told {
    /// Whether the watcher shall hear of the record: the filter holds it, or held it when it was told last.
    fn concerns(&mut self, filter: &InvocationFilter, record: &Invocation) -> bool {
        if !filter.holds(record) {
            return self.ids.remove(&record.id);
        }
        if self.ids.insert(record.id) {
            self.order.push_back(record.id);
        }
        while self.order.len() > REMEMBERED {
            let Some(oldest) = self.order.pop_front() else { break };
            self.ids.remove(&oldest);
        }
        true
    }
}

impl App {
    /// The newest calls that the filter holds, then every change of one, until the process drains.
    pub async fn invocations_watch(
        self: Arc<Self>,
        caller: &Caller,
        filter: InvocationFilter,
        snapshot: i32,
    ) -> Result<Events> {
        require_list(caller, &filter, Permission::InvocationsRead)?;
        if !(0..=MAX_SNAPSHOT).contains(&snapshot) {
            let text = format!("must be from 0 to {MAX_SNAPSHOT}, is {snapshot}");
            return Err(Error::invalid("snapshot", text));
        }
        let topic = match (&filter.namespace, &filter.function) {
            (Some(namespace), Some(name)) => {
                Topic::Function(FunctionKey::new(namespace.clone(), name.clone()))
            }
            _ => Topic::Changes,
        };
        let mut live = self.parts.bus.listen(topic);
        let newest = match snapshot {
            0 => Vec::new(),
            n => self.parts.store.list(&filter, None, n as u32).await?.invocations,
        };
        let draining = self.handle.draining();
        Ok(Box::pin(try_stream! {
            let mut told = Told::default();
            for record in newest.into_iter().rev() {
                told.concerns(&filter, &record);
                yield InvocationWatchEvent::Changed(Box::new(record));
            }
            yield InvocationWatchEvent::Synced;
            loop {
                let changed = tokio::select! {
                    changed = timeout(HEARTBEAT, changed(&mut live, &filter)) => changed,
                    () = draining.cancelled() => break,
                };
                let Ok(ids) = changed else {
                    yield InvocationWatchEvent::Heartbeat;
                    continue;
                };
                if ids.is_empty() { break }
                // Not there yet: a sync call whose record is on its way; it is told when it has ended.
                let these = InvocationFilter { ids, ..InvocationFilter::default() };
                let page = self.parts.store.list(&these, None, TOGETHER as u32).await?;
                for record in page.invocations.into_iter().rev() {
                    if told.concerns(&filter, &record) {
                        yield InvocationWatchEvent::Changed(Box::new(record));
                    }
                }
            }
        }))
    }

    /// One call: its record whole, then each change, until it has ended.
    pub async fn invocation_watch(
        self: Arc<Self>,
        caller: &Caller,
        namespace: Option<&Namespace>,
        id: InvocationId,
    ) -> Result<Events> {
        let mut live = self.parts.bus.listen(Topic::Invocation(id));
        let mut record = self.invocation_for(caller, namespace, id, Permission::InvocationsRead).await?;
        let draining = self.handle.draining();
        Ok(Box::pin(try_stream! {
            yield InvocationWatchEvent::Changed(Box::new(record.clone()));
            yield InvocationWatchEvent::Synced;
            let mut told_at = Instant::now();
            while !record.state().is_terminal() && !draining.is_cancelled() {
                let _ = timeout(POLL, super::invocations::until_changed(&mut live)).await;
                let now = self.parts.store.get(id).await?.ok_or_else(|| Error::invocation_not_found(id))?;
                if now != record {
                    record = now;
                    yield InvocationWatchEvent::Changed(Box::new(record.clone()));
                } else if told_at.elapsed() >= HEARTBEAT {
                    yield InvocationWatchEvent::Heartbeat;
                } else {
                    continue;
                }
                told_at = Instant::now();
            }
        }))
    }
}

/// Calls that changed, gathered over a moment; none where the bus has ended.
async fn changed(
    live: &mut (impl futures::Stream<Item = Live> + Unpin),
    filter: &InvocationFilter,
) -> Vec<InvocationId> {
    let (mut ids, mut until) = (Vec::new(), None);
    loop {
        let next = match until {
            None => live.next().await,
            Some(until) => match timeout_at(until, live.next()).await {
                Ok(next) => next,
                Err(_) => return ids,
            },
        };
        let Some(live) = next else { return ids };
        let Live::Changed { invocation, function, .. } = live else { continue };
        if filter.namespace.as_ref().is_some_and(|namespace| *namespace != function.namespace) {
            continue;
        }
        if !ids.contains(&invocation) {
            ids.push(invocation);
        }
        if ids.len() >= TOGETHER {
            return ids;
        }
        until.get_or_insert_with(|| Instant::now() + GATHER);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use eventflow_domain::invocation::Stored;
    use eventflow_domain::lifecycle::Lifecycle;
    use eventflow_domain::trace::TraceContext;
    use eventflow_domain::{FunctionUid, Source, State, Timestamp, VersionNumber};

    fn accepted() -> Invocation {
        Invocation {
            id: InvocationId::generate(),
            function: eventflow_testkit::key("f"),
            function_uid: FunctionUid::generate(),
            version: VersionNumber(1),
            lifecycle: Lifecycle::accepted(Timestamp::default()),
            source: Source::Async,
            caller: "tester".into(),
            replay_of: None,
            trace: TraceContext::generate(),
            payload: Stored::NOTHING,
            result: Stored::NOTHING,
            http_status: None,
            failure: None,
            created_at: Timestamp::default(),
            started_at: None,
            ended_at: None,
            attempts: Vec::new(),
            logs_truncated: false,
            start: None,
        }
    }

    #[test]
    fn a_call_that_leaves_the_filter_is_told_once_more() {
        let filter = InvocationFilter { states: vec![State::Queued], ..InvocationFilter::default() };
        let (mut told, mut record) = (Told::default(), accepted());
        assert!(told.concerns(&filter, &record) && told.concerns(&filter, &record));
        record.lifecycle.state = State::Running;
        assert!(told.concerns(&filter, &record), "it left");
        assert!(!told.concerns(&filter, &record), "it is away");
        let mut never = accepted();
        never.lifecycle.state = State::Failed;
        assert!(!told.concerns(&filter, &never));
    }
}
