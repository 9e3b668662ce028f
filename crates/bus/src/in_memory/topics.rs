//! Live topics: a broadcast channel for each one that is listened to, none for the others.

use eventflow_domain::ports::{Live, Topic};
use eventflow_domain::{FunctionKey, InvocationId};
use futures::stream::{BoxStream, Stream, StreamExt};
use parking_lot::RwLock;
use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use tokio::sync::broadcast::{Receiver, Sender, channel};
use tokio_stream::wrappers::BroadcastStream;

/// Messages that a slow listener of one call or function may lag behind before it misses some.
const BACKLOG: usize = 256;
/// The same for the topics that carry news of all calls.
const BACKLOG_OF_ALL: usize = 4096;

type Channel = Sender<Arc<Live>>;

#[derive(Debug, Default)]
pub(super) struct Topics {
    /// Listeners of all topics but `Cancels`, which always has one: while there are none, announcing costs a load.
    watchers: AtomicUsize,
    channels: RwLock<Channels>,
}

#[derive(Debug, Default)]
struct Channels {
    invocations: HashMap<InvocationId, Channel>,
    functions: HashMap<FunctionKey, Channel>,
    cancels: Option<Channel>,
    changes: Option<Channel>,
}

impl Topics {
    pub(super) fn announce(&self, live: Live) {
        match &live {
            Live::CancelRequested { .. } => {
                if let Some(channel) = &self.channels.read().cancels {
                    send(channel, &Arc::new(live));
                }
            }
            _ if self.watchers.load(Ordering::Relaxed) == 0 => {}
            Live::Changed { invocation, function, .. } => {
                let channels = self.channels.read();
                let listeners = [
                    channels.invocations.get(invocation),
                    channels.functions.get(function),
                    channels.changes.as_ref(),
                ];
                if listeners.iter().any(Option::is_some) {
                    let live = Arc::new(live);
                    listeners.into_iter().flatten().for_each(|channel| send(channel, &live));
                }
            }
            Live::LogLines { function, lines } => {
                let channels = self.channels.read();
                channels.lines_of_calls(function, lines);
                if let Some(channel) = channels.functions.get(function) {
                    send(channel, &Arc::new(live));
                }
            }
        }
    }

    pub(super) fn listen(self: &Arc<Self>, topic: Topic) -> BoxStream<'static, Live> {
        if topic != Topic::Cancels {
            self.watchers.fetch_add(1, Ordering::Relaxed);
        }
        let receiver = self.channels.write().subscribe(&topic);
        let leave = Leave { topics: Arc::clone(self), topic };
        Listener { news: BroadcastStream::new(receiver), _leave: leave }.boxed()
    }
}

/// Nobody to hear it is fine.
fn send(channel: &Channel, live: &Arc<Live>) {
    let _unheard = channel.send(Arc::clone(live));
}

impl Channels {
    /// Gives each listener of a call the lines of that call. Lines mostly come from one call only.
    fn lines_of_calls(&self, function: &FunctionKey, lines: &[eventflow_domain::logs::FunctionLogLine]) {
        if self.invocations.is_empty() {
            return;
        }
        let runs = lines.chunk_by(|line, next| line.invocation == next.invocation);
        for run in runs {
            let invocation = run.first().and_then(|line| line.invocation);
            if let Some(channel) = invocation.and_then(|id| self.invocations.get(&id)) {
                let live = Live::LogLines { function: function.clone(), lines: run.to_vec() };
                send(channel, &Arc::new(live));
            }
        }
    }

    fn subscribe(&mut self, topic: &Topic) -> Receiver<Arc<Live>> {
        let open = |backlog| channel(backlog).0;
        match topic {
            Topic::Invocation(id) => self.invocations.entry(*id).or_insert_with(|| open(BACKLOG)),
            Topic::Function(key) => self.functions.entry(key.clone()).or_insert_with(|| open(BACKLOG)),
            Topic::Cancels => self.cancels.get_or_insert_with(|| open(BACKLOG_OF_ALL)),
            Topic::Changes => self.changes.get_or_insert_with(|| open(BACKLOG_OF_ALL)),
        }
        .subscribe()
    }

    /// Removes the channel of a topic that nobody listens to any more.
    fn leave(&mut self, topic: &Topic) {
        let unused = |channel: &Channel| channel.receiver_count() == 0;
        match topic {
            Topic::Invocation(id) => {
                if self.invocations.get(id).is_some_and(unused) {
                    self.invocations.remove(id);
                }
            }
            Topic::Function(key) => {
                if self.functions.get(key).is_some_and(unused) {
                    self.functions.remove(key);
                }
            }
            Topic::Cancels => drop(self.cancels.take_if(|channel| unused(channel))),
            Topic::Changes => drop(self.changes.take_if(|channel| unused(channel))),
        }
    }
}

/// The receiver goes before the topic is left: fields drop in their order.
struct Listener {
    news: BroadcastStream<Arc<Live>>,
    _leave: Leave,
}

struct Leave {
    topics: Arc<Topics>,
    topic: Topic,
}

impl Drop for Leave {
    fn drop(&mut self) {
        if self.topic != Topic::Cancels {
            self.topics.watchers.fetch_sub(1, Ordering::Relaxed);
        }
        self.topics.channels.write().leave(&self.topic);
    }
}

impl Stream for Listener {
    type Item = Live;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Live>> {
        loop {
            match self.news.poll_next_unpin(context) {
                Poll::Ready(Some(Ok(live))) => return Poll::Ready(Some(Arc::unwrap_or_clone(live))),
                // It lagged and misses some, as the port says.
                Poll::Ready(Some(Err(_))) => {}
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use eventflow_domain::State;
    use eventflow_testkit::key;
    use futures::FutureExt;

    fn open(topics: &Topics) -> usize {
        let channels = topics.channels.read();
        let of_all = [&channels.cancels, &channels.changes];
        channels.invocations.len() + channels.functions.len() + of_all.into_iter().flatten().count()
    }

    #[test]
    fn a_topic_lives_as_long_as_its_last_listener() {
        let topics = Arc::<Topics>::default();
        let id = InvocationId::generate();
        let all = [
            Topic::Invocation(id),
            Topic::Function(key("f")),
            Topic::Cancels,
            Topic::Changes,
            Topic::Changes,
        ];
        let mut listeners: Vec<_> = all.into_iter().map(|topic| Topics::listen(&topics, topic)).collect();
        assert_eq!((open(&topics), topics.watchers.load(Ordering::Relaxed)), (4, 4));
        let last = listeners.pop().expect("the second of the same topic");
        listeners.clear();
        assert_eq!((open(&topics), topics.watchers.load(Ordering::Relaxed)), (1, 1));
        drop(last);
        assert_eq!((open(&topics), topics.watchers.load(Ordering::Relaxed)), (0, 0));
    }

    #[test]
    fn who_leaves_takes_the_news_from_nobody_else() {
        let topics = Arc::<Topics>::default();
        let [leaves, mut stays] = [(); 2].map(|()| Topics::listen(&topics, Topic::Changes));
        drop(leaves);
        let invocation = InvocationId::generate();
        topics.announce(Live::Changed { invocation, function: key("f"), state: State::Queued });
        assert!(matches!(stays.next().now_or_never(), Some(Some(Live::Changed { .. }))));
    }
}
