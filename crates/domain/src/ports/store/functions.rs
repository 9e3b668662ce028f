use crate::error::Result;
use crate::function::{FunctionKey, FunctionVersion};
use crate::ids::{FunctionUid, VersionNumber};
use crate::spec::FunctionSpec;
use crate::time::Timestamp;
use async_trait::async_trait;
use std::fmt::Debug;
use std::sync::Arc;

/// A function as stored: what is declared, without what the runtime last said of it.
#[derive(Debug, Clone, PartialEq)]
pub struct FunctionRow {
    pub key: FunctionKey,
    pub uid: FunctionUid,
    pub generation: i64,
    pub version: VersionNumber,
    pub spec: Arc<FunctionSpec>,
    pub paused: bool,
    pub deleting: bool,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

pub type FunctionPage = Vec<FunctionRow>;

/// Functions and their versions, for the registry of the local shape.
#[async_trait]
pub trait FunctionStore: Debug + Send + Sync {
    /// Writes the row, and the version where one is given. `expected` is the stored generation (0 = none there):
    /// another one is `VersionConflict` and nothing is written.
    async fn function_put(
        &self,
        row: FunctionRow,
        version: Option<FunctionVersion>,
        expected: i64,
    ) -> Result<()>;

    /// Removes the row if it still has this uid; its versions stay. Whether it was there.
    async fn function_remove(&self, key: &FunctionKey, uid: FunctionUid) -> Result<bool>;

    async fn function_list(&self) -> Result<FunctionPage>;

    /// The highest version number a function of this name ever had, under any uid; 0 if none.
    async fn function_last_version(&self, key: &FunctionKey) -> Result<VersionNumber>;

    async fn version_get(&self, uid: FunctionUid, number: VersionNumber) -> Result<Option<FunctionVersion>>;

    /// Newest first.
    async fn version_list(&self, uid: FunctionUid) -> Result<Vec<FunctionVersion>>;
}
