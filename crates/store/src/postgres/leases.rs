//! Leases.

use super::arrays::column;
use super::shared::cells::Cells;
use super::shared::fault::Outcome;
use super::shared::record::read_id;
use super::tx::Tx;
use eventflow_domain::WorkerId;
use eventflow_domain::ports::{Lease, Renewal};
use std::collections::HashMap;
use std::time::Duration;

/// Of those asked for, the ones that are still held, locked in the order of ids.
const RENEW: &str = "WITH held AS MATERIALIZED (SELECT id FROM invocations WHERE id = ANY($1) AND state = 1 \
    AND worker = $4 ORDER BY id FOR UPDATE) \
    UPDATE invocations i SET lease_until = $3 FROM held, unnest($1, $2) AS u (id, epoch) \
    WHERE i.id = held.id AND u.id = held.id AND i.epoch = u.epoch AND i.state = 1 AND i.worker = $4 \
    RETURNING i.id, i.epoch, i.cancel_requested";

pub(super) async fn renew(
    tx: &mut Tx,
    leases: &[Lease],
    worker: &WorkerId,
    lease: Duration,
) -> Outcome<Vec<Renewal>> {
    if leases.is_empty() {
        return Ok(Vec::new());
    }
    let until = tx.now + lease;
    let rows = sqlx::query(RENEW)
        .bind(column(leases, |lease| lease.invocation.as_uuid()))
        .bind(column(leases, |lease| lease.epoch.0))
        .bind(until.as_micros())
        .bind(worker.as_str())
        .fetch_all(&mut tx.conn)
        .await?;
    let mut held = HashMap::with_capacity(rows.len());
    for row in rows {
        held.insert((read_id(row.bytes(0)?)?, row.int(1)?), row.flag(2)?);
    }
    let renewal = |lease: &Lease| match held.get(&(lease.invocation, lease.epoch.0)) {
        Some(&cancel_requested) => Renewal::Held { cancel_requested },
        None => Renewal::Gone,
    };
    Ok(leases.iter().map(renewal).collect())
}
