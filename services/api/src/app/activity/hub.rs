//! The windows, and the one task that keeps them up to date while there are watchers.

use super::super::App;
use super::MOST_CALLS;
use eventflow_domain::activity::{Activity, Window, step_of};
use eventflow_domain::error::Chain;
use eventflow_domain::ports::{EndedQuery, Live, QueueStats, Topic};
use eventflow_domain::{FunctionKey, Result, Timestamp};
use futures::StreamExt as _;
use futures::stream::BoxStream;
use parking_lot::Mutex;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// The shortest time between two looks.
const TICK: Duration = Duration::from_secs(2);
/// A look may take this part of the time; a slow store is asked less often.
const SHARE: u32 = 5;
/// A call that ended so long before it was told of may have been missed by the look before.
const LATE: Duration = Duration::from_secs(10);
/// All functions are looked at so often, also those of which nothing was told.
const ALL: Duration = Duration::from_secs(15);

/// Figures of all functions, by the number of the look at which they last changed.
#[derive(Debug)]
pub(in super::super) struct ActivityHub {
    rows: Mutex<BTreeMap<FunctionKey, (u64, Arc<Activity>)>>,
    /// The number of the last look that is complete.
    latest: watch::Sender<u64>,
    watchers: watch::Sender<usize>,
}

impl Default for ActivityHub {
    fn default() -> Self {
        Self { rows: Mutex::default(), latest: watch::Sender::new(0), watchers: watch::Sender::new(0) }
    }
}

/// Keeps the figures up to date as long as it lives.
#[derive(Debug)]
pub(super) struct Watching(Arc<ActivityHub>);

impl Watching {
    pub(super) fn latest(&self) -> watch::Receiver<u64> {
        self.0.latest.subscribe()
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.0.watchers.send_modify(|watchers| *watchers -= 1);
    }
}

impl ActivityHub {
    pub(super) fn watch(hub: &Arc<Self>) -> Watching {
        hub.watchers.send_modify(|watchers| *watchers += 1);
        Watching(Arc::clone(hub))
    }

    /// What changed at looks behind this one.
    pub(super) fn behind(&self, number: u64) -> Vec<Arc<Activity>> {
        let rows = self.rows.lock();
        rows.values().filter(|(at, _)| *at > number).map(|(_, activity)| Arc::clone(activity)).collect()
    }

    fn keep(&self, told: Vec<Activity>) {
        let number = *self.latest.borrow() + 1;
        let mut rows = self.rows.lock();
        let known: HashSet<FunctionKey> = told.iter().map(|activity| activity.function.clone()).collect();
        rows.retain(|key, _| known.contains(key));
        for activity in told {
            let same = rows.get(&activity.function).is_some_and(|(_, before)| **before == activity);
            if !same {
                rows.insert(activity.function.clone(), (number, Arc::new(activity)));
            }
        }
        drop(rows);
        self.latest.send_replace(number);
    }
}

impl App {
    /// Looks while somebody watches; ends with the process.
    pub(in super::super) async fn activity_run(&self) {
        let token = self.handle.token();
        let mut watchers = self.activity.watchers.subscribe();
        loop {
            tokio::select! {
                waited = watchers.wait_for(|watchers| *watchers > 0) => if waited.is_err() { return },
                () = token.cancelled() => return,
            }
            let mut looks = Looks::new(self);
            while *watchers.borrow() > 0 && !token.is_cancelled() {
                let began = Instant::now();
                match looks.look(self).await {
                    Ok(told) => self.activity.keep(told),
                    Err(error) => tracing::debug!(error = %Chain(&error), "figures could not be looked up"),
                }
                let until = began + TICK.max(began.elapsed() * SHARE);
                tokio::select! {
                    () = looks.hear(until) => {}
                    () = token.cancelled() => return,
                }
            }
        }
    }
}

/// The windows of one time of watching.
struct Looks {
    windows: HashMap<FunctionKey, (Window, Timestamp)>,
    changes: BoxStream<'static, Live>,
    /// Something ended lately, or may have.
    stirred: HashMap<FunctionKey, Instant>,
    all: Option<Instant>,
}

impl Looks {
    fn new(app: &App) -> Self {
        let changes = app.parts.bus.listen(Topic::Changes);
        Self { windows: HashMap::new(), changes, stirred: HashMap::new(), all: None }
    }

    /// Notes which functions are stirring until then.
    async fn hear(&mut self, until: Instant) {
        while let Ok(next) = tokio::time::timeout_at(until, self.changes.next()).await {
            match next {
                Some(Live::Changed { function, .. }) => {
                    self.stirred.insert(function, Instant::now());
                }
                Some(_) => {}
                // The bus ended: it does so with the process.
                None => return tokio::time::sleep_until(until).await,
            }
        }
    }

    async fn look(&mut self, app: &App) -> Result<Vec<Activity>> {
        let now = app.parts.clock.now();
        let queues: HashMap<FunctionKey, QueueStats> =
            app.parts.store.queue_stats().await?.into_iter().map(|q| (q.function.clone(), q)).collect();
        let functions = app.parts.registry.list(None);
        let everything = self.all.is_none_or(|last| last.elapsed() >= ALL);
        self.stirred.retain(|_, at| at.elapsed() < LATE);
        let known: HashSet<&FunctionKey> = functions.iter().map(|function| &function.key).collect();
        self.windows.retain(|key, _| known.contains(key));
        let mut told = Vec::with_capacity(functions.len());
        for function in &functions {
            let key = &function.key;
            if everything || self.stirred.contains_key(key) || !self.windows.contains_key(key) {
                self.read(app, key, now).await?;
            }
            let Some((window, _)) = self.windows.get_mut(key) else { continue };
            told.push(window.activity(key, queues.get(key).cloned(), now));
        }
        if everything {
            self.all = Some(Instant::now());
        }
        Ok(told)
    }

    async fn read(&mut self, app: &App, key: &FunctionKey, now: Timestamp) -> Result<()> {
        let query = |since, step, limit| EndedQuery { function: key.clone(), since, step, limit };
        let known = self.windows.get(key).map(|(_, looked)| *looked);
        let since = known.map_or_else(|| Window::begin(now), |looked| step_of(looked - LATE, Window::STEP));
        let ended = app.parts.store.ended(&query(since, Window::STEP, MOST_CALLS)).await?;
        let last = if known.is_none() && ended.cells.is_empty() {
            let before = app.parts.store.ended(&query(Timestamp::from_micros(0), Window::STEP, 1)).await?;
            before.cells.first().map(|cell| cell.last)
        } else {
            None
        };
        let (window, looked) = self.windows.entry(key.clone()).or_default();
        window.replace(since, ended.cells);
        window.set_before(last);
        *looked = now;
        Ok(())
    }
}
