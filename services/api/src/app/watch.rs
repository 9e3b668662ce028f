use super::App;
use async_stream::stream;
use eventflow_domain::access::{Caller, Permission};
use eventflow_domain::ports::RegistryEvent;
use eventflow_domain::{Error, Function, Namespace, Result};
use futures::StreamExt as _;
use futures::stream::BoxStream;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// Changes kept for watchers that come back.
const KEPT: usize = 1024;
/// A silent stream says so often that it lives, so that no proxy cuts it.
const HEARTBEAT: Duration = Duration::from_secs(15);

#[derive(Debug, Clone)]
pub enum WatchKind {
    Changed(Arc<Function>),
    Deleted(Arc<Function>),
    Synced,
    Reset,
    Heartbeat,
}

#[derive(Debug, Clone)]
pub struct WatchEvent {
    pub kind: WatchKind,
    pub resume_token: String,
}

/// The last changes of the registry, numbered within this process.
#[derive(Debug)]
pub(super) struct WatchHub {
    /// A token of another process is of no use here.
    boot: String,
    log: Mutex<Log>,
    latest: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Log {
    /// The number of the newest change; numbers run without gaps.
    latest: u64,
    changes: VecDeque<WatchKind>,
}

impl Default for WatchHub {
    fn default() -> Self {
        let boot = eventflow_domain::FunctionUid::generate().to_string();
        let boot = boot.split('-').next().unwrap_or_default().to_owned();
        Self { boot, log: Mutex::default(), latest: watch::Sender::new(0) }
    }
}

impl WatchHub {
    fn push(&self, kind: WatchKind) {
        let mut log = self.log.lock();
        log.latest += 1;
        log.changes.push_back(kind);
        if log.changes.len() > KEPT {
            log.changes.pop_front();
        }
        self.latest.send_replace(log.latest);
    }

    /// Nothing that was told before is sure any more.
    fn forget(&self) {
        let mut log = self.log.lock();
        // A gap that no token can bridge.
        log.latest += KEPT as u64 + 1;
        log.changes.clear();
        self.latest.send_replace(log.latest);
    }

    fn token(&self, number: u64) -> String {
        format!("{}:{number}", self.boot)
    }

    /// The changes behind `number`, or `None` where some of them are no longer kept.
    fn behind(&self, number: u64) -> Option<Vec<(u64, WatchKind)>> {
        let log = self.log.lock();
        let missing = usize::try_from(log.latest.checked_sub(number)?).ok()?;
        let skip = log.changes.len().checked_sub(missing)?;
        let first = number + 1;
        Some((first..).zip(log.changes.iter().skip(skip).cloned()).collect())
    }

    fn number(&self, token: &str) -> Result<Option<u64>> {
        if token.is_empty() {
            return Ok(None);
        }
        let refused = || Error::invalid("resumeToken", "must be a resumeToken that this watch gave");
        let (boot, number) = token.split_once(':').ok_or_else(refused)?;
        let number: u64 = number.parse().map_err(|_| refused())?;
        Ok((boot == self.boot).then_some(number))
    }
}

impl App {
    /// Follows the registry; ends when it does.
    pub(super) async fn watch_run(&self) {
        let token = self.handle.token();
        let mut events = self.parts.registry.watch();
        loop {
            let event = tokio::select! {
                event = events.next() => event,
                () = token.cancelled() => return,
            };
            match event {
                Some(RegistryEvent::Changed(function)) => self.watch.push(WatchKind::Changed(function)),
                Some(RegistryEvent::Deleted(function)) => self.watch.push(WatchKind::Deleted(function)),
                Some(RegistryEvent::Resync) => self.watch.forget(),
                None => return,
            }
        }
    }

    /// A snapshot (or what is missing since the token), then every change, until the process drains.
    pub fn functions_watch(
        self: Arc<Self>,
        caller: &Caller,
        namespace: Option<Namespace>,
        resume_token: &str,
    ) -> Result<BoxStream<'static, WatchEvent>> {
        if let Some(namespace) = &namespace {
            caller.require(Permission::FunctionsRead, namespace)?;
        }
        let resumed = self.watch.number(resume_token)?;
        let asked_to_resume = !resume_token.is_empty();
        let caller = caller.clone();
        let mut latest = self.watch.latest.subscribe();
        let draining = self.handle.draining();
        Ok(Box::pin(stream! {
            let visible = |function: &Function| {
                let of = &function.key.namespace;
                namespace.as_ref().is_none_or(|wanted| wanted == of) && caller.may(Permission::FunctionsRead, of)
            };
            let mut seen = resumed.filter(|&number| self.watch.behind(number).is_some());
            if asked_to_resume && seen.is_none() {
                yield WatchEvent { kind: WatchKind::Reset, resume_token: String::new() };
            }
            let mut told = Instant::now();
            loop {
                let at = if let Some(at) = seen { at } else {
                        // Read the number first: a change in between is told twice, never missed.
                        let at = *latest.borrow_and_update();
                        let resume_token = self.watch.token(at);
                        for function in self.parts.registry.list(namespace.as_ref()) {
                            if visible(&function) {
                                yield WatchEvent { kind: WatchKind::Changed(function), resume_token: resume_token.clone() };
                            }
                        }
                        yield WatchEvent { kind: WatchKind::Synced, resume_token };
                        told = Instant::now();
                        at
                };
                let Some(changes) = self.watch.behind(at) else {
                    yield WatchEvent { kind: WatchKind::Reset, resume_token: String::new() };
                    seen = None;
                    continue;
                };
                let mut at = at;
                for (number, kind) in changes {
                    at = number;
                    let (WatchKind::Changed(function) | WatchKind::Deleted(function)) = &kind else { continue };
                    if visible(function) {
                        yield WatchEvent { resume_token: self.watch.token(number), kind };
                        told = Instant::now();
                    }
                }
                seen = Some(at);
                tokio::select! {
                    changed = latest.changed() => if changed.is_err() { break },
                    // Changes that this watcher is not told do not put it off.
                    () = tokio::time::sleep_until(told + HEARTBEAT) => {
                        yield WatchEvent { kind: WatchKind::Heartbeat, resume_token: self.watch.token(at) };
                        told = Instant::now();
                    }
                    () = draining.cancelled() => break,
                }
            }
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_can_be_resumed_and_what_is_not_cannot() {
        let hub = WatchHub::default();
        for _ in 0..3 {
            hub.push(WatchKind::Synced);
        }
        let numbers =
            |from| hub.behind(from).map(|changes| changes.iter().map(|(n, _)| *n).collect::<Vec<_>>());
        assert_eq!(numbers(0), Some(vec![1, 2, 3]));
        assert_eq!(numbers(3), Some(vec![]));
        assert_eq!(numbers(4), None, "a number from the future");
        hub.forget();
        assert_eq!(numbers(3), None);
        for _ in 0..KEPT {
            hub.push(WatchKind::Synced);
        }
        assert_eq!(numbers(3), None);
    }

    #[test]
    fn tokens_of_another_process_ask_for_a_snapshot_and_nonsense_is_refused() {
        let hub = WatchHub::default();
        assert_eq!(hub.number(&hub.token(7)).expect("fine"), Some(7));
        assert_eq!(hub.number("0000:7").expect("fine"), None);
        assert!(hub.number("x").is_err() && hub.number("a:b").is_err());
    }
}
