//! Lines of all calls of a function, or of all functions of a namespace.

use super::super::App;
use super::{LineStream, LogEvent, PAGE, alive, attributed, follows};
use async_stream::try_stream;
use eventflow_domain::access::{Caller, Permission};
use eventflow_domain::logs::{FunctionLogLine, LogLine, LogPosition, Stream as Output};
use eventflow_domain::ports::{LineKey, Live, LogQuery, Topic};
use eventflow_domain::{Error, FunctionKey, FunctionName, InvocationId, Namespace, Result, Timestamp};
use futures::stream::{BoxStream, SelectAll};
use futures::{Stream, StreamExt as _};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

const MAX_TAIL: i32 = 10_000;
const DEFAULT_TAIL: u32 = 100;
/// Bytes of a text to look for.
const MAX_CONTAINS: usize = 256;
/// Functions whose lines one stream carries.
const MOST_FUNCTIONS: usize = 500;
/// Captured lines that are looked through for those asked for.
const MOST_SEARCHED: u32 = 200_000;
/// Lines of one question to the store.
const SEARCHED_AT_ONCE: u32 = 10_000;
/// A namespace is asked so often for functions that came meanwhile.
const NEWCOMERS: Duration = Duration::from_secs(5);
/// Calls whose place in the stream is remembered.
const REMEMBERED: usize = 10_000;

/// Which lines.
#[derive(Debug, Clone, Default)]
pub struct LogFilter {
    /// The last so many of those captured; 100 where none is given.
    pub tail: Option<i32>,
    pub since: Option<Timestamp>,
    pub stream: Option<Output>,
    /// Whatever the case of ASCII letters.
    pub contains: String,
}

impl LogFilter {
    fn tail(&self) -> Result<u32> {
        match self.tail {
            None => Ok(DEFAULT_TAIL),
            Some(tail @ 0..=MAX_TAIL) => Ok(tail as u32),
            Some(tail) => Err(Error::invalid("tail", format!("must be from 0 to {MAX_TAIL}, is {tail}"))),
        }
    }

    fn check(&self) -> Result<()> {
        let size = self.contains.len();
        if size > MAX_CONTAINS {
            let text = format!("must have at most {MAX_CONTAINS} bytes, has {size}");
            return Err(Error::invalid("contains", text));
        }
        Ok(())
    }

    fn holds_all(&self) -> bool {
        self.stream.is_none() && self.contains.is_empty()
    }

    fn holds(&self, line: &LogLine) -> bool {
        self.stream.is_none_or(|stream| stream == line.stream) && contains(&line.text, &self.contains)
    }
}

fn contains(text: &str, wanted: &str) -> bool {
    let (text, wanted) = (text.as_bytes(), wanted.as_bytes());
    wanted.is_empty() || text.windows(wanted.len()).any(|part| part.eq_ignore_ascii_case(wanted))
}

/// Where the followed calls stand in the stream.
#[derive(Debug, Default)]
struct Seen(HashMap<InvocationId, LogPosition>);

impl Seen {
    fn note(&mut self, id: InvocationId, position: LogPosition) {
        if self.0.len() >= REMEMBERED {
            self.0.clear();
        }
        let last = self.0.entry(id).or_default();
        *last = (*last).max(position);
    }
}

impl App {
    /// The last lines of all calls of a function, or of all functions of the namespace where none is named; with
    /// `follow` new ones too, those of warm copies among them.
    pub async fn function_logs(
        self: Arc<Self>,
        caller: &Caller,
        namespace: Namespace,
        function: Option<FunctionName>,
        filter: LogFilter,
        follow: bool,
    ) -> Result<LineStream> {
        let keys = if let Some(name) = &function {
            let key = FunctionKey::new(namespace.clone(), name.clone());
            self.function_for(caller, &key, Permission::LogsRead).await?;
            vec![key]
        } else {
            caller.require(Permission::LogsRead, &namespace)?;
            self.functions_of(&namespace)
        };
        let tail = filter.tail()?;
        filter.check()?;
        if keys.len() > MOST_FUNCTIONS {
            let text = format!("must be one function: namespace {namespace} has over {MOST_FUNCTIONS}");
            return Err(Error::invalid("name", text));
        }
        let newcomers = function.is_none().then_some(namespace);
        let lines = self.followed(keys, newcomers, filter, tail, follow);
        Ok(Box::pin(alive(lines).map(|line| {
            line.map(|line| line.map_or(LogEvent::Heartbeat, |(name, line)| LogEvent::Line(name, line)))
        })))
    }

    fn functions_of(&self, namespace: &Namespace) -> Vec<FunctionKey> {
        self.parts.registry.list(Some(namespace)).iter().map(|function| function.key.clone()).collect()
    }

    fn followed(
        self: Arc<Self>,
        keys: Vec<FunctionKey>,
        newcomers: Option<Namespace>,
        filter: LogFilter,
        tail: u32,
        follow: bool,
    ) -> impl Stream<Item = Result<(FunctionName, FunctionLogLine)>> + Send {
        try_stream! {
            // Listened to before the store is read: a line in between is heard twice, and told once.
            let mut heard = Heard::new(&self, newcomers);
            if follow {
                heard.listen(&keys);
            }
            let mut seen = Seen::default();
            for (name, line) in self.captured(&keys, &filter, tail).await? {
                if let Some(id) = line.invocation {
                    seen.note(id, line.line.position);
                }
                yield (name, line);
            }
            if !follow { return }
            let draining = self.handle.draining();
            loop {
                let next = tokio::select! {
                    next = heard.next() => next,
                    () = draining.cancelled() => None,
                };
                let Some((function, lines)) = next else { break };
                for line in lines {
                    for line in self.in_order(&mut seen, line).await? {
                        if filter.holds(&line.line) {
                            yield (function.name.clone(), line);
                        }
                    }
                }
            }
        }
    }

    /// The line, before it those that were missed, or nothing where it was told already.
    async fn in_order(&self, seen: &mut Seen, line: FunctionLogLine) -> Result<Vec<FunctionLogLine>> {
        let Some(id) = line.invocation else { return Ok(vec![line]) };
        let position = line.line.position;
        let mut told = Vec::new();
        if let Some(&last) = seen.0.get(&id) {
            if position <= last {
                return Ok(told);
            }
            if !follows(Some(last), position) {
                let missed = self.parts.store.log_read(id, Some(last), PAGE).await?;
                told.extend(missed.into_iter().filter(|l| l.position < position).map(|l| attributed(id, l)));
            }
        }
        seen.note(id, position);
        told.push(line);
        Ok(told)
    }

    /// The last captured lines that the filter holds, of all these functions, by time.
    async fn captured(
        &self,
        keys: &[FunctionKey],
        filter: &LogFilter,
        tail: u32,
    ) -> Result<Vec<(FunctionName, FunctionLogLine)>> {
        let mut all = Vec::new();
        if tail == 0 {
            return Ok(all);
        }
        for key in keys {
            let lines = self.captured_of(key, filter, tail).await?;
            all.extend(lines.into_iter().map(|line| (key.name.clone(), line)));
        }
        if keys.len() > 1 {
            all.sort_by_key(|(_, line)| (line.line.time, line.invocation, line.line.position));
            all.drain(..all.len().saturating_sub(tail as usize));
        }
        Ok(all)
    }

    /// Read backwards until there are enough.
    async fn captured_of(
        &self,
        key: &FunctionKey,
        filter: &LogFilter,
        tail: u32,
    ) -> Result<Vec<FunctionLogLine>> {
        let page = if filter.holds_all() { tail } else { SEARCHED_AT_ONCE };
        let query = |before| LogQuery { function: key.clone(), since: filter.since, tail: page, before };
        if filter.holds_all() {
            return self.parts.store.log_query(&query(None)).await;
        }
        let (mut found, mut before, mut searched) = (Vec::new(), None, 0);
        while found.len() < tail as usize && searched < MOST_SEARCHED {
            let lines = self.parts.store.log_query(&query(before)).await?;
            searched += lines.len() as u32;
            before = lines.first().and_then(|line| {
                let LogLine { time, position, .. } = line.line;
                Some(LineKey { time, invocation: line.invocation?, position })
            });
            let last = lines.len() < page as usize;
            found.extend(lines.into_iter().rev().filter(|line| filter.holds(&line.line)));
            if last || before.is_none() {
                break;
            }
        }
        found.truncate(tail as usize);
        found.reverse();
        Ok(found)
    }
}

/// Live lines of the functions listened to.
struct Heard<'a> {
    app: &'a App,
    namespace: Option<Namespace>,
    known: HashSet<FunctionKey>,
    live: SelectAll<BoxStream<'static, Live>>,
}

impl<'a> Heard<'a> {
    fn new(app: &'a App, namespace: Option<Namespace>) -> Self {
        Self { app, namespace, known: HashSet::new(), live: SelectAll::new() }
    }

    fn listen(&mut self, keys: &[FunctionKey]) {
        for key in keys {
            if self.known.len() < MOST_FUNCTIONS && self.known.insert(key.clone()) {
                self.live.push(self.app.parts.bus.listen(Topic::Function(key.clone())));
            }
        }
    }

    /// The next lines; `None` where the bus has ended.
    async fn next(&mut self) -> Option<(FunctionKey, Vec<FunctionLogLine>)> {
        loop {
            let live = if let Some(namespace) = self.namespace.clone() {
                // Of nothing there is never a next.
                let next = async {
                    if self.live.is_empty() {
                        futures::future::pending().await
                    } else {
                        self.live.next().await
                    }
                };
                let Ok(next) = tokio::time::timeout(NEWCOMERS, next).await else {
                    let keys = self.app.functions_of(&namespace);
                    self.listen(&keys);
                    continue;
                };
                next?
            } else {
                self.live.next().await?
            };
            if let Live::LogLines { function, lines } = live {
                return Some((function, lines));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_found_whatever_the_case_of_its_letters() {
        assert!(contains("Fatal ERROR in line 3", "error") && contains("x", "") && contains("Größe", "öß"));
        assert!(!contains("erro", "error") && !contains("", "a") && !contains("ÄRGER", "är"));
    }

    #[test]
    fn filters_out_of_bounds_are_refused_by_their_fields() {
        let tail = |tail| LogFilter { tail: Some(tail), ..LogFilter::default() };
        for bad in [-1, 10_001] {
            assert_eq!(tail(bad).tail().expect_err("refused").field_violations()[0].field, "tail");
        }
        assert_eq!((tail(0).tail().expect("fine"), LogFilter::default().tail().expect("fine")), (0, 100));
        let long = LogFilter { contains: "x".repeat(257), ..LogFilter::default() };
        assert_eq!(long.check().expect_err("refused").field_violations()[0].field, "contains");
    }
}
