//! The end of a run.

use super::accept::put_body;
use super::attempts;
use super::fault::Outcome;
use super::record::{PAYLOAD, RESULT, Record, bind_body, id_bytes};
use super::transition::{Ended, advance, load};
use super::writer::Tx;
use eventflow_domain::Body;
use eventflow_domain::lifecycle::Event;
use eventflow_domain::ports::{Settled, Settlement};
use sqlx::Arguments as _;
use sqlx::sqlite::SqliteArguments;

const PUT_RESULT: &str = "UPDATE invocations SET result_size = $2, result_type = $3, result_kind = $4, result = $5 \
                      WHERE id = $1";
const DROP_PAYLOAD: &str = "UPDATE invocations SET payload_kind = 0, payload = NULL WHERE id = $1";
const DROP_BODY: &str = "DELETE FROM bodies WHERE invocation = $1 AND part = $2";

pub(super) async fn settle(tx: &mut Tx, end: Settlement) -> Outcome<Settled> {
    let Some(mut record) = load(tx, end.invocation).await? else {
        return Ok(Settled::Unknown);
    };
    let epoch = if tx.unfenced { record.invocation.lifecycle.epoch } else { end.epoch };
    record.invocation.logs_truncated |= end.logs_truncated;
    let event = Event::Settle { epoch, verdict: end.verdict.clone(), jitter: end.jitter };
    let ended = Ended { started_at: Some(end.started_at), start: end.start, exit_code: end.exit_code };
    record.invocation.http_status = end.http_status;
    if let Err(refused) = advance(tx, &mut record, event, &end.policy, None, ended).await? {
        return Ok(Settled::Refused(refused));
    }
    if record.invocation.state().is_terminal() {
        finish(tx, &mut record, end).await?;
    }
    record.hydrate(&mut tx.conn).await?;
    record.invocation.attempts = attempts::of_call(&mut tx.conn, record.invocation.id).await?;
    Ok(Settled::Done(Box::new(record.invocation)))
}

/// Keeps the result, and drops the payload where it is not to be kept.
async fn finish(tx: &mut Tx, record: &mut Record, end: Settlement) -> Outcome<()> {
    let id = end.invocation;
    record.set_result(end.result);
    let result = &record.invocation.result;
    if result.body != Body::None || result.size > 0 || result.content_type.is_some() {
        let mut args = SqliteArguments::default();
        let mut bind = || {
            args.add(id_bytes(id))?;
            args.add(result.size as i64)?;
            args.add(result.content_type.clone())?;
            bind_body(&mut args, &result.body)
        };
        bind().map_err(sqlx::Error::Encode)?;
        sqlx::query_with(PUT_RESULT, args).execute(&mut tx.conn).await?;
        put_body(tx, id, RESULT, &result.body).await?;
    }
    if end.drop_payload {
        sqlx::query(DROP_PAYLOAD).bind(id_bytes(id)).execute(&mut tx.conn).await?;
        sqlx::query(DROP_BODY).bind(id_bytes(id)).bind(PAYLOAD).execute(&mut tx.conn).await?;
        record.drop_payload();
    }
    Ok(())
}
