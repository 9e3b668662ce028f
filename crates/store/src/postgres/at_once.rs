//! Accepting calls in one statement, which is one crossing to the server and one commit. It is for what most calls are:
//! queued, without an idempotency key, far from the bound of their queue. It does all of a group or nothing; what it
//! leaves is done by a transaction of several statements.

use super::arrays::column;
use super::places::{self, NEAR};
use super::rows::{self, insert_new};
use super::shared::cells::Cells;
use super::shared::fault::Outcome;
use super::shared::new::row;
use super::shared::record::Record;
use super::tx::{Ended, Next, Tx, is_broken, is_conflict};
use eventflow_domain::Timestamp;
use eventflow_domain::ports::{Accepted, NewInvocation, Start};
use std::collections::HashSet;

/// One that does not insert every row fails, and so does one whose number is no longer the next of its seat.
const ACCEPT: &str = concat!(
    "WITH clock AS MATERIALIZED (SELECT coalesce($37, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint) AS now), ",
    "room AS MATERIALIZED (SELECT bool_and(coalesce((SELECT sum(w.count) FROM waiting w WHERE w.function_uid = b.uid), 0) ",
    "+ b.more + $43 <= b.bound) AS enough FROM unnest($40, $41, $42) AS b (uid, more, bound)), ",
    insert_new!(", room WHERE room.enough"),
    ", due AS (INSERT INTO outbox (invocation, due_at, free_at, holder, namespace, name, function_uid, epoch, trace) ",
    "SELECT id, not_before, greatest(not_before, clock.now) + $38, $39, namespace, name, function_uid, epoch, trace ",
    "FROM new, clock), ",
    "moved AS (INSERT INTO waiting (function_uid, shard, count) SELECT function_uid, $44, count(*) FROM new ",
    "GROUP BY function_uid ORDER BY function_uid ",
    "ON CONFLICT (function_uid, shard) DO UPDATE SET count = waiting.count + excluded.count), ",
    "whole AS (SELECT CASE WHEN count(*) = $45 THEN $48::bigint ELSE 1 / (count(*) * 0) END AS next FROM new), ",
    "fence AS (INSERT INTO writers (id, number, at) SELECT $46, whole.next, clock.now FROM whole, clock, room ",
    "WHERE room.enough ON CONFLICT (id) DO UPDATE SET at = excluded.at, number = CASE writers.number WHEN $47 ",
    "THEN excluded.number ELSE 1 / (writers.number * 0) END) ",
    "SELECT enough FROM room"
);

/// Whether all are of the kind that this is for. A queue whose bound is near when it is empty is not asked about.
pub(super) fn suits(news: &[NewInvocation]) -> bool {
    let mut seen = HashSet::with_capacity(news.len());
    !news.is_empty()
        && news.iter().all(|new| {
            new.idempotency.is_none()
                && matches!(new.start, Start::Queued { .. })
                && u64::from(new.queue_max) > NEAR
                && seen.insert(new.id)
        })
}

/// Accepts all of `news`, which suit. `None`: nothing was done, a transaction may tell more.
pub(super) async fn accept(tx: &mut Tx, news: &[NewInvocation]) -> Option<Ended<Vec<Accepted>>> {
    let accepted = || news.iter().map(|_| Accepted::New).collect();
    match ask(tx, news).await {
        Ok(true) => {
            tx.seat.number += 1;
            Some(Ended::Done(accepted()))
        }
        Ok(false) => None,
        // The statement was its own commit.
        Err(fault) if is_broken(&fault) => Some(Ended::Unknown(accepted())),
        Err(fault) if is_conflict(&fault) => Some(Ended::Undone(fault, Next::Repeat)),
        Err(fault) => {
            tracing::debug!(error = %eventflow_domain::error::Chain(&fault), "not accepted at once");
            None
        }
    }
}

async fn ask(tx: &mut Tx, news: &[NewInvocation]) -> Outcome<bool> {
    let records: Vec<Record> = news.iter().map(|new| row(new.clone(), Timestamp::default())).collect();
    let bounds: Vec<_> = places::bounds(news).into_iter().collect();
    let (holder, hold) = super::outbox::claim(tx);
    let row = rows::bind(ACCEPT, &records)
        .bind(tx.options.time.fixed().map(Timestamp::as_micros))
        .bind(hold)
        .bind(holder)
        .bind(column(&bounds, |(uid, _)| uid.as_uuid()))
        .bind(column(&bounds, |(_, (_, more))| *more as i64))
        .bind(column(&bounds, |(_, (bound, _))| i64::from(*bound)))
        .bind(NEAR as i64)
        .bind(tx.seat.shard)
        .bind(news.len() as i64)
        .bind(tx.seat.id)
        .bind(tx.seat.number)
        .bind(tx.seat.number + 1)
        .fetch_one(&mut tx.conn)
        .await?;
    row.flag(0)
}
