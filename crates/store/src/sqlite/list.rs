//! Lists and counts by filter.

use super::fault::Outcome;
use super::record::{columns, id_bytes};
use super::shared::list::{only_live, page, restrict};
use eventflow_domain::InvocationId;
use eventflow_domain::ports::{InvocationFilter, InvocationPage};
use sqlx::sqlite::{SqliteConnection, SqlitePool};
use sqlx::{QueryBuilder, Row as _, Sqlite};

/// A list tells sizes and content types, but carries no bodies.
const SELECT: &str = concat!(
    "SELECT ",
    columns!("0 AS payload_kind, NULL AS payload", "0 AS result_kind, NULL AS result"),
    " FROM invocations"
);

pub(super) const DEAD: [&str; 2] = ["dead_letter = 0", "dead_letter = 1"];

pub(super) async fn list(
    conn: &mut SqliteConnection,
    filter: &InvocationFilter,
    after: Option<InvocationId>,
    limit: u32,
) -> Outcome<InvocationPage> {
    let mut query = QueryBuilder::<Sqlite>::new(SELECT);
    query.push(index(filter));
    restrict(&mut query, filter, DEAD);
    if let Some(after) = after {
        query.push(" AND id < ").push_bind(id_bytes(after));
    }
    query.push(" ORDER BY id DESC LIMIT ").push_bind(i64::from(limit) + 1);
    let rows = query.build().fetch_all(conn).await?;
    page(&rows, limit)
}

pub(super) async fn count(pool: &SqlitePool, filter: &InvocationFilter) -> Outcome<u64> {
    let mut query = QueryBuilder::<Sqlite>::new("SELECT count(*) FROM invocations");
    query.push(index(filter));
    restrict(&mut query, filter, DEAD);
    let count: i64 = query.build().fetch_one(pool).await?.try_get(0)?;
    Ok(u64::try_from(count).unwrap_or(0))
}

/// Few records are live, dead letters or replays of one call: found by their own index, not by a walk over all that ended well. Left to
/// itself, SQLite takes the walk, because it is in the order asked for.
fn index(filter: &InvocationFilter) -> &'static str {
    if !filter.ids.is_empty() {
        // By their keys.
        ""
    } else if filter.replay_of.is_some() {
        " INDEXED BY invocations_replays"
    } else if filter.dead_letter == Some(true) {
        " INDEXED BY invocations_dead"
    } else if only_live(filter) {
        " INDEXED BY invocations_live"
    } else if filter.namespace.is_some() && filter.function.is_none() {
        // The one by function would force a sort of all rows.
        " INDEXED BY invocations_namespace"
    } else {
        ""
    }
}
