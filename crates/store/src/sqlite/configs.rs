//! Secrets and configs for `envFrom`.

use super::SqliteStore;
use super::codes;
use super::fault::{Fault, Outcome};
use super::shared::configs::{DELETE, GET, LIST, PUT, read_data, read_entry};
use async_trait::async_trait;
use eventflow_domain::ports::{ConfigData, ConfigEntry, ConfigKind, ConfigStore};
use eventflow_domain::{ConfigName, Error, Namespace, Result};
use sqlx::Row as _;

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
