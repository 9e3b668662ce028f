//! Secrets and configs for `envFrom`.

use super::PostgresStore;
use super::codes;
use super::shared::cells::Cells;
use super::shared::configs::{DELETE, GET, LIST, PUT, read_data, read_entry};
use async_trait::async_trait;
use eventflow_domain::ports::{ConfigData, ConfigEntry, ConfigKind, ConfigStore};
use eventflow_domain::{ConfigName, Error, Namespace, Result};

fn code(kind: ConfigKind) -> i16 {
    codes::config_kind(kind) as i16
}

#[async_trait]
impl ConfigStore for PostgresStore {
    async fn config_put(
        &self,
        kind: ConfigKind,
        namespace: &Namespace,
        name: &ConfigName,
        data: ConfigData,
    ) -> Result<ConfigEntry> {
        let json =
            serde_json::to_string(&data.0).map_err(|cause| Error::internal("store the values", cause))?;
        let args = (code(kind), namespace.clone(), name.clone(), json);
        let put = self.writer.write(args, |tx, (kind, namespace, name, json)| {
            Box::pin(async move {
                let query = sqlx::query(PUT).bind(kind).bind(namespace.as_str()).bind(name.as_str());
                query.bind(json).bind(tx.now.as_micros()).execute(&mut tx.conn).await?;
                Ok(tx.now)
            })
        });
        let (keys, updated_at) = (data.0.into_keys().collect(), put.await?);
        Ok(ConfigEntry { kind, namespace: namespace.clone(), name: name.clone(), keys, updated_at })
    }

    async fn config_get(
        &self,
        kind: ConfigKind,
        namespace: &Namespace,
        name: &ConfigName,
    ) -> Result<Option<ConfigData>> {
        let (namespace, name) = (namespace.clone(), name.clone());
        self.read(&self.readers, move |conn| {
            Box::pin(async move {
                let query = sqlx::query(GET).bind(code(kind)).bind(namespace.as_str()).bind(name.as_str());
                let Some(row) = query.fetch_optional(conn).await? else {
                    return Ok(None);
                };
                Ok(Some(ConfigData(read_data(row.text(0)?)?)))
            })
        })
        .await
    }

    async fn config_list(&self, kind: ConfigKind, namespace: &Namespace) -> Result<Vec<ConfigEntry>> {
        let namespace = namespace.clone();
        self.read(&self.readers, move |conn| {
            Box::pin(async move {
                let query = sqlx::query(LIST).bind(code(kind)).bind(namespace.as_str());
                let rows = query.fetch_all(conn).await?;
                rows.iter().map(|row| read_entry(row, kind, &namespace)).collect()
            })
        })
        .await
    }

    async fn config_delete(
        &self,
        kind: ConfigKind,
        namespace: &Namespace,
        name: &ConfigName,
    ) -> Result<bool> {
        self.writer
            .write((code(kind), namespace.clone(), name.clone()), |tx, (kind, namespace, name)| {
                Box::pin(async move {
                    let query = sqlx::query(DELETE).bind(kind).bind(namespace.as_str()).bind(name.as_str());
                    Ok(query.execute(&mut tx.conn).await?.rows_affected() > 0)
                })
            })
            .await
    }
}
