//! The end of a run: written under its epoch, tried until the store answers or the lease is gone.

use crate::attempt::{Finish, Work};
use crate::backoff::Backoff;
use crate::core::Core;
use eventflow_domain::error::Chain;
use eventflow_domain::invocation::Invocation;
use eventflow_domain::lifecycle::{State, Verdict};
use eventflow_domain::ports::{Settled, Settlement};
use eventflow_domain::spec::RecordPolicy;
use eventflow_telemetry::names::SPAN_SETTLE;
use rand::RngExt as _;
use std::time::Duration;
use tracing::Instrument as _;
use tracing::field::Empty;

/// Settles; the record as it is then, or `None` where another decides. `once` = a failure is final.
pub(crate) async fn settle(core: &Core, work: &Work, finish: &Finish, once: bool) -> Option<Box<Invocation>> {
    let span = tracing::debug_span!(parent: &work.span, SPAN_SETTLE, state = Empty, reason = Empty);
    let settled = settle_once(core, work, finish, once).instrument(span.clone()).await;
    if let Some(record) = settled.as_ref().filter(|_| !span.is_disabled()) {
        span.record("state", record.state().as_str());
        span.record("reason", reason(finish));
    }
    settled
}

async fn settle_once(core: &Core, work: &Work, finish: &Finish, once: bool) -> Option<Box<Invocation>> {
    let settlement = settlement(core, work, finish, once)?;
    let settled = tokio::select! {
        // A renewal in the same commit may find the lease gone because of this very settlement.
        biased;
        settled = insist(core, settlement) => settled,
        () = work.control.gone() => None,
    };
    let metrics = core.ports.metrics.function(&work.invocation.function);
    match settled? {
        Settled::Done(record) => {
            if matches!(record.state(), State::Queued | State::Retrying) {
                core.relay.wake();
            }
            if record.state() == State::Retrying {
                metrics.retried();
            }
            if record.lifecycle.dead_letter {
                metrics.dead_lettered();
            }
            report(core, work, finish, &record);
            Some(record)
        }
        Settled::Refused(refused) => {
            metrics.settle_refused();
            tracing::warn!(parent: &work.span, %refused, "a stale result was refused");
            None
        }
        Settled::Unknown => {
            metrics.settle_refused();
            tracing::warn!(parent: &work.span, "a result came for a record that is gone");
            None
        }
    }
}

fn settlement(core: &Core, work: &Work, finish: &Finish, once: bool) -> Option<Settlement> {
    let invocation = &work.invocation;
    Some(Settlement {
        invocation: invocation.id,
        epoch: invocation.lifecycle.epoch,
        verdict: finish.verdict.clone()?,
        policy: core.policy(invocation.function_uid, once),
        jitter: rand::rng().random_range(0..1000),
        start: finish.start,
        started_at: finish.started_at,
        exit_code: finish.exit_code,
        result: finish.result.clone(),
        http_status: finish.status,
        drop_payload: core.record_policy(invocation.function_uid) == RecordPolicy::Metadata,
        logs_truncated: work.logs.truncated(),
    })
}

/// Tries until the store answers; the lease is renewed meanwhile. `None` when the process ends first.
async fn insist(core: &Core, settlement: Settlement) -> Option<Settled> {
    let mut backoff = Backoff::of_a_port();
    loop {
        match core.ports.store.settle(settlement.clone()).await {
            Ok(settled) => return Some(settled),
            Err(error) => {
                let invocation_id = settlement.invocation;
                tracing::warn!(%invocation_id, error = %Chain(&error), "failed to settle, trying again");
            }
        }
        core.stop.run_until_cancelled(backoff.wait()).await?;
    }
}

/// Counts, tells and logs the end of an attempt.
pub(crate) fn report(core: &Core, work: &Work, finish: &Finish, record: &Invocation) {
    let metrics = core.ports.metrics.function(&record.function);
    metrics.ended(record.state());
    metrics.ran(finish.took, record.trace);
    if record.logs_truncated {
        metrics.log_truncated();
    }
    core.changed(record.id, &record.function, record.state());
    log_line(work, finish, record);
}

fn reason(finish: &Finish) -> &'static str {
    match &finish.verdict {
        Some(Verdict::Failed(failure)) => failure.reason.as_str(),
        Some(Verdict::Cancelled) => "Cancelled",
        Some(Verdict::FunctionDeleted) => "FunctionDeleted",
        Some(Verdict::Released) => "Released",
        Some(Verdict::Succeeded) | None => "",
    }
}

/// The one line of an attempt.
fn log_line(work: &Work, finish: &Finish, record: &Invocation) {
    let ms = |duration: Duration| duration.as_micros() as f64 / 1000.0;
    tracing::info!(
        parent: &work.span,
        version = record.version.0,
        source = record.source.as_str(),
        state = record.state().as_str(),
        reason = reason(finish),
        status = finish.status,
        exit_code = finish.exit_code,
        run_ms = ms(finish.took),
        queue_ms = ms(record.queue_wait().unwrap_or_default()),
        "attempt ended"
    );
}
