//! Secrets and configs for `envFrom`.

use super::SqliteStore;
use super::codes;
use super::fault::{Fault, Outcome};
use async_trait::async_trait;
use eventflow_domain::ports::{ConfigData, ConfigEntry, ConfigKind, ConfigStore};
use eventflow_domain::{ConfigName, EnvName, Error, Namespace, Result, Timestamp};
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;
use std::collections::BTreeMap;

const PUT: &str = "INSERT INTO configs (kind, namespace, name, data, updated_at) VALUES ($1, $2, $3, $4, $5) \
    ON CONFLICT (kind, namespace, name) DO UPDATE SET data = $4, updated_at = $5";
const GET: &str = "SELECT data FROM configs WHERE kind = $1 AND namespace = $2 AND name = $3";
const LIST: &str =
    "SELECT name, data, updated_at FROM configs WHERE kind = $1 AND namespace = $2 ORDER BY name";
const DELETE: &str = "DELETE FROM configs WHERE kind = $1 AND namespace = $2 AND name = $3";

#[async_trait]
impl ConfigStore for SqliteStore {
    async fn config_put(
        &self,
        kind: ConfigKind,
        namespace: &Namespace,
        name: &ConfigName,
        data: ConfigData,
    ) -> Result<ConfigEntry> {
        let json =
            serde_json::to_string(&data.0).map_err(|cause| Error::internal("store the values", cause))?;
        let (namespace, name, updated_at) = (namespace.clone(), name.clone(), self.clock.now());
        let keys = data.0.into_keys().collect();
        let entry = ConfigEntry { kind, namespace: namespace.clone(), name: name.clone(), keys, updated_at };
        self.writer
            .write(move |tx| {
                Box::pin(async move {
                    let query = sqlx::query(PUT).bind(codes::config_kind(kind)).bind(namespace.as_str());
                    let query = query.bind(name.as_str()).bind(json).bind(updated_at.as_micros());
                    query.execute(&mut tx.conn).await?;
                    Ok(())
                })
            })
            .await?;
        Ok(entry)
    }

    async fn config_get(
        &self,
        kind: ConfigKind,
        namespace: &Namespace,
        name: &ConfigName,
    ) -> Result<Option<ConfigData>> {
        let query =
            sqlx::query(GET).bind(codes::config_kind(kind)).bind(namespace.as_str()).bind(name.as_str());
        let row = query.fetch_optional(&self.readers).await.map_err(Fault::from)?;
        let Some(row) = row else {
            return Ok(None);
        };
        let data = row.try_get(0).map_err(Fault::from)?;
        Ok(Some(ConfigData(read_data(data)?)))
    }

    async fn config_list(&self, kind: ConfigKind, namespace: &Namespace) -> Result<Vec<ConfigEntry>> {
        let query = sqlx::query(LIST).bind(codes::config_kind(kind)).bind(namespace.as_str());
        let rows = query.fetch_all(&self.readers).await.map_err(Fault::from)?;
        Ok(rows.iter().map(|row| read_entry(row, kind, namespace)).collect::<Outcome<_>>()?)
    }

    async fn config_delete(
        &self,
        kind: ConfigKind,
        namespace: &Namespace,
        name: &ConfigName,
    ) -> Result<bool> {
        let (namespace, name) = (namespace.clone(), name.clone());
        self.writer
            .write(move |tx| {
                Box::pin(async move {
                    let query = sqlx::query(DELETE).bind(codes::config_kind(kind)).bind(namespace.as_str());
                    Ok(query.bind(name.as_str()).execute(&mut tx.conn).await?.rows_affected() > 0)
                })
            })
            .await
    }
}

fn read_data(json: &str) -> Outcome<BTreeMap<EnvName, String>> {
    // The cause names a position, never a value.
    serde_json::from_str(json).map_err(|cause| Fault::corrupt("config", cause))
}

fn read_entry(row: &SqliteRow, kind: ConfigKind, namespace: &Namespace) -> Outcome<ConfigEntry> {
    let name: &str = row.try_get(0)?;
    Ok(ConfigEntry {
        kind,
        namespace: namespace.clone(),
        name: name.parse().map_err(|cause| Fault::corrupt("config name", cause))?,
        keys: read_data(row.try_get(1)?)?.into_keys().collect(),
        updated_at: Timestamp::from_micros(row.try_get(2)?),
    })
}
