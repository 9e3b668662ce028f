//! How the calls of all functions go on: looked up while somebody watches, in windows that are kept in memory.

mod hub;

pub(super) use hub::ActivityHub;

use super::App;
use async_stream::stream;
use eventflow_domain::access::{Caller, Permission};
use eventflow_domain::activity::{Activity, Step, steps};
use eventflow_domain::ports::EndedQuery;
use eventflow_domain::quantity::format_duration;
use eventflow_domain::{Error, FunctionKey, FunctionName, Namespace, Result, Timestamp};
use futures::stream::BoxStream;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// A silent stream says so often that it lives, so that no proxy cuts it.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// Figures in one message.
const CHUNK: usize = 200;

/// Ended calls of one function that are looked at, at most.
const MOST_CALLS: u32 = 200_000;
const DEFAULT_WINDOW: Duration = Duration::from_secs(3600);
const MIN_WINDOW: Duration = Duration::from_secs(60);
const MAX_WINDOW: Duration = Duration::from_secs(7 * 86_400);
const MIN_STEP: Duration = Duration::from_secs(1);
const MOST_STEPS: u32 = 1000;
const DEFAULT_STEPS: u32 = 60;

/// What a watch of figures tells.
#[derive(Debug)]
pub enum StatsEvent {
    Changed(Vec<Arc<Activity>>),
    Synced,
    Heartbeat,
}

/// A function's calls over time.
#[derive(Debug)]
pub struct Metrics {
    pub steps: Vec<Step>,
    pub step: Duration,
    /// Older calls were not looked at.
    pub counted_from: Option<Timestamp>,
}

impl App {
    /// The figures of every function, then those that change, until the process drains.
    pub async fn stats_watch(
        self: Arc<Self>,
        caller: &Caller,
        namespace: Option<Namespace>,
        function: Option<FunctionName>,
    ) -> Result<BoxStream<'static, StatsEvent>> {
        if let Some(namespace) = &namespace {
            caller.require(Permission::FunctionsRead, namespace)?;
            if let Some(name) = &function {
                let key = FunctionKey::new(namespace.clone(), name.clone());
                self.function_for(caller, &key, Permission::FunctionsRead).await?;
            }
        }
        let (caller, watching) = (caller.clone(), ActivityHub::watch(&self.activity));
        let draining = self.handle.draining();
        Ok(Box::pin(stream! {
            let visible = |activity: &Activity| {
                let key = &activity.function;
                namespace.as_ref().is_none_or(|wanted| *wanted == key.namespace)
                    && function.as_ref().is_none_or(|wanted| *wanted == key.name)
                    && caller.may(Permission::FunctionsRead, &key.namespace)
            };
            let (mut latest, mut seen) = (watching.latest(), 0);
            let mut told = Instant::now();
            loop {
                let at = *latest.borrow_and_update();
                // At 0 nothing was looked up yet.
                if at > seen {
                    let mut changed = self.activity.behind(seen);
                    changed.retain(|activity| visible(activity));
                    for chunk in changed.chunks(CHUNK) {
                        yield StatsEvent::Changed(chunk.to_vec());
                        told = Instant::now();
                    }
                    if seen == 0 {
                        yield StatsEvent::Synced;
                        told = Instant::now();
                    }
                    seen = at;
                }
                tokio::select! {
                    changed = latest.changed() => if changed.is_err() { break },
                    // News that this watcher is not told do not put it off.
                    () = tokio::time::sleep_until(told + HEARTBEAT) => {
                        yield StatsEvent::Heartbeat;
                        told = Instant::now();
                    }
                    () = draining.cancelled() => break,
                }
            }
        }))
    }

    /// How a function's calls went, in steps of time.
    pub async fn function_metrics(
        &self,
        caller: &Caller,
        key: &FunctionKey,
        window: Option<Duration>,
        step: Option<Duration>,
    ) -> Result<Metrics> {
        self.function_for(caller, key, Permission::FunctionsRead).await?;
        let (window, step) = spans(window, step)?;
        let until = self.parts.clock.now();
        let since = eventflow_domain::activity::step_of(until - window, step);
        let query = EndedQuery { function: key.clone(), since, step, limit: MOST_CALLS };
        let ended = self.parts.store.ended(&query).await?;
        Ok(Metrics { steps: steps(&ended.cells, since, until, step), step, counted_from: ended.from })
    }
}

/// The window and the length of its steps, within their bounds.
fn spans(window: Option<Duration>, step: Option<Duration>) -> Result<(Duration, Duration)> {
    let within = |field: &str, value: Duration, from: Duration, to: Duration| {
        let text = || format!("must be from {} to {}", format_duration(from), format_duration(to));
        if (from..=to).contains(&value) { Ok(value) } else { Err(Error::invalid(field, text())) }
    };
    let window = within("window", window.unwrap_or(DEFAULT_WINDOW), MIN_WINDOW, MAX_WINDOW)?;
    let least = MIN_STEP.max(Duration::from_secs(window.as_secs().div_ceil(MOST_STEPS.into())));
    let step = step.unwrap_or_else(|| Duration::from_secs((window / DEFAULT_STEPS).as_secs().max(1)));
    Ok((window, within("step", step, least, window)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_has_sixty_steps_and_never_more_than_a_thousand() {
        let seconds = Duration::from_secs;
        assert_eq!(spans(None, None).expect("fine"), (seconds(3600), seconds(60)));
        assert_eq!(spans(Some(seconds(60)), None).expect("fine"), (seconds(60), seconds(1)));
        assert_eq!(spans(Some(MAX_WINDOW), Some(seconds(605))).expect("fine").1, seconds(605));
        for (window, step, field) in [
            (Some(seconds(59)), None, "window"),
            (Some(MAX_WINDOW + seconds(1)), None, "window"),
            (Some(MAX_WINDOW), Some(seconds(604)), "step"),
            (None, Some(Duration::from_millis(999)), "step"),
            (None, Some(seconds(3601)), "step"),
        ] {
            let refused = spans(window, step).expect_err(field);
            assert_eq!(refused.field_violations()[0].field, field, "{window:?} {step:?}");
        }
    }
}
