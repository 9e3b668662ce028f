//! Functions and their versions.

use super::SqliteStore;
use super::fault::{Fault, Outcome};
use super::record::uid_bytes;
use super::shared::functions::{
    LAST, LIST, PUT, PUT_VERSION, REMOVE, VERSION, VERSIONS, blob, read_function, read_version, to_json,
    unchanged,
};
use super::writer::Tx;
use async_trait::async_trait;
use eventflow_domain::ports::{FunctionPage, FunctionRow, FunctionStore};
use eventflow_domain::{FunctionKey, FunctionUid, FunctionVersion, Result, VersionNumber};

const GENERATION: &str = "SELECT generation FROM functions WHERE namespace = $1 AND name = $2";
const NUMBER: &str = "INSERT INTO numbering (namespace, name, last) VALUES ($1, $2, $3) \
    ON CONFLICT (namespace, name) DO UPDATE SET last = max(last, excluded.last)";

#[async_trait]
impl FunctionStore for SqliteStore {
    async fn function_put(
        &self,
        row: FunctionRow,
        version: Option<FunctionVersion>,
        expected: i64,
    ) -> Result<()> {
        self.writer
            .write(move |tx| Box::pin(async move { put(tx, &row, version.as_ref(), expected).await }))
            .await
    }

    async fn function_remove(&self, key: &FunctionKey, uid: FunctionUid) -> Result<bool> {
        let key = key.clone();
        self.writer
            .write(move |tx| {
                Box::pin(async move {
                    let query = sqlx::query(REMOVE).bind(key.namespace.as_str()).bind(key.name.as_str());
                    Ok(query.bind(uid_bytes(uid)).execute(&mut tx.conn).await?.rows_affected() > 0)
                })
            })
            .await
    }

    async fn function_list(&self) -> Result<FunctionPage> {
        let rows = sqlx::query(LIST).fetch_all(&self.readers).await.map_err(Fault::from)?;
        Ok(rows.iter().map(read_function).collect::<Outcome<_>>()?)
    }

    async fn function_last_version(&self, key: &FunctionKey) -> Result<VersionNumber> {
        let query = sqlx::query_scalar(LAST).bind(key.namespace.as_str()).bind(key.name.as_str());
        let last = query.fetch_optional(&self.readers).await.map_err(Fault::from)?;
        Ok(VersionNumber(last.unwrap_or(0)))
    }

    async fn version_get(&self, uid: FunctionUid, number: VersionNumber) -> Result<Option<FunctionVersion>> {
        let query = sqlx::query(VERSION).bind(uid_bytes(uid)).bind(number.0);
        let row = query.fetch_optional(&self.readers).await.map_err(Fault::from)?;
        Ok(row.as_ref().map(read_version).transpose()?)
    }

    async fn version_list(&self, uid: FunctionUid) -> Result<Vec<FunctionVersion>> {
        let query = sqlx::query(VERSIONS).bind(uid_bytes(uid));
        let rows = query.fetch_all(&self.readers).await.map_err(Fault::from)?;
        Ok(rows.iter().map(read_version).collect::<Outcome<_>>()?)
    }
}

async fn put(
    tx: &mut Tx,
    row: &FunctionRow,
    version: Option<&FunctionVersion>,
    expected: i64,
) -> Outcome<()> {
    let (namespace, name) = (row.key.namespace.as_str(), row.key.name.as_str());
    let query = sqlx::query_scalar(GENERATION).bind(namespace).bind(name);
    let found: i64 = query.fetch_optional(&mut tx.conn).await?.unwrap_or(0);
    unchanged(row, found, expected)?;
    sqlx::query(PUT)
        .bind(namespace)
        .bind(name)
        .bind(uid_bytes(row.uid))
        .bind(row.generation)
        .bind(row.version.0)
        .bind(to_json(&row.spec)?)
        .bind(row.paused)
        .bind(row.deleting)
        .bind(row.created_at.as_micros())
        .bind(row.updated_at.as_micros())
        .execute(&mut tx.conn)
        .await?;
    let last = version.map_or(row.version, |version| version.number.max(row.version));
    sqlx::query(NUMBER).bind(namespace).bind(name).bind(last.0).execute(&mut tx.conn).await?;
    match version {
        Some(version) => put_version(tx, version).await,
        None => Ok(()),
    }
}

async fn put_version(tx: &mut Tx, version: &FunctionVersion) -> Outcome<()> {
    sqlx::query(PUT_VERSION)
        .bind(uid_bytes(version.uid))
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
