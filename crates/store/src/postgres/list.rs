//! Lists and counts by filter.

use super::shared::cells::Cells;
use super::shared::fault::Outcome;
use super::shared::list::{page, restrict};
use super::shared::record::columns;
use eventflow_domain::InvocationId;
use eventflow_domain::ports::{InvocationFilter, InvocationPage};
use sqlx::postgres::PgConnection;
use sqlx::{Postgres, QueryBuilder};

/// A list tells sizes and content types, but carries no bodies.
const SELECT: &str = concat!(
    "SELECT ",
    columns!("0 AS publishes", "0 AS payload_kind, NULL AS payload", "0 AS result_kind, NULL AS result"),
    " FROM invocations"
);

pub(super) const DEAD: [&str; 2] = ["NOT dead_letter", "dead_letter"];

pub(super) async fn list(
    conn: &mut PgConnection,
    filter: &InvocationFilter,
    after: Option<InvocationId>,
    limit: u32,
) -> Outcome<InvocationPage> {
    let mut query = QueryBuilder::<Postgres>::new(SELECT);
    restrict(&mut query, filter, DEAD);
    if let Some(after) = after {
        query.push(" AND id < ").push_bind(after.as_uuid());
    }
    query.push(" ORDER BY id DESC LIMIT ").push_bind(i64::from(limit) + 1);
    let rows = query.build().fetch_all(conn).await?;
    page(&rows, limit)
}

pub(super) async fn count(conn: &mut PgConnection, filter: &InvocationFilter) -> Outcome<u64> {
    let mut query = QueryBuilder::<Postgres>::new("SELECT count(*) FROM invocations");
    restrict(&mut query, filter, DEAD);
    query.build().fetch_one(conn).await?.number(0)
}
