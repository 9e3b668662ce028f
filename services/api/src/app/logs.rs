use super::App;
use async_stream::try_stream;
use eventflow_domain::access::{Caller, Permission};
use eventflow_domain::logs::{FunctionLogLine, LogLine, LogPosition};
use eventflow_domain::ports::{Live, LogQuery, Topic};
use eventflow_domain::{Error, FunctionKey, InvocationId, Namespace, Result, Timestamp};
use futures::stream::BoxStream;
use futures::{Stream, StreamExt as _};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// Lines read from the store at a time.
const PAGE: u32 = 1000;
/// A follower looks into the store so often by itself: a live message may be lost.
const POLL: Duration = Duration::from_secs(1);
/// Captured lines are written within 250 ms; a call that ended this recently may have some on their way.
const FLUSH_WINDOW: Duration = Duration::from_millis(400);
const MAX_TAIL: i32 = 10_000;
const DEFAULT_TAIL: u32 = 100;

pub(crate) type LineStream = BoxStream<'static, Result<FunctionLogLine>>;

impl App {
    /// What a call printed, behind `after`; with `follow` until it has ended.
    pub async fn invocation_logs(
        self: Arc<Self>,
        caller: &Caller,
        namespace: Option<&Namespace>,
        id: InvocationId,
        after: Option<LogPosition>,
        follow: bool,
    ) -> Result<LineStream> {
        self.invocation_for(caller, namespace, id, Permission::LogsRead).await?;
        Ok(Box::pin(self.lines_of(id, after, follow)))
    }

    fn lines_of(
        self: Arc<Self>,
        id: InvocationId,
        mut after: Option<LogPosition>,
        follow: bool,
    ) -> impl Stream<Item = Result<FunctionLogLine>> + Send {
        try_stream! {
            let mut live = self.parts.bus.listen(Topic::Invocation(id));
            let draining = self.handle.draining();
            loop {
                let ended = !follow || draining.is_cancelled() || self.has_ended(id).await?;
                loop {
                    let page = self.parts.store.log_read(id, after, PAGE).await?;
                    let full = page.len() == PAGE as usize;
                    for line in page {
                        after = Some(line.position);
                        yield attributed(id, line);
                    }
                    if !full { break }
                }
                if ended { break }
                // Live lines that follow on at once; a gap, a change or silence leads back to the store.
                while let Ok(Some(Live::LogLines { lines, .. })) = tokio::time::timeout(POLL, live.next()).await {
                    let mut gap = false;
                    for line in lines.into_iter().filter(|line| line.invocation == Some(id)) {
                        if after.is_some_and(|after| line.line.position <= after) { continue }
                        gap = gap || !follows(after, line.line.position);
                        if !gap {
                            after = Some(line.line.position);
                            yield line;
                        }
                    }
                    if gap { break }
                }
            }
        }
    }

    /// Whether a call has ended, and so long ago that all its lines are in the store.
    async fn has_ended(&self, id: InvocationId) -> Result<bool> {
        let record = self.parts.store.get(id).await?.ok_or_else(|| Error::invocation_not_found(id))?;
        if !record.state().is_terminal() {
            return Ok(false);
        }
        let age = record.ended_at.map_or(FLUSH_WINDOW, |ended| self.parts.clock.now().since(ended));
        if let Some(rest) = FLUSH_WINDOW.checked_sub(age) {
            tokio::time::sleep(rest).await;
        }
        Ok(true)
    }

    /// The last lines of all calls of a function; with `follow` new ones too, those of warm copies among them.
    pub async fn function_logs(
        self: Arc<Self>,
        caller: &Caller,
        key: &FunctionKey,
        tail: Option<i32>,
        since: Option<Timestamp>,
        follow: bool,
    ) -> Result<LineStream> {
        self.function_for(caller, key, Permission::LogsRead).await?;
        let tail = match tail {
            None => DEFAULT_TAIL,
            Some(tail @ 0..=MAX_TAIL) => tail as u32,
            Some(tail) => {
                return Err(Error::invalid("tail", format!("must be from 0 to {MAX_TAIL}, is {tail}")));
            }
        };
        let mut live = self.parts.bus.listen(Topic::Function(key.clone()));
        let query = LogQuery { function: key.clone(), since, tail };
        let captured = if tail > 0 { self.parts.store.log_query(&query).await? } else { Vec::new() };
        let draining = self.handle.draining();
        Ok(Box::pin(try_stream! {
            let mut seen: HashMap<InvocationId, LogPosition> = HashMap::new();
            for line in captured {
                if let Some(id) = line.invocation {
                    let last = seen.entry(id).or_default();
                    *last = (*last).max(line.line.position);
                }
                yield line;
            }
            if !follow { return }
            loop {
                let next = tokio::select! {
                    next = live.next() => next,
                    () = draining.cancelled() => None,
                };
                let Some(live) = next else { break };
                let Live::LogLines { lines, .. } = live else { continue };
                for line in lines {
                    let old = line.invocation.and_then(|id| seen.get(&id)).is_some_and(|last| line.line.position <= *last);
                    if !old { yield line }
                }
            }
        }))
    }
}

fn attributed(id: InvocationId, line: LogLine) -> FunctionLogLine {
    FunctionLogLine { invocation: Some(id), approximate: false, line }
}

/// Whether no line can lie between `after` and `next`.
fn follows(after: Option<LogPosition>, next: LogPosition) -> bool {
    match after {
        None => next == LogPosition { attempt: 1, seq: 1 },
        Some(after) => next.attempt == after.attempt && next.seq == after.seq + 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_very_next_line_needs_no_look_into_the_store() {
        let at = |attempt, seq| LogPosition { attempt, seq };
        assert!(follows(None, at(1, 1)) && follows(Some(at(1, 1)), at(1, 2)));
        assert!(
            !follows(None, at(1, 2))
                && !follows(Some(at(1, 1)), at(1, 3))
                && !follows(Some(at(1, 1)), at(2, 1))
        );
    }
}
