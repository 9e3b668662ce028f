//! What the record holds beside calls: functions; logs and configs are not kept.

use super::MemoryStore;
use async_trait::async_trait;
use eventflow_domain::logs::{FunctionLogLine, LogLine, LogPosition};
use eventflow_domain::names::{ConfigName, Namespace};
use eventflow_domain::ports::{
    ConfigData, ConfigEntry, ConfigKind, ConfigStore, FunctionPage, FunctionRow, FunctionStore, LogQuery,
    LogStore,
};
use eventflow_domain::{
    Error, FunctionKey, FunctionUid, FunctionVersion, InvocationId, Result, VersionNumber,
};

#[async_trait]
impl FunctionStore for MemoryStore {
    async fn function_put(&self, row: FunctionRow, version: Option<FunctionVersion>, old: i64) -> Result<()> {
        self.record.functions.function_put(row, version, old).await
    }

    async fn function_remove(&self, key: &FunctionKey, uid: FunctionUid) -> Result<bool> {
        self.record.functions.function_remove(key, uid).await
    }

    async fn function_list(&self) -> Result<FunctionPage> {
        self.record.functions.function_list().await
    }

    async fn function_last_version(&self, key: &FunctionKey) -> Result<VersionNumber> {
        self.record.functions.function_last_version(key).await
    }

    async fn version_get(&self, uid: FunctionUid, number: VersionNumber) -> Result<Option<FunctionVersion>> {
        self.record.functions.version_get(uid, number).await
    }

    async fn version_list(&self, uid: FunctionUid) -> Result<Vec<FunctionVersion>> {
        self.record.functions.version_list(uid).await
    }
}

/// No function here prints anything.
#[async_trait]
impl LogStore for MemoryStore {
    async fn log_append(
        &self,
        _: InvocationId,
        _: FunctionUid,
        _: &FunctionKey,
        _: Vec<LogLine>,
    ) -> Result<()> {
        Ok(())
    }

    async fn log_read(&self, _: InvocationId, _: Option<LogPosition>, _: u32) -> Result<Vec<LogLine>> {
        Ok(Vec::new())
    }

    async fn log_query(&self, _: &LogQuery) -> Result<Vec<FunctionLogLine>> {
        Ok(Vec::new())
    }
}

/// No function here has secrets or configs.
#[async_trait]
impl ConfigStore for MemoryStore {
    async fn config_put(
        &self,
        _: ConfigKind,
        _: &Namespace,
        _: &ConfigName,
        _: ConfigData,
    ) -> Result<ConfigEntry> {
        Err(Error::unavailable("keeps no configs"))
    }

    async fn config_get(&self, _: ConfigKind, _: &Namespace, _: &ConfigName) -> Result<Option<ConfigData>> {
        Ok(None)
    }

    async fn config_list(&self, _: ConfigKind, _: &Namespace) -> Result<Vec<ConfigEntry>> {
        Ok(Vec::new())
    }

    async fn config_delete(&self, _: ConfigKind, _: &Namespace, _: &ConfigName) -> Result<bool> {
        Ok(false)
    }
}
