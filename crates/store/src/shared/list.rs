//! Filters as conditions, and rows as pages.

use super::cells::Cells;
use super::codes;
use super::fault::Outcome;
use super::record;
use eventflow_domain::ports::{InvocationFilter, InvocationPage};
use sqlx::{Database, Encode, QueryBuilder, Type};
use uuid::Uuid;

/// Whether a list carries live calls only: few, and found by an index of their own.
pub(crate) fn only_live(filter: &InvocationFilter) -> bool {
    !filter.states.is_empty() && filter.states.iter().all(|state| !state.is_terminal())
}

/// Appends `WHERE` and the conditions. `dead`: how this database says that the flag is not set, and that it is.
pub(crate) fn restrict<DB>(query: &mut QueryBuilder<DB>, filter: &InvocationFilter, dead: [&str; 2])
where
    DB: Database,
    String: for<'q> Encode<'q, DB> + Type<DB>,
    i64: for<'q> Encode<'q, DB> + Type<DB>,
    Uuid: for<'q> Encode<'q, DB> + Type<DB>,
{
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
    if !filter.ids.is_empty() {
        let mut ids = query.push(" AND id IN (").separated(", ");
        for &id in &filter.ids {
            ids.push_bind(id.as_uuid());
        }
        ids.push_unseparated(")");
    }
    if let Some(flag) = filter.dead_letter {
        let [unset, set] = dead;
        query.push(" AND ").push(if flag { set } else { unset });
    }
    if let Some(version) = filter.version {
        query.push(" AND version = ").push_bind(i64::from(version.0));
    }
    if let Some(caller) = &filter.caller {
        query.push(" AND caller = ").push_bind(caller.clone());
    }
    if let Some(source) = filter.source {
        query.push(" AND source = ").push_bind(source.as_str().to_owned());
    }
    if let Some(reason) = filter.reason {
        query.push(" AND reason = ").push_bind(reason.as_str().to_owned());
    }
    if let Some(original) = filter.replay_of {
        query.push(" AND replay_of = ").push_bind(original.as_uuid());
    }
    if let Some(start) = filter.start {
        query.push(" AND start = ").push_bind(codes::start(start));
    }
    if let Some(after) = filter.created_after {
        query.push(" AND created_at >= ").push_bind(after.as_micros());
    }
    if let Some(before) = filter.created_before {
        query.push(" AND created_at < ").push_bind(before.as_micros());
    }
}

/// The page that these rows are, of which one more than `limit` was asked for.
pub(crate) fn page(rows: &[impl Cells], limit: u32) -> Outcome<InvocationPage> {
    let more = rows.len() > limit as usize;
    let calls = rows.iter().take(limit as usize).map(|row| Ok(record::read(row)?.invocation));
    Ok(InvocationPage { invocations: calls.collect::<Outcome<_>>()?, more })
}
