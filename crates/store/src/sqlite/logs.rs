//! Captured lines.

use super::SqliteStore;
use super::codes;
use super::fault::{Fault, Outcome};
use super::insert::MultiInsert;
use super::record::id_bytes;
use super::shared::logs::{
    Append, MOST, OF_CALL, OF_FUNCTION, REMEMBERED, SOURCE, SOURCE_PUT, before, read_function_line, read_line,
};
use super::writer::Tx;
use async_trait::async_trait;
use eventflow_domain::logs::{FunctionLogLine, LogLine, LogPosition};
use eventflow_domain::ports::{LogQuery, LogStore};
use eventflow_domain::{FunctionKey, FunctionUid, InvocationId, Result, Timestamp};
use sqlx::Arguments as _;
use std::sync::{Arc, LazyLock};

static INSERT: LazyLock<MultiInsert> = LazyLock::new(|| {
    MultiInsert::new(
        "INSERT INTO logs",
        "invocation, attempt, seq, source, time, stream, text",
        "ON CONFLICT DO NOTHING",
    )
});

#[async_trait]
impl LogStore for SqliteStore {
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
        let query =
            sqlx::query(OF_CALL).bind(id_bytes(invocation)).bind(after.attempt).bind(after.seq).bind(limit);
        let rows = query.fetch_all(&self.readers).await.map_err(Fault::from)?;
        Ok(rows.iter().map(read_line).collect::<Outcome<_>>()?)
    }

    async fn log_query(&self, query: &LogQuery) -> Result<Vec<FunctionLogLine>> {
        let before = before(query);
        let rows = sqlx::query(OF_FUNCTION)
            .bind(query.function.namespace.as_str())
            .bind(query.function.name.as_str())
            .bind(query.since.map_or(i64::MIN, Timestamp::as_micros))
            .bind(query.tail.min(MOST))
            .bind(before.time.as_micros())
            .bind(id_bytes(before.invocation))
            .bind(before.position.attempt)
            .bind(before.position.seq)
            .fetch_all(&self.readers)
            .await
            .map_err(Fault::from)?;
        Ok(rows.iter().rev().map(read_function_line).collect::<Outcome<_>>()?)
    }
}

/// Appends all; one answer for each. `Err` is the fault of the whole transaction.
pub(super) async fn append_all(tx: &mut Tx, appends: &[Append]) -> Outcome<Vec<Result<()>>> {
    if appends.is_empty() {
        return Ok(Vec::new());
    }
    tx.save().await?;
    let together = append(tx, appends).await;
    if tx.kept(together).await?.is_ok() {
        return Ok(appends.iter().map(|_| Ok(())).collect());
    }
    let mut answers = Vec::with_capacity(appends.len());
    for one in appends.chunks(1) {
        tx.save().await?;
        let outcome = append(tx, one).await;
        answers.push(tx.kept(outcome).await?);
    }
    Ok(answers)
}

async fn append(tx: &mut Tx, appends: &[Append]) -> Outcome<()> {
    let mut rows = Vec::with_capacity(appends.iter().map(|append| append.lines.len()).sum());
    for append in appends {
        let source = source(tx, &append.function).await?;
        rows.extend(append.lines.iter().map(|line| (append.invocation, source, line)));
    }
    INSERT
        .run(&mut tx.conn, &rows, |args, (invocation, source, line)| {
            args.add(id_bytes(*invocation))?;
            args.add(line.position.attempt)?;
            args.add(line.position.seq)?;
            args.add(*source)?;
            args.add(line.time.as_micros())?;
            args.add(codes::stream(line.stream))?;
            args.add(Arc::clone(&line.text))
        })
        .await
}

async fn source(tx: &mut Tx, function: &FunctionKey) -> Outcome<i64> {
    if let Some(&source) = tx.log_sources.get(function) {
        return Ok(source);
    }
    let (namespace, name) = (function.namespace.as_str(), function.name.as_str());
    sqlx::query(SOURCE_PUT).bind(namespace).bind(name).execute(&mut tx.conn).await?;
    let source: i64 = sqlx::query_scalar(SOURCE).bind(namespace).bind(name).fetch_one(&mut tx.conn).await?;
    if tx.log_sources.len() >= REMEMBERED {
        tx.log_sources.clear();
    }
    tx.log_sources.insert(function.clone(), source);
    Ok(source)
}
