mod functions;

pub use functions::LogFilter;

use super::App;
use async_stream::try_stream;
use eventflow_domain::access::{Caller, Permission};
use eventflow_domain::logs::{FunctionLogLine, LogLine, LogPosition};
use eventflow_domain::ports::{Live, Topic};
use eventflow_domain::{Error, FunctionName, InvocationId, Namespace, Result};
use futures::stream::BoxStream;
use futures::{Stream, StreamExt as _};
use std::sync::Arc;
use std::time::Duration;

/// Lines read from the store at a time.
const PAGE: u32 = 1000;
/// A follower looks into the store so often by itself: a live message may be lost.
const POLL: Duration = Duration::from_secs(1);
/// Captured lines are written within 250 ms; a call that ended this recently may have some on their way.
const FLUSH_WINDOW: Duration = Duration::from_millis(400);
/// A silent stream says so often that it lives, so that no proxy cuts it.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// What a stream of lines tells.
#[derive(Debug)]
pub enum LogEvent {
    /// A line, and the function that printed it.
    Line(FunctionName, FunctionLogLine),
    Heartbeat,
}

pub(crate) type LineStream = BoxStream<'static, Result<LogEvent>>;

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
        let record = self.invocation_for(caller, namespace, id, Permission::LogsRead).await?;
        let function = record.function.name;
        let lines = alive(self.lines_of(id, after, follow));
        Ok(Box::pin(lines.map(move |line| {
            line.map(|line| line.map_or(LogEvent::Heartbeat, |line| LogEvent::Line(function.clone(), line)))
        })))
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
}

/// The same, with `None` in each silence.
fn alive<T>(lines: impl Stream<Item = Result<T>> + Send) -> impl Stream<Item = Result<Option<T>>> + Send
where
    T: Send,
{
    try_stream! {
        let mut lines = std::pin::pin!(lines);
        loop {
            match tokio::time::timeout(HEARTBEAT, lines.next()).await {
                Ok(Some(line)) => yield Some(line?),
                Ok(None) => break,
                Err(_) => yield None,
            }
        }
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

    #[tokio::test(start_paused = true)]
    async fn a_silent_stream_says_that_it_lives() {
        let line = |n: u32| async move {
            tokio::time::sleep(Duration::from_secs(20)).await;
            Ok(n)
        };
        let lines = futures::stream::iter([1, 2]).then(line);
        let told: Vec<Result<Option<u32>>> = alive(lines).collect().await;
        let told: Vec<Option<u32>> = told.into_iter().map(|told| told.expect("fine")).collect();
        assert_eq!(told, [None, Some(1), None, Some(2)]);
    }
}
