use crate::error::Result;
use crate::names::{ConfigName, EnvName, Namespace};
use crate::time::Timestamp;
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::fmt;
use std::fmt::Debug;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConfigKind {
    Secret,
    Config,
}

/// Keys and values; values never appear in `Debug`.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct ConfigData(pub BTreeMap<EnvName, String>);

impl fmt::Debug for ConfigData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// What may be shown of a secret or config: its keys, not its values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigEntry {
    pub kind: ConfigKind,
    pub namespace: Namespace,
    pub name: ConfigName,
    pub keys: Vec<EnvName>,
    pub updated_at: Timestamp,
}

/// Secrets and configs for `envFrom`, in the local shape.
#[async_trait]
pub trait ConfigStore: Debug + Send + Sync {
    /// Replaces the whole entry.
    async fn config_put(
        &self,
        kind: ConfigKind,
        namespace: &Namespace,
        name: &ConfigName,
        data: ConfigData,
    ) -> Result<ConfigEntry>;

    async fn config_get(
        &self,
        kind: ConfigKind,
        namespace: &Namespace,
        name: &ConfigName,
    ) -> Result<Option<ConfigData>>;

    async fn config_list(&self, kind: ConfigKind, namespace: &Namespace) -> Result<Vec<ConfigEntry>>;

    /// Whether there was one.
    async fn config_delete(&self, kind: ConfigKind, namespace: &Namespace, name: &ConfigName)
    -> Result<bool>;
}
