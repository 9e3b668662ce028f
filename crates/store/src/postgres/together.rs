//! What processes that share the functions need besides the rows: guards of a write, and reports of readiness.

use super::PostgresStore;
use super::arrays::column;
use super::functions;
use super::news;
use super::shared::cells::Cells;
use super::shared::fault::{Fault, Outcome};
use super::shared::functions::{function_select, read_function};
use super::shared::record::read_uid;
use super::tx::Tx;
use async_trait::async_trait;
use eventflow_domain::ports::{
    FunctionNews, FunctionRow, ReadinessReport, ReadinessRow, SharedFunctionStore,
};
use eventflow_domain::{
    Error, ErrorKind, FunctionKey, FunctionUid, FunctionVersion, Result, VersionNumber, WorkerId,
};
use futures::stream::BoxStream;
use sqlx::postgres::PgRow;
use std::time::Duration;

const GUARD: &str = "SELECT (SELECT uid FROM functions WHERE namespace = $1 AND name = $2), \
    (SELECT last FROM numbering WHERE namespace = $1 AND name = $2)";
const GET: &str = function_select!("WHERE namespace = $1 AND name = $2");
const REMOVE: &str =
    "DELETE FROM functions WHERE namespace = $1 AND name = $2 AND uid = $3 AND generation = $4";

const ALIVE: &str = "INSERT INTO workers (name, seen_at) VALUES ($1, clock_timestamp()) \
    ON CONFLICT (name) DO UPDATE SET seen_at = excluded.seen_at";
/// Of functions that are there, and stay until this is committed. A report that says the same again is no write.
const REPORT: &str = "INSERT INTO readiness (uid, worker, version, readiness) \
    SELECT u.uid, $1, u.version, u.readiness FROM functions f \
    JOIN unnest($2, $3, $4) AS u (uid, version, readiness) ON f.uid = u.uid ORDER BY u.uid FOR KEY SHARE OF f \
    ON CONFLICT (uid, worker) DO UPDATE SET version = excluded.version, readiness = excluded.readiness \
    WHERE (readiness.version, readiness.readiness) IS DISTINCT FROM (excluded.version, excluded.readiness)";
/// Workers that nobody believes any more, with their reports; some at a time, by one process at a time.
const FORGET: &str = "DELETE FROM workers WHERE name IN (SELECT name FROM workers \
    WHERE seen_at < clock_timestamp() - interval '10 minutes' ORDER BY name LIMIT 16 FOR UPDATE SKIP LOCKED)";

/// What [`read_report`] reads.
macro_rules! report_select {
    ($tail:literal) => {
        concat!(
            "SELECT r.uid, r.version, r.worker, r.readiness, ",
            "(extract(epoch FROM clock_timestamp() - w.seen_at) * 1000000)::bigint ",
            "FROM readiness r JOIN workers w ON w.name = r.worker ",
            $tail
        )
    };
}
const REPORTS_OF: &str = report_select!("WHERE r.uid = $1 ORDER BY r.worker");
const REPORTS: &str = report_select!("");

/// Refuses to write over a function of another uid, or a version whose number the name had before. To be asked while
/// the name is locked.
pub(super) async fn guard(tx: &mut Tx, row: &FunctionRow, version: Option<&FunctionVersion>) -> Outcome<()> {
    let query = sqlx::query(GUARD).bind(row.key.namespace.as_str()).bind(row.key.name.as_str());
    let found = query.fetch_one(&mut tx.conn).await?;
    let uid = found.maybe_bytes(0)?.map(read_uid).transpose()?;
    let last = found.maybe_int(1)?.unwrap_or(0);
    let other = uid.is_some_and(|uid| uid != row.uid);
    let given = version.is_some_and(|version| i64::from(version.number.0) <= last);
    if !other && !given {
        return Ok(());
    }
    let message = format!("function {:?} was made anew meanwhile", row.key.name);
    Err(Error::new(ErrorKind::VersionConflict, "VersionConflict", message).into())
}

#[async_trait]
impl SharedFunctionStore for PostgresStore {
    async fn function_get(&self, key: &FunctionKey) -> Result<Option<FunctionRow>> {
        let key = key.clone();
        self.read(&self.readers, |conn| {
            Box::pin(async move {
                let query = sqlx::query(GET).bind(key.namespace.as_str()).bind(key.name.as_str());
                query.fetch_optional(conn).await?.as_ref().map(read_function).transpose()
            })
        })
        .await
    }

    async fn function_remove_at(&self, key: &FunctionKey, uid: FunctionUid, generation: i64) -> Result<bool> {
        self.writer
            .write((key.clone(), uid, generation), |tx, (key, uid, generation)| {
                Box::pin(async move {
                    let query = sqlx::query(REMOVE).bind(key.namespace.as_str()).bind(key.name.as_str());
                    let query = query.bind(uid.as_uuid()).bind(*generation);
                    Ok(query.execute(&mut tx.conn).await?.rows_affected() > 0)
                })
            })
            .await
    }

    async fn function_revision(&self) -> Result<u64> {
        self.read(&self.readers, |conn| {
            Box::pin(async move {
                let row = sqlx::query("SELECT value FROM function_revision").fetch_one(conn).await?;
                Ok(u64::try_from(row.int(0)?).unwrap_or(0))
            })
        })
        .await
    }

    async fn function_mirror(&self, row: FunctionRow, versions: Vec<FunctionVersion>) -> Result<()> {
        self.writer
            .write((row, versions), |tx, (row, versions)| Box::pin(functions::mirror(tx, row, versions)))
            .await
    }

    fn function_news(&self) -> BoxStream<'static, FunctionNews> {
        news::listen(&self.readers, self.options.statement())
    }

    async fn readiness_put(&self, worker: &WorkerId, reports: Vec<ReadinessReport>) -> Result<()> {
        self.writer
            .write((worker.clone(), reports), |tx, (worker, reports)| Box::pin(put(tx, worker, reports)))
            .await
    }

    async fn readiness_of(&self, uid: FunctionUid) -> Result<Vec<ReadinessRow>> {
        self.read(&self.readers, |conn| {
            Box::pin(async move {
                let rows = sqlx::query(REPORTS_OF).bind(uid.as_uuid()).fetch_all(conn).await?;
                rows.iter().map(read_report).collect()
            })
        })
        .await
    }

    async fn readiness_all(&self) -> Result<Vec<ReadinessRow>> {
        self.read(&self.readers, |conn| {
            Box::pin(
                async move { sqlx::query(REPORTS).fetch_all(conn).await?.iter().map(read_report).collect() },
            )
        })
        .await
    }
}

async fn put(tx: &mut Tx, worker: &WorkerId, reports: &[ReadinessReport]) -> Outcome<()> {
    sqlx::query(ALIVE).bind(worker.as_str()).execute(&mut tx.conn).await?;
    if !reports.is_empty() {
        let text = |report: &ReadinessReport| serde_json::to_string(&report.readiness);
        let texts: Vec<String> = reports
            .iter()
            .map(text)
            .collect::<Result<_, _>>()
            .map_err(|cause| Error::internal("store a report of readiness", cause))?;
        sqlx::query(REPORT)
            .bind(worker.as_str())
            .bind(column(reports, |report| report.uid.as_uuid()))
            .bind(column(reports, |report| report.version.0))
            .bind(texts)
            .execute(&mut tx.conn)
            .await?;
    }
    sqlx::query(FORGET).execute(&mut tx.conn).await?;
    Ok(())
}

fn read_report(row: &PgRow) -> Outcome<ReadinessRow> {
    let text = row.text(3)?;
    Ok(ReadinessRow {
        uid: read_uid(row.bytes(0)?)?,
        version: VersionNumber(row.number(1)?),
        worker: WorkerId(row.text(2)?.into()),
        readiness: serde_json::from_str(text)
            .map_err(|cause| Fault::corrupt("report of readiness", cause))?,
        silent: Duration::from_micros(u64::try_from(row.int(4)?).unwrap_or(0)),
    })
}
