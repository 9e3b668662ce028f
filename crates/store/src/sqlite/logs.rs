//! Captured lines.

use super::SqliteStore;
use super::codes;
use super::fault::{Fault, Outcome};
use super::insert::MultiInsert;
use super::record::{id_bytes, read_id};
use super::writer::Tx;
use async_trait::async_trait;
use eventflow_domain::logs::{FunctionLogLine, LogLine, LogPosition};
use eventflow_domain::ports::{LogQuery, LogStore};
use eventflow_domain::{FunctionKey, FunctionUid, InvocationId, Result, Timestamp};
use sqlx::sqlite::SqliteRow;
use sqlx::{Arguments as _, Row as _};
use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

static INSERT: LazyLock<MultiInsert> = LazyLock::new(|| {
    MultiInsert::new(
        "INSERT INTO logs",
        "invocation, attempt, seq, source, time, stream, text",
        "ON CONFLICT DO NOTHING",
    )
});

const SOURCE_PUT: &str = "INSERT INTO log_sources (namespace, name) VALUES ($1, $2) ON CONFLICT DO NOTHING";
const SOURCE: &str = "SELECT id FROM log_sources WHERE namespace = $1 AND name = $2";
const OF_CALL: &str = "SELECT invocation, attempt, seq, time, stream, text FROM logs \
    WHERE invocation = $1 AND (attempt, seq) > ($2, $3) ORDER BY attempt, seq LIMIT $4";
const OF_FUNCTION: &str = "SELECT invocation, attempt, seq, time, stream, text FROM logs \
    WHERE source = (SELECT id FROM log_sources WHERE namespace = $1 AND name = $2) AND time >= $3 \
    ORDER BY time DESC, invocation DESC, attempt DESC, seq DESC LIMIT $4";

/// Most lines of one query.
const MOST: u32 = 10_000;

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
        Ok(rows.iter().map(read).collect::<Outcome<_>>()?)
    }

    async fn log_query(&self, query: &LogQuery) -> Result<Vec<FunctionLogLine>> {
        let rows = sqlx::query(OF_FUNCTION)
            .bind(query.function.namespace.as_str())
            .bind(query.function.name.as_str())
            .bind(query.since.map_or(i64::MIN, Timestamp::as_micros))
            .bind(query.tail.min(MOST))
            .fetch_all(&self.readers)
            .await
            .map_err(Fault::from)?;
        let lines = rows.iter().rev().map(|row| {
            let invocation = Some(read_id(row.try_get(0)?)?);
            Ok(FunctionLogLine { invocation, approximate: false, line: read(row)? })
        });
        Ok(lines.collect::<Outcome<_>>()?)
    }
}

/// Lines to append.
#[derive(Debug)]
pub(super) struct Append {
    invocation: InvocationId,
    function: FunctionKey,
    lines: Vec<LogLine>,
}

/// Numbers of functions as sources of lines. They never change.
pub(super) type LogSources = HashMap<FunctionKey, i64>;

/// Functions whose numbers are remembered; over it all are looked up anew.
const REMEMBERED: usize = 10_000;

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

fn read(row: &SqliteRow) -> Outcome<LogLine> {
    Ok(LogLine {
        position: LogPosition { attempt: row.try_get(1)?, seq: row.try_get(2)? },
        time: Timestamp::from_micros(row.try_get(3)?),
        stream: codes::read_stream(row.try_get(4)?),
        text: row.try_get::<&str, _>(5)?.into(),
    })
}
