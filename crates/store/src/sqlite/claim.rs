//! Leases.

use super::fault::Outcome;
use super::record::read_id;
use super::writer::Tx;
use eventflow_domain::WorkerId;
use eventflow_domain::ports::{Lease, Renewal};
use sqlx::Row as _;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// Of `[[id, epoch], …]`, those that are still held.
const RENEW: &str = "UPDATE invocations SET lease_until = $2 \
    FROM (SELECT unhex(value ->> 0) AS held, value ->> 1 AS claimed FROM json_each($1)) \
    WHERE id = held AND epoch = claimed AND state = 1 AND worker = $3 RETURNING id, epoch, cancel_requested";

pub(super) async fn renew(
    tx: &mut Tx,
    leases: Vec<Lease>,
    worker: &WorkerId,
    lease: Duration,
) -> Outcome<Vec<Renewal>> {
    let until = tx.now() + lease;
    let asked: Vec<_> =
        leases.iter().map(|held| (held.invocation.as_uuid().simple().to_string(), held.epoch.0)).collect();
    let rows = sqlx::query(RENEW)
        .bind(serde_json::json!(asked).to_string())
        .bind(until.as_micros())
        .bind(Arc::clone(&worker.0))
        .fetch_all(&mut tx.conn)
        .await?;
    let mut held = HashMap::with_capacity(rows.len());
    for row in rows {
        let id = read_id(row.try_get(0)?)?;
        tx.hot.renewed(id, until);
        held.insert((id, row.try_get(1)?), row.try_get(2)?);
    }
    let renewal = |lease: &Lease| match held.get(&(lease.invocation, lease.epoch.0)) {
        Some(&cancel_requested) => Renewal::Held { cancel_requested },
        None => Renewal::Gone,
    };
    Ok(leases.iter().map(renewal).collect())
}
