//! Claims and leases.

use super::fault::Outcome;
use super::record::id_bytes;
use super::transition::{Ended, advance, load};
use super::writer::Tx;
use eventflow_domain::lifecycle::{Event, Policy};
use eventflow_domain::ports::{Claim, ClaimRequest, Lease, Renewal};
use eventflow_domain::spec::RetryPolicy;
use eventflow_domain::{State, Timestamp, WorkerId};
use sqlx::Row as _;
use std::sync::Arc;
use std::time::Duration;

const RENEW: &str = "UPDATE invocations SET lease_until = $4 \
                     WHERE id = $1 AND epoch = $2 AND state = 1 AND worker = $3 RETURNING cancel_requested";

/// For events that no policy bears on.
pub(super) fn no_policy() -> Policy {
    Policy { retry: RetryPolicy::default(), max_lost: 0 }
}

/// Since when a call waits for its next start: a delay or a backoff is not waiting.
pub(super) fn waits_since(not_before: Timestamp, created_at: Timestamp) -> Timestamp {
    not_before.max(created_at)
}

pub(super) async fn claim(
    tx: &mut Tx,
    requests: Vec<ClaimRequest>,
    worker: &WorkerId,
    lease: Duration,
) -> Outcome<Vec<Claim>> {
    let mut claims = Vec::with_capacity(requests.len());
    for request in requests {
        claims.push(claim_one(tx, request, worker, lease).await?);
    }
    Ok(claims)
}

async fn claim_one(tx: &mut Tx, request: ClaimRequest, worker: &WorkerId, lease: Duration) -> Outcome<Claim> {
    let Some(mut record) = load(tx, request.invocation).await? else {
        return Ok(Claim::Stale(None));
    };
    let (now, call) = (tx.now(), &record.invocation);
    let waits = matches!(call.state(), State::Queued | State::Retrying);
    let expired =
        waits && now.since(waits_since(call.lifecycle.not_before, call.created_at)) > request.max_age;
    let event = if expired { Event::Expire } else { Event::Claim };
    let holder = (!expired).then_some((worker, now + lease));
    if let Err(refused) = advance(tx, &mut record, event, &no_policy(), holder, Ended::default()).await? {
        return Ok(Claim::Stale(Some(refused)));
    }
    record.hydrate(&mut tx.conn).await?;
    let call = Box::new(record.invocation);
    Ok(if expired { Claim::Expired(call) } else { Claim::Claimed(call) })
}

pub(super) async fn renew(
    tx: &mut Tx,
    leases: Vec<Lease>,
    worker: &WorkerId,
    lease: Duration,
) -> Outcome<Vec<Renewal>> {
    let until = tx.now() + lease;
    let mut renewals = Vec::with_capacity(leases.len());
    for held in leases {
        let row = sqlx::query(RENEW)
            .bind(id_bytes(held.invocation))
            .bind(held.epoch.0)
            .bind(Arc::clone(&worker.0))
            .bind(until.as_micros())
            .fetch_optional(&mut tx.conn)
            .await?;
        renewals.push(match row {
            Some(row) => Renewal::Held { cancel_requested: row.try_get(0)? },
            None => Renewal::Gone,
        });
    }
    Ok(renewals)
}
