use super::{FunctionRow, FunctionStore};
use crate::error::Result;
use crate::function::{FunctionKey, FunctionVersion, Readiness};
use crate::ids::{FunctionUid, VersionNumber, WorkerId};
use async_trait::async_trait;
use futures_core::stream::BoxStream;
use std::time::Duration;

/// What changed in the store, by whichever process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FunctionNews {
    /// The row was written or removed.
    Changed(FunctionKey),
    /// What is reported of the function is another than before.
    Reported(FunctionUid),
    /// All changes of rows up to this number were told before it.
    Revision(u64),
    /// Some news may have been missed: read all.
    Resync,
}

/// What a worker found about a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadinessReport {
    pub uid: FunctionUid,
    pub version: VersionNumber,
    pub readiness: Readiness,
}

/// The last report of one worker about one function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadinessRow {
    pub uid: FunctionUid,
    pub version: VersionNumber,
    pub worker: WorkerId,
    pub readiness: Readiness,
    /// Since the worker last wrote, about any function, by the store's own clock.
    pub silent: Duration,
}

/// Functions that many processes share, and what their workers report of them.
///
/// Every read sees what was written before it began. With many writers the generation alone guards nothing:
/// `function_put` is also `VersionConflict` where the stored row has another uid, and where the name had a version
/// of this number or a higher one before.
#[async_trait]
pub trait SharedFunctionStore: FunctionStore {
    async fn function_get(&self, key: &FunctionKey) -> Result<Option<FunctionRow>>;

    /// Removes the row if it still has this uid and generation, and what was reported of it; its versions stay.
    /// Whether it was there.
    async fn function_remove_at(&self, key: &FunctionKey, uid: FunctionUid, generation: i64) -> Result<bool>;

    /// The number of the last committed change of a row, by any process. It only grows.
    async fn function_revision(&self) -> Result<u64>;

    /// Keeps a function that is declared elsewhere, as it is there: row and versions, whatever was here under its name.
    /// A version that is here already stays as it is; a row of the same function with a higher generation too.
    async fn function_mirror(&self, row: FunctionRow, versions: Vec<FunctionVersion>) -> Result<()>;

    /// News of every writer, this process included; [`FunctionNews::Resync`] first, and again whenever some may
    /// have been lost. Does not end while the store is open, whatever happens to the connection. To be read without
    /// delay: what is not read yet may be kept by the store.
    fn function_news(&self) -> BoxStream<'static, FunctionNews>;

    /// Says that the worker is alive, and replaces its reports on these functions; those on functions that are not
    /// there are dropped. Makes news only of what differs. May be forgotten by a crash of the store: workers report
    /// again.
    async fn readiness_put(&self, worker: &WorkerId, reports: Vec<ReadinessReport>) -> Result<()>;

    /// Of one function, by worker.
    async fn readiness_of(&self, uid: FunctionUid) -> Result<Vec<ReadinessRow>>;

    /// Of all functions. Workers silent for long may be left out.
    async fn readiness_all(&self) -> Result<Vec<ReadinessRow>>;
}
