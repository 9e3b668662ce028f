use super::{duration_to_wire, function_name, timestamp_from_wire, timestamp_to_wire};
use crate::v1;
use eventflow_domain::invocation::{Attempt, Body, Invocation, Reason, Source, StartKind};
use eventflow_domain::logs::{FunctionLogLine, Stream};
use eventflow_domain::ports::{DeadLetterGroup, InvocationFilter};
use eventflow_domain::{Error, FunctionName, InvocationId, Namespace, Result, State, VersionNumber};

/// Results up to so many bytes are shown in the record itself, where they are text.
const RESULT_TEXT: usize = 4 << 10;
/// Calls that a filter may name one by one.
const MOST_IDS: usize = 1000;

pub fn state_to_wire(state: State) -> v1::InvocationState {
    match state {
        State::Queued => v1::InvocationState::Queued,
        State::Running => v1::InvocationState::Running,
        State::Retrying => v1::InvocationState::Retrying,
        State::Succeeded => v1::InvocationState::Succeeded,
        State::Failed => v1::InvocationState::Failed,
        State::Cancelled => v1::InvocationState::Cancelled,
    }
}

pub fn state_from_wire(state: v1::InvocationState) -> Option<State> {
    State::ALL.into_iter().find(|&of| state_to_wire(of) == state)
}

pub fn source_to_wire(source: Source) -> v1::InvocationSource {
    match source {
        Source::Async => v1::InvocationSource::Async,
        Source::Sync => v1::InvocationSource::Sync,
        Source::Url => v1::InvocationSource::Url,
        Source::Replay => v1::InvocationSource::Replay,
    }
}

pub fn start_to_wire(start: Option<StartKind>) -> v1::StartKind {
    match start {
        None => v1::StartKind::Unspecified,
        Some(StartKind::Cold) => v1::StartKind::Cold,
        Some(StartKind::Warm) => v1::StartKind::Warm,
    }
}

/// A record as the caller sees it. Attempts are there if the record has them.
pub fn invocation_to_wire(invocation: &Invocation) -> v1::Invocation {
    let life = &invocation.lifecycle;
    let failure = invocation.failure.as_ref();
    let content_type = |of: &Option<std::sync::Arc<str>>| of.as_deref().unwrap_or_default().to_owned();
    let waits = matches!(life.state, State::Queued | State::Retrying);
    v1::Invocation {
        id: invocation.id.to_string(),
        namespace: invocation.function.namespace.to_string(),
        function: invocation.function.name.to_string(),
        function_uid: invocation.function_uid.to_string(),
        version: invocation.version.0,
        state: state_to_wire(life.state).into(),
        source: source_to_wire(invocation.source).into(),
        caller: invocation.caller.to_string(),
        replay_of: invocation.replay_of.map(|id| id.to_string()).unwrap_or_default(),
        attempt: life.attempts as i32,
        lost: life.lost as i32,
        reason: failure.map(|failure| failure.reason.to_string()).unwrap_or_default(),
        message: failure.map(|failure| failure.message.clone()).unwrap_or_default(),
        dead_letter: life.dead_letter,
        cancel_requested: life.cancel_requested,
        trace_id: invocation.trace.trace_id_hex(),
        create_time: Some(timestamp_to_wire(invocation.created_at)),
        not_before_time: (waits && life.not_before > invocation.created_at)
            .then(|| timestamp_to_wire(life.not_before)),
        start_time: invocation.started_at.map(timestamp_to_wire),
        end_time: invocation.ended_at.map(timestamp_to_wire),
        queue_wait: invocation.queue_wait().map(duration_to_wire),
        duration: invocation
            .started_at
            .zip(invocation.ended_at)
            .map(|(start, end)| duration_to_wire(end.since(start))),
        payload_size: invocation.payload.size as i64,
        payload_content_type: content_type(&invocation.payload.content_type),
        result_size: invocation.result.size as i64,
        result_content_type: content_type(&invocation.result.content_type),
        http_status: invocation.http_status.map(i32::from),
        result_text: match &invocation.result.body {
            Body::Inline(bytes) if bytes.len() <= RESULT_TEXT => {
                std::str::from_utf8(bytes).unwrap_or_default().to_owned()
            }
            _ => String::new(),
        },
        logs_truncated: invocation.logs_truncated,
        attempts: invocation.attempts.iter().map(attempt_to_wire).collect(),
        start: start_to_wire(invocation.start).into(),
    }
}

fn attempt_to_wire(attempt: &Attempt) -> v1::Attempt {
    let failure = attempt.failure.as_ref();
    v1::Attempt {
        number: attempt.number as i32,
        version: attempt.version.0,
        worker: attempt.worker.to_string(),
        state: attempt.outcome.map_or(v1::InvocationState::Unspecified, state_to_wire).into(),
        start: start_to_wire(attempt.start).into(),
        start_time: Some(timestamp_to_wire(attempt.started_at)),
        end_time: attempt.ended_at.map(timestamp_to_wire),
        exit_code: attempt.exit_code,
        reason: failure.map(|failure| failure.reason.to_string()).unwrap_or_default(),
        message: failure.map(|failure| failure.message.clone()).unwrap_or_default(),
    }
}

/// A line that this function printed.
pub fn log_line_to_wire(function: &FunctionName, of: &FunctionLogLine) -> v1::LogLine {
    v1::LogLine {
        invocation_id: of.invocation.map(|id| id.to_string()).unwrap_or_default(),
        attempt: of.line.position.attempt as i32,
        seq: of.line.position.seq as i32,
        stream: match of.line.stream {
            Stream::Stdout => v1::LogStream::Stdout,
            Stream::Stderr => v1::LogStream::Stderr,
            Stream::System => v1::LogStream::System,
        }
        .into(),
        time: Some(timestamp_to_wire(of.line.time)),
        text: of.line.text.to_string(),
        approximate: of.approximate,
        function: function.to_string(),
    }
}

/// The streams of lines that are asked for; `None` for all.
pub fn stream_from_wire(request: &v1::StreamLogsRequest) -> Result<Option<Stream>> {
    let known = v1::LogStream::try_from(request.stream).is_ok();
    super::known_values([("stream", request.stream, known)])?;
    Ok(match request.stream() {
        v1::LogStream::Unspecified => None,
        v1::LogStream::Stdout => Some(Stream::Stdout),
        v1::LogStream::Stderr => Some(Stream::Stderr),
        v1::LogStream::System => Some(Stream::System),
    })
}

pub fn dead_letter_group_to_wire(group: &DeadLetterGroup) -> v1::DeadLetterGroup {
    v1::DeadLetterGroup {
        namespace: group.function.namespace.to_string(),
        function: group.function.name.to_string(),
        reason: group.reason.to_string(),
        count: group.count as i64,
        oldest_time: Some(timestamp_to_wire(group.oldest)),
        newest_time: Some(timestamp_to_wire(group.newest)),
        sample_id: group.sample.to_string(),
        sample_message: group.message.clone(),
    }
}

/// Which records; `namespace` is `None` for all.
pub fn filter_from_wire(
    namespace: Option<Namespace>,
    filter: &v1::InvocationFilter,
) -> Result<InvocationFilter> {
    check_enums(filter)?;
    let time = |field: &str, time: &Option<prost_types::Timestamp>| {
        time.as_ref().map(|time| timestamp_from_wire(field, time)).transpose()
    };
    Ok(InvocationFilter {
        namespace,
        function: present(&filter.function).map(|name| function_name("function", name)).transpose()?,
        states: filter.state().filter_map(state_from_wire).collect(),
        version: (filter.version != 0).then_some(VersionNumber(filter.version)),
        caller: present(&filter.caller).map(ToOwned::to_owned),
        source: match filter.source() {
            v1::InvocationSource::Unspecified => None,
            v1::InvocationSource::Async => Some(Source::Async),
            v1::InvocationSource::Sync => Some(Source::Sync),
            v1::InvocationSource::Url => Some(Source::Url),
            v1::InvocationSource::Replay => Some(Source::Replay),
        },
        reason: present(&filter.reason).map(reason).transpose()?,
        dead_letter: filter.dead_letter,
        replay_of: present(&filter.replay_of)
            .map(|id| {
                super::invocation_id(id).map_err(|_| Error::invalid("replayOf", "must be an invocation's id"))
            })
            .transpose()?,
        created_after: time("createdAfter", &filter.created_after)?,
        created_before: time("createdBefore", &filter.created_before)?,
        start: match filter.start() {
            v1::StartKind::Unspecified => None,
            v1::StartKind::Cold => Some(StartKind::Cold),
            v1::StartKind::Warm => Some(StartKind::Warm),
        },
        ids: ids(&filter.ids)?,
    })
}

fn ids(texts: &[String]) -> Result<Vec<InvocationId>> {
    if texts.len() > MOST_IDS {
        return Err(Error::invalid("ids", format!("must be at most {MOST_IDS}, are {}", texts.len())));
    }
    let id = |text: &String| {
        super::invocation_id(text).map_err(|_| Error::invalid("ids", "must be ids of invocations"))
    };
    texts.iter().map(id).collect()
}

/// Values of enums that this version does not know: passed over, a filter would hold more than was asked for.
fn check_enums(filter: &v1::InvocationFilter) -> Result<()> {
    let states = filter.state.iter().map(|&state| {
        let known = v1::InvocationState::try_from(state).is_ok_and(|of| state_from_wire(of).is_some());
        ("state", state, known)
    });
    let others = [
        ("source", filter.source, v1::InvocationSource::try_from(filter.source).is_ok()),
        ("start", filter.start, v1::StartKind::try_from(filter.start).is_ok()),
    ];
    super::known_values(states.chain(others))
}

fn present(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

fn reason(text: &str) -> Result<Reason> {
    Reason::parse(text).ok_or_else(|| {
        let known = Reason::ALL.map(Reason::as_str);
        Error::invalid("reason", eventflow_domain::suggest::unknown("reason", text, known))
    })
}
