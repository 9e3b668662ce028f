//! How closed sets are stored.

use super::fault::{Fault, Outcome};
use eventflow_domain::logs::Stream;
use eventflow_domain::ports::ConfigKind;
use eventflow_domain::{Reason, Source, StartKind, State};

pub(crate) fn state(state: State) -> i64 {
    match state {
        State::Queued => 0,
        State::Running => 1,
        State::Retrying => 2,
        State::Succeeded => 3,
        State::Failed => 4,
        State::Cancelled => 5,
    }
}

pub(crate) fn read_state(code: i64) -> Outcome<State> {
    State::ALL
        .into_iter()
        .find(|&known| state(known) == code)
        .ok_or_else(|| Fault::corrupt("state", format!("state {code}")))
}

pub(crate) fn start(start: StartKind) -> i64 {
    match start {
        StartKind::Cold => 0,
        StartKind::Warm => 1,
    }
}

pub(crate) fn read_start(code: i64) -> StartKind {
    if code == 0 { StartKind::Cold } else { StartKind::Warm }
}

pub(crate) fn read_source(text: &str) -> Outcome<Source> {
    [Source::Async, Source::Sync, Source::Url, Source::Replay]
        .into_iter()
        .find(|source| source.as_str() == text)
        .ok_or_else(|| Fault::corrupt("source", text.to_owned()))
}

pub(crate) fn read_reason(text: &str) -> Outcome<Reason> {
    Reason::parse(text).ok_or_else(|| Fault::corrupt("reason", text.to_owned()))
}

pub(crate) fn stream(stream: Stream) -> i64 {
    match stream {
        Stream::Stdout => 0,
        Stream::Stderr => 1,
        Stream::System => 2,
    }
}

pub(crate) fn read_stream(code: i64) -> Stream {
    match code {
        0 => Stream::Stdout,
        1 => Stream::Stderr,
        _ => Stream::System,
    }
}

pub(crate) fn config_kind(kind: ConfigKind) -> i64 {
    match kind {
        ConfigKind::Secret => 0,
        ConfigKind::Config => 1,
    }
}
