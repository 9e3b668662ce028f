//! Functions and their versions.

use super::SqliteStore;
use super::fault::{Fault, Outcome};
use super::record::{read_key, read_uid, uid_bytes};
use super::writer::Tx;
use async_trait::async_trait;
use eventflow_domain::ports::{FunctionPage, FunctionRow, FunctionStore};
use eventflow_domain::spec::Image;
use eventflow_domain::{
    Error, ErrorKind, FunctionKey, FunctionSpec, FunctionUid, FunctionVersion, Result, Timestamp,
    VersionNumber,
};
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;
use std::sync::Arc;

const GENERATION: &str = "SELECT generation FROM functions WHERE namespace = $1 AND name = $2";
const PUT: &str = "INSERT INTO functions (namespace, name, uid, generation, version, spec, paused, deleting, \
    created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) \
    ON CONFLICT (namespace, name) DO UPDATE SET uid = $3, generation = $4, version = $5, spec = $6, paused = $7, \
    deleting = $8, created_at = $9, updated_at = $10";
const PUT_VERSION: &str = "INSERT INTO versions (uid, number, namespace, name, spec, blob, created_at, created_by) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
const NUMBER: &str = "INSERT INTO numbering (namespace, name, last) VALUES ($1, $2, $3) \
    ON CONFLICT (namespace, name) DO UPDATE SET last = max(last, excluded.last)";
const REMOVE: &str = "DELETE FROM functions WHERE namespace = $1 AND name = $2 AND uid = $3";
const LIST: &str = "SELECT namespace, name, uid, generation, version, spec, paused, deleting, created_at, updated_at \
    FROM functions ORDER BY namespace, name";
const LAST: &str = "SELECT last FROM numbering WHERE namespace = $1 AND name = $2";
const VERSION: &str = "SELECT uid, number, namespace, name, spec, created_at, created_by FROM versions \
    WHERE uid = $1 AND number = $2";
const VERSIONS: &str = "SELECT uid, number, namespace, name, spec, created_at, created_by FROM versions \
    WHERE uid = $1 ORDER BY number DESC";

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
        Ok(rows.iter().map(read_row).collect::<Outcome<_>>()?)
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
    if found != expected {
        let message = format!("function {:?} was changed meanwhile", row.key.name);
        let error = Error::new(ErrorKind::VersionConflict, "VersionConflict", message);
        return Err(error.with_metadata("generation", found).into());
    }
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
    let blob = match &version.spec.image {
        Some(Image::Artifact(digest)) => Some(format!("artifacts/{}", digest.hex())),
        _ => None,
    };
    sqlx::query(PUT_VERSION)
        .bind(uid_bytes(version.uid))
        .bind(version.number.0)
        .bind(version.key.namespace.as_str())
        .bind(version.key.name.as_str())
        .bind(to_json(&version.spec)?)
        .bind(blob)
        .bind(version.created_at.as_micros())
        .bind(version.created_by.as_str())
        .execute(&mut tx.conn)
        .await?;
    Ok(())
}

fn to_json(spec: &FunctionSpec) -> Outcome<String> {
    serde_json::to_string(spec).map_err(|cause| Fault::Refused(Error::internal("store the spec", cause)))
}

fn read_spec(text: &str) -> Outcome<Arc<FunctionSpec>> {
    serde_json::from_str(text).map(Arc::new).map_err(|cause| Fault::corrupt("spec", cause))
}

fn read_row(row: &SqliteRow) -> Outcome<FunctionRow> {
    Ok(FunctionRow {
        key: read_key(row.try_get(0)?, row.try_get(1)?)?,
        uid: read_uid(row.try_get(2)?)?,
        generation: row.try_get(3)?,
        version: VersionNumber(row.try_get(4)?),
        spec: read_spec(row.try_get(5)?)?,
        paused: row.try_get(6)?,
        deleting: row.try_get(7)?,
        created_at: Timestamp::from_micros(row.try_get(8)?),
        updated_at: Timestamp::from_micros(row.try_get(9)?),
    })
}

fn read_version(row: &SqliteRow) -> Outcome<FunctionVersion> {
    Ok(FunctionVersion {
        uid: read_uid(row.try_get(0)?)?,
        number: VersionNumber(row.try_get(1)?),
        key: read_key(row.try_get(2)?, row.try_get(3)?)?,
        spec: read_spec(row.try_get(4)?)?,
        created_at: Timestamp::from_micros(row.try_get(5)?),
        created_by: row.try_get(6)?,
    })
}
