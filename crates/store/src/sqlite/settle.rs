//! The end of a run.

use super::attempts;
use super::fault::Outcome;
use super::transition::{Ended, advance, load};
use super::writer::Tx;
use eventflow_domain::lifecycle::Event;
use eventflow_domain::ports::{Settled, Settlement};

pub(super) async fn settle(tx: &mut Tx, end: Settlement) -> Outcome<Settled> {
    let Some(mut record) = load(tx, end.invocation).await? else {
        return Ok(Settled::Unknown);
    };
    let epoch = if tx.unfenced { record.invocation.lifecycle.epoch } else { end.epoch };
    let event = Event::Settle { epoch, verdict: end.verdict, jitter: end.jitter };
    let ended = Ended {
        started_at: Some(end.started_at),
        start: end.start,
        exit_code: end.exit_code,
        result: Some(end.result),
        drop_payload: end.drop_payload,
    };
    // Of a refused settlement nothing is written.
    record.invocation.logs_truncated |= end.logs_truncated;
    record.invocation.http_status = end.http_status;
    if let Err(refused) = advance(tx, &mut record, event, &end.policy, None, ended).await? {
        return Ok(Settled::Refused(refused));
    }
    // The only attempt came back from its end already.
    if record.invocation.attempts.len() < record.invocation.lifecycle.attempts as usize {
        record.invocation.attempts = attempts::of_call(&mut tx.conn, record.invocation.id).await?;
    }
    record.hydrate(&mut tx.conn).await?;
    Ok(Settled::Done(Box::new(record.invocation)))
}
