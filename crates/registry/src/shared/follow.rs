//! Follows the news of the store.

use super::Inner;
use crate::backoff::Backoff;
use eventflow_domain::ports::{FunctionNews, SharedFunctionStore};
use eventflow_domain::{FunctionKey, FunctionUid, Result};
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream, FuturesUnordered};
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _};
use std::collections::HashSet;
use std::mem;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::MissedTickBehavior;

/// Functions that are read one by one; with more news than that all are.
const MOST: usize = 500;
/// Reads at once.
const READS: usize = 4;

/// What is to be read again.
#[derive(Debug, Default)]
struct Due {
    all: bool,
    changed: HashSet<FunctionKey>,
    reported: HashSet<FunctionUid>,
    /// What is shown then has all changes up to this number.
    revision: u64,
}

impl Due {
    fn all() -> Self {
        Self { all: true, ..Self::default() }
    }

    fn add(&mut self, news: FunctionNews) {
        if let FunctionNews::Revision(number) = news {
            self.revision = self.revision.max(number);
            return;
        }
        if self.all {
            return;
        }
        match news {
            FunctionNews::Revision(_) => {}
            FunctionNews::Changed(key) => drop(self.changed.insert(key)),
            FunctionNews::Reported(uid) => drop(self.reported.insert(uid)),
            FunctionNews::Resync => self.widen(),
        }
        if self.changed.len() + self.reported.len() > MOST {
            self.widen();
        }
    }

    /// All of them; what was heard of the numbers stays.
    fn widen(&mut self) {
        *self = Self { revision: self.revision, ..Self::all() };
    }

    fn is_empty(&self) -> bool {
        !self.all && self.changed.is_empty() && self.reported.is_empty() && self.revision == 0
    }
}

/// Never ends. News gather while older ones are worked off.
pub(super) async fn follow(inner: Arc<Inner>, every: Duration) {
    let mut news = listen(&*inner.declared.store, Duration::ZERO);
    let mut ticks = tokio::time::interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.reset();
    let mut due = Due::default();
    let mut backoff = Backoff::default();
    let mut working: FuturesUnordered<BoxFuture<'static, Result<()>>> = FuturesUnordered::new();
    loop {
        if working.is_empty() && !due.is_empty() {
            let pause = backoff.pause();
            working.push(catch_up(Arc::clone(&inner), mem::take(&mut due), pause).boxed());
        }
        tokio::select! {
            item = news.next() => match item {
                Some(item) => due.add(item),
                None => news = listen(&*inner.declared.store, Duration::from_secs(1)),
            },
            _ = ticks.tick() => due.widen(),
            Some(caught_up) = working.next() => match caught_up {
                Ok(()) => backoff.succeeded("the registry follows the store again"),
                Err(error) => {
                    due.widen();
                    backoff.failed("failed to follow the declared functions", &error);
                }
            },
        }
    }
}

/// Asks for the news after a pause.
fn listen(store: &dyn SharedFunctionStore, pause: Duration) -> BoxStream<'static, FunctionNews> {
    let pause = stream::once(tokio::time::sleep(pause)).filter_map(|()| async { None });
    pause.chain(store.function_news()).boxed()
}

async fn catch_up(inner: Arc<Inner>, due: Due, pause: Duration) -> Result<()> {
    tokio::time::sleep(pause).await;
    if due.all {
        // What is read now has it all.
        let revision = inner.declared.store.function_revision().await?;
        inner.compare().await?;
        inner.seen(revision.max(due.revision));
        return Ok(());
    }
    let (inner, revision) = (&*inner, due.revision);
    let changed = due.changed.into_iter().map(|key| async move { inner.look(&key).await });
    stream::iter(changed).buffer_unordered(READS).try_collect::<()>().await?;
    let reported = due.reported.into_iter().map(|uid| inner.listen(uid));
    stream::iter(reported).buffer_unordered(READS).try_collect::<()>().await?;
    inner.seen(revision);
    Ok(())
}
