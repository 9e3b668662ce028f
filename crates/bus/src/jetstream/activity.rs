//! Which functions have waiting messages, as far as this process knows: from its own publishes and fetches, from what
//! other processes announce, and from what the stream counts now and then.

mod delayed;

use super::core::Core;
use super::names::Names;
use crate::bells::Bells;
use async_nats::Subscriber;
use bytes::Bytes;
use delayed::Delayed;
use eventflow_domain::error::Chain;
use eventflow_domain::{FunctionKey, Result};
use futures::stream::{self, BoxStream, StreamExt as _};
use parking_lot::Mutex;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

/// Functions named in one announcement: some 25 KiB.
const ANNOUNCED: usize = 256;

#[derive(Debug)]
pub(super) struct Activity {
    /// Who we are in announcements, so that we do not hear ourselves.
    pub(super) own: String,
    state: Mutex<State>,
    /// There may be an earlier delay than the one that is waited for.
    sooner: Notify,
}

#[derive(Debug, Default)]
struct State {
    bells: Bells,
    /// Functions with messages that wait, and when that was last heard, in turns.
    waiting: HashMap<FunctionKey, u64>,
    delayed: Delayed,
    turn: u64,
}

impl State {
    fn ring(&mut self, function: &FunctionKey) {
        self.turn += 1;
        match self.waiting.get_mut(function) {
            Some(turn) => *turn = self.turn,
            None => drop(self.waiting.insert(function.clone(), self.turn)),
        }
        self.bells.ring(function);
    }
}

/// What a fetch found.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    turn: u64,
}

impl Activity {
    pub(super) fn new() -> Self {
        Self { own: Uuid::new_v4().simple().to_string(), state: Mutex::default(), sooner: Notify::new() }
    }

    pub(super) fn ring<'a>(&self, functions: impl IntoIterator<Item = &'a FunctionKey>) {
        let mut state = self.state.lock();
        for function in functions {
            state.ring(function);
        }
    }

    /// Before a fetch: what is heard from here on is not in its answer.
    pub(super) fn look(&self) -> Seen {
        Seen { turn: self.state.lock().turn }
    }

    /// A fetch found nothing more; who hears of it while it ran is right.
    pub(super) fn drained(&self, function: &FunctionKey, seen: Seen) {
        let mut state = self.state.lock();
        if state.waiting.get(function).is_some_and(|turn| *turn <= seen.turn) {
            state.waiting.remove(function);
        }
        if state.delayed.in_vain(function, Instant::now()) {
            self.sooner.notify_one();
        }
    }

    /// A message was delivered here: its delay, if it had one, is over.
    pub(super) fn delivered(&self, function: &FunctionKey, stream_seq: u64) {
        self.state.lock().delayed.remove(function, stream_seq);
    }

    pub(super) fn delay(&self, function: &FunctionKey, stream_seq: u64, delay: Duration) {
        let sooner = self.state.lock().delayed.push(function, stream_seq, Instant::now() + delay);
        if sooner {
            self.sooner.notify_one();
        }
    }

    pub(super) fn forget(&self, function: &FunctionKey) {
        let mut state = self.state.lock();
        state.waiting.remove(function);
        state.delayed.forget(function);
    }

    /// Whether anybody wants to know.
    fn is_heard(&self) -> bool {
        !self.state.lock().bells.is_empty()
    }

    /// The stream is another one.
    pub(super) fn clear(&self) {
        let mut state = self.state.lock();
        state.waiting.clear();
        state.delayed = Delayed::default();
    }

    /// Takes over what the stream counts: messages by function, less those that are held or delayed here. What was
    /// heard since `seen` stands.
    fn reconcile(&self, mut counts: HashMap<FunctionKey, u64>, held: &HashMap<FunctionKey, u64>, seen: Seen) {
        let mut state = self.state.lock();
        let mut here = held.clone();
        state.delayed.count(&mut here);
        counts.retain(|function, count| *count > here.get(function).copied().unwrap_or(0));
        state.waiting.retain(|function, turn| *turn > seen.turn || counts.contains_key(function));
        for function in counts.keys() {
            state.ring(function);
        }
    }

    pub(super) fn listen(core: &Arc<Core>) -> BoxStream<'static, FunctionKey> {
        stream::unfold(Listening::start(Arc::clone(core)), |listening| async {
            let function = listening.next().await;
            Some((function, listening))
        })
        .boxed()
    }
}

/// One `active()` stream: its bell is taken down when it is dropped.
struct Listening {
    core: Arc<Core>,
    bell: u64,
    woken: Arc<Notify>,
}

impl Listening {
    fn start(core: Arc<Core>) -> Self {
        let mut state = core.activity.state.lock();
        let State { bells, waiting, .. } = &mut *state;
        let (bell, woken) = bells.hang(waiting.keys());
        drop(state);
        Self { core, bell, woken }
    }

    async fn next(&self) -> FunctionKey {
        loop {
            let rung = self.core.activity.state.lock().bells.take(self.bell);
            if let Some(function) = rung {
                return function;
            }
            self.woken.notified().await;
        }
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.core.activity.state.lock().bells.take_down(self.bell);
    }
}

/// Tells this process and all others. Nobody waits for it: a lost word is repaired by the next count.
pub(super) async fn announce(core: &Core, functions: &BTreeSet<FunctionKey>) {
    core.activity.ring(functions);
    let functions: Vec<&FunctionKey> = functions.iter().collect();
    for some in functions.chunks(ANNOUNCED) {
        if let Err(error) = core.send(core.names.active.clone(), word(&core.activity.own, some)).await {
            tracing::debug!(error = %Chain(&error), "failed to announce active functions");
        }
    }
}

/// The sender, then a function on each line.
fn word(own: &str, functions: &[&FunctionKey]) -> Bytes {
    let mut text = own.to_owned();
    for function in functions {
        text.push('\n');
        text.push_str(&Names::consumer(function));
    }
    text.into()
}

/// Hears what others announce, until the connection is closed.
pub(super) async fn hear(core: Arc<Core>, mut words: Subscriber) {
    while let Some(message) = words.next().await {
        let Ok(text) = std::str::from_utf8(&message.payload) else { continue };
        let mut lines = text.lines();
        if lines.next() == Some(core.activity.own.as_str()) {
            continue;
        }
        let functions: Vec<FunctionKey> = lines.filter_map(Names::consumer_of).collect();
        core.activity.ring(&functions);
    }
}

/// Rings, here and everywhere, for messages whose delay is over.
pub(super) async fn release(core: Arc<Core>) {
    loop {
        let (due, next) = core.activity.state.lock().delayed.due(Instant::now());
        if !due.is_empty() {
            announce(&core, &due).await;
            continue;
        }
        let woken = core.activity.sooner.notified();
        match next {
            Some(next) => tokio::select! {
                () = woken => {}
                () = sleep_until(next) => {}
            },
            None => woken.await,
        }
    }
}

/// Counts anew, now and then and after each reconnect.
pub(super) async fn recount(core: Arc<Core>) {
    let mut turns = core.link.watch();
    loop {
        tokio::select! {
            () = tokio::time::sleep(core.config.reconcile_every) => {}
            changed = turns.changed() => if changed.is_err() { return },
        }
        if core.activity.is_heard()
            && core.is_up()
            && let Err(error) = reconcile(&core).await
        {
            tracing::debug!(error = %Chain(&error), "failed to count waiting messages");
        }
    }
}

pub(super) async fn reconcile(core: &Core) -> Result<()> {
    let seen = core.activity.look();
    let mut held = core.held.counts();
    let subjects = super::depth::subjects(core, core.names.all_invokes()).await?;
    // What was fetched or acked meanwhile may be among those counted.
    for (function, count) in core.held.counts() {
        let before = held.entry(function).or_default();
        *before = count.max(*before);
    }
    let of = |(subject, count): (String, u64)| Some((core.names.function_of(&subject)?, count));
    core.activity.reconcile(subjects.into_iter().filter_map(of).collect(), &held, seen);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use eventflow_testkit::key;

    #[test]
    fn an_announcement_names_its_sender_and_functions() {
        let (f, g) = (key("f"), key("g"));
        let word = word("me", &[&f, &g]);
        let text = std::str::from_utf8(&word).expect("text");
        let mut lines = text.lines();
        assert_eq!(lines.next(), Some("me"));
        assert_eq!(lines.filter_map(Names::consumer_of).collect::<Vec<_>>(), [f, g]);
    }

    fn waiting(activity: &Activity) -> Vec<String> {
        let mut names: Vec<String> =
            activity.state.lock().waiting.keys().map(|function| function.name.to_string()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_count_takes_back_what_is_gone_but_nothing_that_was_heard_meanwhile() {
        let activity = Activity::new();
        activity.ring(&[key("gone"), key("held")]);
        let seen = activity.look();
        activity.ring(&[key("new")]);
        let counts = HashMap::from([(key("held"), 2), (key("there"), 3)]);
        activity.reconcile(counts, &HashMap::from([(key("held"), 2), (key("there"), 1)]), seen);
        assert_eq!(waiting(&activity), ["new", "there"]);
    }

    #[test]
    fn an_empty_fetch_does_not_unsay_a_later_word() {
        let activity = Activity::new();
        activity.ring(&[key("f"), key("g")]);
        let seen = activity.look();
        activity.ring(&[key("g")]);
        activity.drained(&key("f"), seen);
        activity.drained(&key("g"), seen);
        assert_eq!(waiting(&activity), ["g"]);
    }
}
