//! Brings what is stored into the index. Whoever calls holds the turn, unless it says otherwise.

use super::Inner;
use crate::rows;
use eventflow_domain::{Function, FunctionKey, FunctionUid, Readiness, Result, VersionNumber};
use std::collections::HashSet;
use std::sync::Arc;

impl Inner {
    /// Reads the function and shows what is there now.
    pub(super) async fn load(&self, key: &FunctionKey) -> Result<Option<Arc<Function>>> {
        let Some(row) = self.declared.store.function_get(key).await? else {
            self.hide(key);
            return Ok(None);
        };
        let function = rows::function(row);
        let shown = self.declared.index.get_by_uid(function.uid);
        if shown.is_none_or(|shown| shown.version != function.version) {
            self.reports.heard(function.uid, self.declared.store.readiness_of(function.uid).await?);
        }
        Ok(Some(self.show(function)))
    }

    pub(super) fn show(&self, function: Function) -> Arc<Function> {
        let now = self.declared.clock.now();
        self.declared.index.put(function, |function, before| self.reports.of(function, before, now))
    }

    /// Shows that there is no such function.
    pub(super) fn hide(&self, key: &FunctionKey) -> Option<Arc<Function>> {
        let gone = self.declared.index.remove(key)?;
        self.reports.forget(gone.uid);
        Some(gone)
    }

    /// As `load`, but at the function's next turn.
    pub(super) async fn look(&self, key: &FunctionKey) -> Result<()> {
        let _turn = self.turns.of(key).await?;
        self.load(key).await.map(drop)
    }

    /// Reads what is reported of a function that is shown, at its next turn.
    pub(super) async fn listen(&self, uid: FunctionUid) -> Result<()> {
        let Some(function) = self.declared.index.get_by_uid(uid) else { return Ok(()) };
        let _turn = self.turns.of(&function.key).await?;
        self.reports.heard(uid, self.declared.store.readiness_of(uid).await?);
        self.update(uid);
        Ok(())
    }

    fn update(&self, uid: FunctionUid) {
        let now = self.declared.clock.now();
        self.declared.index.update(uid, |function| Some(self.reports.of(function, Some(function), now)));
    }

    /// Compares all functions with what is stored, once nobody else has a turn.
    pub(super) async fn compare(&self) -> Result<()> {
        let _turn = self.turns.of_all().await;
        let begun = self.declared.clock.monotonic();
        let rows = self.declared.store.function_list().await?;
        let reports = self.declared.store.readiness_all().await?;
        let declared: HashSet<FunctionUid> = rows.iter().map(|row| row.uid).collect();
        self.reports.heard_all(reports, &declared);
        let keys: HashSet<&FunctionKey> = rows.iter().map(|row| &row.key).collect();
        for shown in self.declared.index.list(None) {
            if !keys.contains(&shown.key) {
                self.hide(&shown.key);
            }
        }
        drop(keys);
        for row in rows {
            self.show(rows::function(row));
        }
        *self.compared.lock() = begun;
        Ok(())
    }

    /// Needs no turn.
    pub(super) async fn refresh(&self, key: &FunctionKey) -> Result<Option<Arc<Function>>> {
        let known = || -> Result<Option<Option<Arc<Function>>>> {
            match self.declared.index.get(key) {
                Some(function) => Ok(Some(Some(function))),
                None => Ok(self.unknown.is_absent(key, self.declared.clock.monotonic())?.then_some(None)),
            }
        };
        if let Some(known) = known()? {
            return Ok(known);
        }
        let _place = self.unknown.place().await?;
        let _turn = self.turns.of(key).await?;
        // Whoever had the turn before may have looked.
        if let Some(known) = known()? {
            return Ok(known);
        }
        let found = self.load(key).await;
        self.unknown.read(key, &found, self.declared.clock.monotonic());
        found
    }

    /// Needs no turn.
    pub(super) fn report(&self, uid: FunctionUid, version: VersionNumber, readiness: Readiness) {
        let shown = self.declared.index.get_by_uid(uid);
        if let Some(function) = shown.filter(|function| function.version == version) {
            self.reports.report(&function, readiness, self.declared.clock.now());
            self.update(uid);
        }
    }
}
