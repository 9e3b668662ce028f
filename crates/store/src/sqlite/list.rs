//! Lists and counts by filter.

use super::codes;
use super::fault::Outcome;
use super::record::{self, columns, id_bytes};
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

pub(super) async fn list(
    conn: &mut SqliteConnection,
    filter: &InvocationFilter,
    after: Option<InvocationId>,
    limit: u32,
) -> Outcome<InvocationPage> {
    let mut query = QueryBuilder::<Sqlite>::new(SELECT);
    query.push(index(filter));
    restrict(&mut query, filter);
    if let Some(after) = after {
        query.push(" AND id < ").push_bind(id_bytes(after));
    }
    query.push(" ORDER BY id DESC LIMIT ").push_bind(i64::from(limit) + 1);
    let rows = query.build().fetch_all(conn).await?;
    let more = rows.len() > limit as usize;
    let mut invocations = Vec::with_capacity(rows.len());
    for row in rows.iter().take(limit as usize) {
        invocations.push(record::read(row)?.invocation);
    }
    Ok(InvocationPage { invocations, more })
}

pub(super) async fn count(pool: &SqlitePool, filter: &InvocationFilter) -> Outcome<u64> {
    let mut query = QueryBuilder::<Sqlite>::new("SELECT count(*) FROM invocations");
    query.push(index(filter));
    restrict(&mut query, filter);
    let count: i64 = query.build().fetch_one(pool).await?.try_get(0)?;
    Ok(u64::try_from(count).unwrap_or(0))
}

/// Few records are live, dead letters or replays of one call: found by their own index, not by a walk over all that ended well. Left to
/// itself, SQLite takes the walk, because it is in the order asked for.
fn index(filter: &InvocationFilter) -> &'static str {
    if filter.replay_of.is_some() {
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

fn only_live(filter: &InvocationFilter) -> bool {
    !filter.states.is_empty() && filter.states.iter().all(|state| !state.is_terminal())
}

fn restrict(query: &mut QueryBuilder<Sqlite>, filter: &InvocationFilter) {
    query.push(" WHERE 1 = 1");
    if let Some(namespace) = &filter.namespace {
        query.push(" AND namespace = ").push_bind(namespace.as_str().to_owned());
    }
    if let Some(function) = &filter.function {
        query.push(" AND name = ").push_bind(function.as_str().to_owned());
    }
    if !filter.states.is_empty() {
        let mut states = query.push(" AND state IN (").separated(", ");
        for &state in &filter.states {
            states.push_bind(codes::state(state));
        }
        states.push_unseparated(")");
        if only_live(filter) {
            query.push(" AND state < 3");
        }
    }
    if let Some(dead) = filter.dead_letter {
        query.push(if dead { " AND dead_letter = 1" } else { " AND dead_letter = 0" });
    }
    if let Some(version) = filter.version {
        query.push(" AND version = ").push_bind(version.0);
    }
    if let Some(caller) = &filter.caller {
        query.push(" AND caller = ").push_bind(caller.clone());
    }
    if let Some(source) = filter.source {
        query.push(" AND source = ").push_bind(source.as_str());
    }
    if let Some(reason) = filter.reason {
        query.push(" AND reason = ").push_bind(reason.as_str());
    }
    if let Some(original) = filter.replay_of {
        query.push(" AND replay_of = ").push_bind(id_bytes(original));
    }
    if let Some(start) = filter.start {
        query.push(" AND start = ").push_bind(codes::start(start));
    }
    if let Some(after) = filter.created_after {
        query.push(" AND created_at > ").push_bind(after.as_micros());
    }
    if let Some(before) = filter.created_before {
        query.push(" AND created_at < ").push_bind(before.as_micros());
    }
}
