//! Captured lines.

use super::PostgresStore;
use super::arrays::column;
use super::codes;
use super::shared::cells::Cells;
use super::shared::fault::Outcome;
use super::shared::logs::{
    Append, MOST, OF_CALL, OF_FUNCTION, REMEMBERED, SOURCE, SOURCE_PUT, before, read_function_line, read_line,
};
use super::tx::Tx;
use async_trait::async_trait;
use eventflow_domain::logs::{FunctionLogLine, LogLine, LogPosition};
use eventflow_domain::ports::{LogQuery, LogStore};
use eventflow_domain::{FunctionKey, FunctionUid, InvocationId, Result, Timestamp};
use std::collections::BTreeSet;

const INSERT: &str = "INSERT INTO logs (invocation, attempt, seq, source, time, stream, text) \
    SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING";

#[async_trait]
impl LogStore for PostgresStore {
    async fn log_append(
        &self,
        invocation: InvocationId,
        _: FunctionUid,
        function: &FunctionKey,
        lines: Vec<LogLine>,
    ) -> Result<()> {
        self.writer.append(Append { invocation, function: function.clone(), lines }).await
    }

    async fn log_read(
        &self,
        invocation: InvocationId,
        after: Option<LogPosition>,
        limit: u32,
    ) -> Result<Vec<LogLine>> {
        let after = after.unwrap_or_default();
        self.read(&self.readers, |conn| {
            Box::pin(async move {
                let query = sqlx::query(OF_CALL)
                    .bind(invocation.as_uuid())
                    .bind(i64::from(after.attempt))
                    .bind(i64::from(after.seq))
                    .bind(i64::from(limit));
                query.fetch_all(conn).await?.iter().map(read_line).collect()
            })
        })
        .await
    }

    async fn log_query(&self, query: &LogQuery) -> Result<Vec<FunctionLogLine>> {
        let query = query.clone();
        self.read(&self.readers, move |conn| {
            Box::pin(async move {
                let before = before(&query);
                let rows = sqlx::query(OF_FUNCTION)
                    .bind(query.function.namespace.as_str())
                    .bind(query.function.name.as_str())
                    .bind(query.since.map_or(i64::MIN, Timestamp::as_micros))
                    .bind(i64::from(query.tail.min(MOST)))
                    .bind(before.time.as_micros())
                    .bind(before.invocation.as_uuid())
                    .bind(i64::from(before.position.attempt))
                    .bind(i64::from(before.position.seq))
                    .fetch_all(conn)
                    .await?;
                rows.iter().rev().map(read_function_line).collect()
            })
        })
        .await
    }
}

/// Appends all; one answer for each.
pub(super) async fn append_all(tx: &mut Tx, appends: &[Append]) -> Outcome<Vec<Result<()>>> {
    // In the order of functions: two groups that meet new ones do not wait for each other in a circle.
    let functions: BTreeSet<&FunctionKey> = appends.iter().map(|append| &append.function).collect();
    for function in functions {
        learn(tx, function).await?;
    }
    let mut rows = Vec::with_capacity(appends.iter().map(|append| append.lines.len()).sum());
    for append in appends {
        let source = tx.log_sources.get(&append.function).copied().unwrap_or_default();
        rows.extend(append.lines.iter().map(|line| (append.invocation, source, line)));
    }
    rows.sort_unstable_by_key(|(id, _, line)| (*id, line.position));
    if !rows.is_empty() {
        sqlx::query(INSERT)
            .bind(column(&rows, |(id, _, _)| id.as_uuid()))
            .bind(column(&rows, |(_, _, line)| line.position.attempt as i32))
            .bind(column(&rows, |(_, _, line)| line.position.seq as i32))
            .bind(column(&rows, |(_, source, _)| *source))
            .bind(column(&rows, |(_, _, line)| line.time.as_micros()))
            .bind(column(&rows, |(_, _, line)| codes::stream(line.stream) as i16))
            .bind(column(&rows, |(_, _, line)| line.text.as_bytes()))
            .execute(&mut tx.conn)
            .await?;
    }
    if tx.log_sources.len() >= REMEMBERED {
        tx.log_sources.clear();
    }
    Ok(appends.iter().map(|_| Ok(())).collect())
}

async fn learn(tx: &mut Tx, function: &FunctionKey) -> Outcome<()> {
    if tx.log_sources.contains_key(function) {
        return Ok(());
    }
    let (namespace, name) = (function.namespace.as_str(), function.name.as_str());
    sqlx::query(SOURCE_PUT).bind(namespace).bind(name).execute(&mut tx.conn).await?;
    let row = sqlx::query(SOURCE).bind(namespace).bind(name).fetch_one(&mut tx.conn).await?;
    tx.log_sources.insert(function.clone(), row.int(0)?);
    Ok(())
}
