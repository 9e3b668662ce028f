//! Live news on core NATS: told to whoever listens now, kept by nobody.

mod wire;

use super::core::Core;
use super::names::{LiveKind, Names};
use bytes::Bytes;
use eventflow_domain::error::Chain;
use eventflow_domain::ports::{Live, Topic};
use futures::future::FutureExt as _;
use futures::stream::{self, BoxStream, StreamExt as _};
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::sync::{Notify, broadcast};
use tokio::task::JoinSet;
use tokio::task::coop::unconstrained;
use tokio_stream::wrappers::BroadcastStream;

/// News that wait to be sent; then the oldest go.
const NEWS: usize = 4_096;
/// The same in bytes.
const BYTES: usize = 16 << 20;
/// What a slow listener may lag behind before it misses some.
const BACKLOG: usize = 256;
const BACKLOG_OF_ALL: usize = 4_096;

/// What was announced while the connection had no room for it.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    queue: Mutex<Queue>,
    filled: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    news: VecDeque<News>,
    bytes: usize,
}

#[derive(Debug, Clone)]
struct News {
    subject: String,
    payload: Bytes,
}

impl Queue {
    fn pop(&mut self) -> Option<News> {
        let news = self.news.pop_front()?;
        self.bytes -= news.payload.len();
        Some(news)
    }
}

impl Outbox {
    /// Never waits. How many older ones had to go.
    fn push(&self, news: News) -> u64 {
        let mut queue = self.queue.lock();
        queue.bytes += news.payload.len();
        queue.news.push_back(news);
        let mut dropped = 0;
        while queue.news.len() > NEWS || (queue.bytes > BYTES && queue.news.len() > 1) {
            queue.pop();
            dropped += 1;
        }
        drop(queue);
        self.filled.notify_one();
        dropped
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.lock().news.is_empty()
    }
}

/// Hands news to the connection where it has room, else to the outbox. While the connection is down news grow old:
/// they are dropped.
pub(super) fn announce(core: &Core, live: Live) {
    for (subject, payload) in wire::encode(&core.names, live) {
        if !core.is_up() || payload.len() > core.client.max_payload() {
            core.counters.live_dropped.add(1);
            continue;
        }
        let direct = core.outbox.is_empty()
            && unconstrained(core.client.publish(subject.clone(), payload.clone())).now_or_never().is_some();
        if !direct {
            core.counters.live_dropped.add(core.outbox.push(News { subject, payload }));
        }
    }
}

/// Sends what waits in the outbox.
pub(super) async fn send(core: Arc<Core>) {
    loop {
        let next = core.outbox.queue.lock().pop();
        let Some(news) = next else {
            core.outbox.filled.notified().await;
            continue;
        };
        if let Err(error) = core.send(news.subject, news.payload).await {
            tracing::trace!(error = %Chain(&error), "live news are dropped");
            core.counters.live_dropped.add(1);
        }
    }
}

fn subject(names: &Names, topic: &Topic) -> String {
    match topic {
        Topic::Invocation(id) => names.live_of_invocation(*id),
        Topic::Function(function) => names.live_of_function(function),
        Topic::Cancels => names.cancels(),
        Topic::Changes => names.changes(),
    }
}

/// Listens from now on. One task takes what comes, so that a slow listener costs its backlog and no more.
pub(super) fn listen(
    core: &Arc<Core>,
    runtime: &tokio::runtime::Handle,
    topic: Topic,
) -> BoxStream<'static, Live> {
    let backlog = if matches!(topic, Topic::Cancels | Topic::Changes) { BACKLOG_OF_ALL } else { BACKLOG };
    let (news, heard) = broadcast::channel(backlog);
    // In its place among the commands of the connection already: what is announced after this is heard.
    let subscribed = {
        let _runtime = runtime.enter();
        let (client, subject) = (core.client.clone(), subject(&core.names, &topic));
        Box::pin(unconstrained(async move { client.subscribe(subject).await }))
    };
    let mut subscribed = subscribed;
    let first = (&mut subscribed).now_or_never();
    let (core, mut pump) = (Arc::clone(core), JoinSet::new());
    let take = async move {
        let subscription = match first {
            Some(subscription) => subscription,
            None => subscribed.await,
        };
        let Ok(mut subscription) = subscription else { return };
        let whole = matches!(topic, Topic::Function(_));
        while let Some(message) = subscription.next().await {
            match wire::decode(&core.names, &message.subject, &message.payload) {
                // Parts are for the listeners of their calls: these have the whole.
                Some((Some(LiveKind::Part), _)) if whole => {}
                Some((_, live)) => drop(news.send(live)),
                None => core.counters.live_dropped.add(1),
            }
        }
    };
    pump.spawn_on(take, runtime);
    let heard = BroadcastStream::new(heard);
    stream::unfold((heard, pump), |(mut heard, pump)| async {
        loop {
            match heard.next().await {
                Some(Ok(live)) => return Some((live, (heard, pump))),
                // It lagged and misses some, as the port says.
                Some(Err(_)) => {}
                None => return None,
            }
        }
    })
    .boxed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_news_go_when_nobody_sends() {
        let outbox = Outbox::default();
        let news = |number: usize| News { subject: number.to_string(), payload: Bytes::from_static(b"1") };
        assert_eq!((0..=NEWS).map(|number| outbox.push(news(number))).sum::<u64>(), 1);
        let large = News { subject: "large".to_owned(), payload: vec![0; BYTES].into() };
        assert_eq!(outbox.push(large) as usize, NEWS);
        let mut queue = outbox.queue.lock();
        assert_eq!((queue.pop().map(|news| news.subject), queue.bytes), (Some("large".to_owned()), 0));
    }
}
