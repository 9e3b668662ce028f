//! How many calls of a function wait: counted by all writers, bounded by `queue_max`.

use super::arrays::column;
use super::shared::cells::Cells;
use super::shared::fault::Outcome;
use super::shared::record::read_uid;
use super::tx::Tx;
use eventflow_domain::FunctionUid;
use eventflow_domain::ports::{NewInvocation, Start};
use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;

/// Places below which accepts of a function are taken one group at a time, over all processes. Further from the bound
/// they need not wait for each other: what is in flight meanwhile is far less.
pub(super) const NEAR: u64 = 4096;

const COUNT: &str =
    "SELECT function_uid, sum(count)::bigint FROM waiting WHERE function_uid = ANY($1) GROUP BY function_uid";

const LOCK: &str = "SELECT pg_advisory_xact_lock(key) FROM unnest($1) AS key";

/// The bound of each function that one of these would wait for, and how many of these would.
pub(super) fn bounds(news: &[NewInvocation]) -> BTreeMap<FunctionUid, (u32, u64)> {
    let mut bounds = BTreeMap::new();
    for new in news.iter().filter(|new| matches!(new.start, Start::Queued { .. })) {
        let (bound, more) = bounds.entry(new.function_uid).or_insert((u32::MAX, 0));
        *bound = new.queue_max.min(*bound);
        *more += 1;
    }
    bounds
}

/// Calls that wait now, of each function that one of these would wait for.
pub(super) async fn waiting(tx: &mut Tx, news: &[NewInvocation]) -> Outcome<HashMap<FunctionUid, u64>> {
    let bounds = bounds(news);
    if bounds.is_empty() {
        return Ok(HashMap::new());
    }
    let uids: Vec<FunctionUid> = bounds.keys().copied().collect();
    let mut counts = read(tx, &uids).await?;
    let near = |uid: &&FunctionUid| {
        let (bound, more) = bounds.get(*uid).copied().unwrap_or_default();
        counts.get(*uid).copied().unwrap_or(0) + more + NEAR > u64::from(bound)
    };
    let near: Vec<FunctionUid> = uids.iter().filter(near).copied().collect();
    if !near.is_empty() {
        let mut keys = column(&near, |uid| uid.as_uuid().as_u64_pair().1 as i64);
        keys.sort_unstable();
        sqlx::query(LOCK).bind(keys).execute(&mut tx.conn).await?;
        // Again: those before us have committed.
        counts.extend(read(tx, &near).await?);
    }
    Ok(counts)
}

async fn read(tx: &mut Tx, uids: &[FunctionUid]) -> Outcome<HashMap<FunctionUid, u64>> {
    let uids = column(uids, |uid| uid.as_uuid());
    let rows = sqlx::query(COUNT).bind(uids).fetch_all(&mut tx.conn).await?;
    rows.iter().map(|row| Ok((read_uid(row.bytes(0)?)?, row.int(1)?.max(0) as u64))).collect()
}

/// Counts what a transaction changed, as the text of a statement. In the order of functions, so that writers cannot wait
/// for each other in a circle.
pub(super) fn count(moved: &BTreeMap<FunctionUid, i64>, shard: i16) -> String {
    let mut values = String::new();
    for (uid, change) in moved.iter().filter(|(_, change)| **change != 0) {
        let comma = if values.is_empty() { "" } else { ", " };
        // Writing to a String cannot fail.
        let _ = write!(values, "{comma}('{}', {shard}, {change})", uid.as_uuid());
    }
    if values.is_empty() {
        return values;
    }
    format!(
        "INSERT INTO waiting (function_uid, shard, count) VALUES {values} \
         ON CONFLICT (function_uid, shard) DO UPDATE SET count = waiting.count + excluded.count; "
    )
}
