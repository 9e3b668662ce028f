//! Functions and their versions.

use super::PostgresStore;
use super::shared::cells::Cells;
use super::shared::fault::Outcome;
use super::shared::functions::{
    LAST, LIST, PUT, PUT_VERSION, REMOVE, VERSION, VERSIONS, blob, read_function, read_version, to_json,
    unchanged,
};
use super::together;
use super::tx::Tx;
use async_trait::async_trait;
use eventflow_domain::ports::{FunctionPage, FunctionRow, FunctionStore};
use eventflow_domain::{FunctionKey, FunctionUid, FunctionVersion, Result, VersionNumber};

/// Whoever puts a function of this name at the same time waits here, also where there is none yet.
const LOCK: &str = "SELECT pg_advisory_xact_lock(hashtextextended($1 || '/' || $2, 0))";
const GENERATION: &str = "SELECT generation FROM functions WHERE namespace = $1 AND name = $2 FOR UPDATE";
const NUMBER: &str = "INSERT INTO numbering (namespace, name, last) VALUES ($1, $2, $3) \
    ON CONFLICT (namespace, name) DO UPDATE SET last = greatest(numbering.last, excluded.last)";

#[async_trait]
impl FunctionStore for PostgresStore {
    async fn function_put(
        &self,
        row: FunctionRow,
        version: Option<FunctionVersion>,
        expected: i64,
    ) -> Result<()> {
        self.writer
            .write((row, version, expected), |tx, (row, version, expected)| {
                Box::pin(put(tx, row, version.as_ref(), *expected))
            })
            .await
    }

    async fn function_remove(&self, key: &FunctionKey, uid: FunctionUid) -> Result<bool> {
        self.writer
            .write((key.clone(), uid), |tx, (key, uid)| {
                Box::pin(async move {
                    let query = sqlx::query(REMOVE).bind(key.namespace.as_str()).bind(key.name.as_str());
                    Ok(query.bind(uid.as_uuid()).execute(&mut tx.conn).await?.rows_affected() > 0)
                })
            })
            .await
    }

    async fn function_list(&self) -> Result<FunctionPage> {
        self.read(&self.readers, |conn| {
            Box::pin(
                async move { sqlx::query(LIST).fetch_all(conn).await?.iter().map(read_function).collect() },
            )
        })
        .await
    }

    async fn function_last_version(&self, key: &FunctionKey) -> Result<VersionNumber> {
        let key = key.clone();
        self.read(&self.readers, |conn| {
            Box::pin(async move {
                let query = sqlx::query(LAST).bind(key.namespace.as_str()).bind(key.name.as_str());
                let last = query.fetch_optional(conn).await?;
                Ok(VersionNumber(last.map_or(Ok(0), |row| row.number(0))?))
            })
        })
        .await
    }

    async fn version_get(&self, uid: FunctionUid, number: VersionNumber) -> Result<Option<FunctionVersion>> {
        self.read(&self.readers, |conn| {
            Box::pin(async move {
                let query = sqlx::query(VERSION).bind(uid.as_uuid()).bind(number.0);
                query.fetch_optional(conn).await?.as_ref().map(read_version).transpose()
            })
        })
        .await
    }

    async fn version_list(&self, uid: FunctionUid) -> Result<Vec<FunctionVersion>> {
        self.read(&self.readers, |conn| {
            Box::pin(async move {
                let rows = sqlx::query(VERSIONS).bind(uid.as_uuid()).fetch_all(conn).await?;
                rows.iter().map(read_version).collect()
            })
        })
        .await
    }
}

async fn put(
    tx: &mut Tx,
    row: &FunctionRow,
    version: Option<&FunctionVersion>,
    expected: i64,
) -> Outcome<()> {
    let (namespace, name) = (row.key.namespace.as_str(), row.key.name.as_str());
    sqlx::query(LOCK).bind(namespace).bind(name).execute(&mut tx.conn).await?;
    let found = sqlx::query(GENERATION).bind(namespace).bind(name).fetch_optional(&mut tx.conn).await?;
    unchanged(row, found.map_or(Ok(0), |found| found.int(0))?, expected)?;
    together::guard(tx, row, version).await?;
    row_as(tx, row, PUT).await?;
    let last = version.map_or(row.version, |version| version.number.max(row.version));
    sqlx::query(NUMBER).bind(namespace).bind(name).bind(last.0).execute(&mut tx.conn).await?;
    match version {
        Some(version) => put_version(tx, version).await,
        None => Ok(()),
    }
}

const KEEP_VERSION: &str = "INSERT INTO versions (uid, number, namespace, name, spec, blob, created_at, created_by) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (uid, number) DO NOTHING";
/// Another generation of the same function may be here by now: the newer one stays.
const MIRROR: &str = "INSERT INTO functions (namespace, name, uid, generation, version, spec, paused, deleting, created_at, \
    updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) \
    ON CONFLICT (namespace, name) DO UPDATE SET uid = $3, generation = $4, version = $5, spec = $6, paused = $7, \
    deleting = $8, created_at = $9, updated_at = $10 WHERE functions.uid <> $3 OR functions.generation <= $4";

pub(super) async fn mirror(tx: &mut Tx, row: &FunctionRow, versions: &[FunctionVersion]) -> Outcome<()> {
    let (namespace, name) = (row.key.namespace.as_str(), row.key.name.as_str());
    sqlx::query(LOCK).bind(namespace).bind(name).execute(&mut tx.conn).await?;
    for version in versions {
        put_version_as(tx, version, KEEP_VERSION).await?;
    }
    // The same function under another name cannot be; a leftover of another cluster is.
    let moved = "DELETE FROM functions WHERE uid = $1 AND (namespace, name) <> ($2, $3)";
    let query = sqlx::query(moved).bind(row.uid.as_uuid()).bind(namespace).bind(name);
    query.execute(&mut tx.conn).await?;
    row_as(tx, row, MIRROR).await?;
    let last = versions.iter().map(|version| version.number).max().unwrap_or_default().max(row.version);
    sqlx::query(NUMBER).bind(namespace).bind(name).bind(last.0).execute(&mut tx.conn).await?;
    Ok(())
}

async fn row_as(tx: &mut Tx, row: &FunctionRow, sql: &'static str) -> Outcome<()> {
    sqlx::query(sql)
        .bind(row.key.namespace.as_str())
        .bind(row.key.name.as_str())
        .bind(row.uid.as_uuid())
        .bind(row.generation)
        .bind(row.version.0)
        .bind(to_json(&row.spec)?)
        .bind(row.paused)
        .bind(row.deleting)
        .bind(row.created_at.as_micros())
        .bind(row.updated_at.as_micros())
        .execute(&mut tx.conn)
        .await?;
    Ok(())
}

async fn put_version(tx: &mut Tx, version: &FunctionVersion) -> Outcome<()> {
    put_version_as(tx, version, PUT_VERSION).await
}

async fn put_version_as(tx: &mut Tx, version: &FunctionVersion, sql: &'static str) -> Outcome<()> {
    sqlx::query(sql)
        .bind(version.uid.as_uuid())
        .bind(version.number.0)
        .bind(version.key.namespace.as_str())
        .bind(version.key.name.as_str())
        .bind(to_json(&version.spec)?)
        .bind(blob(version))
        .bind(version.created_at.as_micros())
        .bind(version.created_by.as_str())
        .execute(&mut tx.conn)
        .await?;
    Ok(())
}
