//! Writes: planned on the row as it is stored, and planned again where another process was faster.

use super::Inner;
use crate::plan;
use eventflow_domain::ports::{Applied, Apply};
use eventflow_domain::{Error, ErrorKind, Function, FunctionKey, Result};
use rand::RngExt as _;
use std::sync::Arc;
use std::time::Duration;

/// Of one write. Each failure is another's success, but whoever writes without a pause wins most races: a few attempts
/// would lose against a process with a queue of writes to the same function.
const ATTEMPTS: u32 = 100;
const MOST_PAUSE: Duration = Duration::from_millis(10);

#[derive(Debug, Default)]
struct Attempts(u32);

impl Attempts {
    /// Waits a moment before the next attempt, if `error` says that another writer was first and there is one left.
    async fn next(&mut self, error: Error) -> Result<()> {
        self.0 += 1;
        if error.kind() != ErrorKind::VersionConflict || self.0 >= ATTEMPTS {
            return Err(error);
        }
        let pause = MOST_PAUSE.mul_f64(rand::rng().random_range(0.0..1.0));
        tokio::time::sleep(pause).await;
        Ok(())
    }
}

impl Inner {
    pub(super) async fn apply(&self, apply: &Apply) -> Result<Applied> {
        let _turn = self.turns.of(&apply.key).await?;
        let mut attempts = Attempts::default();
        loop {
            match self.apply_once(apply).await {
                Err(error) => attempts.next(error).await?,
                applied => return applied,
            }
        }
    }

    async fn apply_once(&self, apply: &Apply) -> Result<Applied> {
        let current = self.load(&apply.key).await?;
        Ok(self.declared.apply(apply, current).await?.applied(|function| self.show(function)))
    }

    pub(super) async fn set_paused(&self, key: &FunctionKey, paused: bool) -> Result<Arc<Function>> {
        let _turn = self.turns.of(key).await?;
        let mut attempts = Attempts::default();
        loop {
            match self.set_paused_once(key, paused).await {
                Err(error) => attempts.next(error).await?,
                done => return done,
            }
        }
    }

    async fn set_paused_once(&self, key: &FunctionKey, paused: bool) -> Result<Arc<Function>> {
        let written = self.declared.set_paused(self.current(key).await?, paused).await?;
        Ok(written.shown(|function| self.show(function)))
    }

    pub(super) async fn delete(&self, key: &FunctionKey, etag: Option<&str>) -> Result<Arc<Function>> {
        let _turn = self.turns.of(key).await?;
        let mut attempts = Attempts::default();
        loop {
            match self.delete_once(key, etag).await {
                Err(error) => attempts.next(error).await?,
                done => return done,
            }
        }
    }

    async fn delete_once(&self, key: &FunctionKey, etag: Option<&str>) -> Result<Arc<Function>> {
        let current = self.current(key).await?;
        if let Some(etag) = etag {
            plan::expect_etag(&current, etag)?;
        }
        if !self.declared.store.function_remove_at(key, current.uid, current.generation).await? {
            let text = format!("function {:?} was changed meanwhile", key.name);
            return Err(Error::new(ErrorKind::VersionConflict, "VersionConflict", text));
        }
        // With the readiness it had at the end.
        Ok(self.hide(key).unwrap_or(current))
    }

    async fn current(&self, key: &FunctionKey) -> Result<Arc<Function>> {
        self.load(key).await?.ok_or_else(|| Error::function_not_found(&key.name))
    }
}
