//! A record that one of our processes sends another: what callers see of it, read back.

use super::invocation::{source_to_wire, start_to_wire, state_from_wire};
use super::{function_key, invocation_id, timestamp_from_wire};
use crate::v1;
use eventflow_domain::invocation::{Attempt, Body, Failure, Invocation, Reason, Source, StartKind, Stored};
use eventflow_domain::lifecycle::Lifecycle;
use eventflow_domain::trace::TraceContext;
use eventflow_domain::{Epoch, Error, Result, Timestamp, VersionNumber, WorkerId};

/// `None` = unspecified, or of a later release.
pub fn source_from_wire(source: v1::InvocationSource) -> Option<Source> {
    [Source::Async, Source::Sync, Source::Url, Source::Replay]
        .into_iter()
        .find(|&of| source_to_wire(of) == source)
}

/// `None` = unspecified, or of a later release.
pub fn start_from_wire(start: v1::StartKind) -> Option<StartKind> {
    [StartKind::Cold, StartKind::Warm].into_iter().find(|&of| start_to_wire(Some(of)) == start)
}

/// The record behind [`super::invocation_to_wire`], without what that leaves out: bodies, the epochs of attempts,
/// and the parent span of its trace.
pub fn invocation_from_record(record: &v1::Invocation, epoch: i64) -> Result<Invocation> {
    let created_at = required("createTime", record.create_time.as_ref())?;
    let state = state_from_wire(record.state()).ok_or_else(|| malformed("state"))?;
    Ok(Invocation {
        id: invocation_id(&record.id)?,
        function: function_key(&record.namespace, &record.function)?,
        function_uid: record.function_uid.parse().map_err(|_| malformed("functionUid"))?,
        version: VersionNumber(record.version),
        lifecycle: Lifecycle {
            state,
            epoch: Epoch(epoch),
            attempts: u32::try_from(record.attempt).map_err(|_| malformed("attempt"))?,
            lost: u32::try_from(record.lost).map_err(|_| malformed("lost"))?,
            not_before: time("notBeforeTime", record.not_before_time.as_ref())?.unwrap_or(created_at),
            cancel_requested: record.cancel_requested,
            dead_letter: record.dead_letter,
        },
        source: source_from_wire(record.source()).ok_or_else(|| malformed("source"))?,
        caller: record.caller.as_str().into(),
        replay_of: present(&record.replay_of).map(invocation_id).transpose()?,
        trace: TraceContext {
            trace_id: u128::from_str_radix(&record.trace_id, 16).map_err(|_| malformed("traceId"))?,
            span_id: 0,
            sampled: true,
        },
        payload: stored(record.payload_size, &record.payload_content_type),
        result: stored(record.result_size, &record.result_content_type),
        http_status: record
            .http_status
            .map(|status| u16::try_from(status).map_err(|_| malformed("httpStatus")))
            .transpose()?,
        failure: failure(&record.reason, &record.message)?,
        created_at,
        started_at: time("startTime", record.start_time.as_ref())?,
        ended_at: time("endTime", record.end_time.as_ref())?,
        attempts: record.attempts.iter().map(attempt).collect::<Result<_>>()?,
        logs_truncated: record.logs_truncated,
        start: start_from_wire(record.start()),
    })
}

fn attempt(attempt: &v1::Attempt) -> Result<Attempt> {
    Ok(Attempt {
        number: u32::try_from(attempt.number).map_err(|_| malformed("attempts.number"))?,
        epoch: Epoch::default(),
        version: VersionNumber(attempt.version),
        worker: WorkerId(attempt.worker.as_str().into()),
        started_at: required("attempts.startTime", attempt.start_time.as_ref())?,
        ended_at: time("attempts.endTime", attempt.end_time.as_ref())?,
        start: start_from_wire(attempt.start()),
        outcome: state_from_wire(attempt.state()),
        exit_code: attempt.exit_code,
        failure: failure(&attempt.reason, &attempt.message)?,
    })
}

fn failure(reason: &str, message: &str) -> Result<Option<Failure>> {
    present(reason)
        .map(|reason| {
            let reason = Reason::parse(reason).ok_or_else(|| malformed("reason"))?;
            Ok(Failure::new(reason, message))
        })
        .transpose()
}

fn stored(size: i64, content_type: &str) -> Stored {
    let content_type = present(content_type).map(Into::into);
    Stored { body: Body::None, size: u64::try_from(size).unwrap_or(0), content_type }
}

fn time(field: &str, time: Option<&prost_types::Timestamp>) -> Result<Option<Timestamp>> {
    time.map(|time| timestamp_from_wire(field, time)).transpose()
}

fn required(field: &str, of: Option<&prost_types::Timestamp>) -> Result<Timestamp> {
    time(field, of)?.ok_or_else(|| malformed(field))
}

fn present(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

fn malformed(field: &str) -> Error {
    Error::invalid(field, "is not what a record has there")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::convert::invocation_to_wire;
    use eventflow_domain::State;
    use eventflow_domain::ids::{FunctionUid, InvocationId};
    use eventflow_domain::{FunctionKey, Namespace};

    fn record() -> Invocation {
        let at = |millis: i64| Timestamp::from_millis(1_700_000_000_000 + millis);
        let failure = Some(Failure::new(Reason::ExitCode, "exit code 3"));
        let stored = |size| Stored { body: Body::None, size, content_type: Some("text/plain".into()) };
        Invocation {
            id: InvocationId::generate(),
            function: FunctionKey::new(
                "media".parse::<Namespace>().expect("a namespace"),
                "resize".parse().expect("a name"),
            ),
            function_uid: FunctionUid::generate(),
            version: VersionNumber(3),
            lifecycle: Lifecycle {
                state: State::Failed,
                epoch: Epoch(2),
                attempts: 2,
                lost: 1,
                not_before: at(0),
                cancel_requested: true,
                dead_letter: true,
            },
            source: Source::Sync,
            caller: "alice".into(),
            replay_of: Some(InvocationId::generate()),
            trace: TraceContext { trace_id: 7, span_id: 0, sampled: true },
            payload: stored(5),
            result: stored(9),
            http_status: Some(503),
            failure: failure.clone(),
            created_at: at(0),
            started_at: Some(at(10)),
            ended_at: Some(at(25)),
            attempts: vec![Attempt {
                number: 1,
                epoch: Epoch::default(),
                version: VersionNumber(3),
                worker: WorkerId("w-1".into()),
                started_at: at(10),
                ended_at: Some(at(25)),
                start: Some(StartKind::Cold),
                outcome: Some(State::Failed),
                exit_code: Some(3),
                failure,
            }],
            logs_truncated: true,
            start: Some(StartKind::Warm),
        }
    }

    #[test]
    fn a_record_survives_the_way_to_another_process() {
        let record = record();
        let read = invocation_from_record(&invocation_to_wire(&record), 2).expect("a record");
        assert_eq!(read, record);
    }

    #[test]
    fn a_record_without_a_state_or_with_a_reason_of_a_later_release_is_refused() {
        let wire = invocation_to_wire(&record());
        let stateless = v1::Invocation { state: 0, ..wire.clone() };
        invocation_from_record(&stateless, 2).expect_err("no state");
        let strange = v1::Invocation { reason: "Sunspots".to_owned(), ..wire };
        invocation_from_record(&strange, 2).expect_err("no such reason");
    }
}
