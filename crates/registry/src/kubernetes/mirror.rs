//! Keeps in the record what it needs of functions: versions that calls name outlive the function there, and what a
//! version names is not collected.

use super::Inner;
use crate::rows;
use eventflow_domain::error::Chain;
use eventflow_domain::ports::RegistryEvent;
use eventflow_domain::{Function, FunctionKey, FunctionUid, Result, VersionNumber};
use futures::StreamExt as _;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// Changes that come together are written together; where the record is away, they are tried again.
const PAUSE: Duration = Duration::from_millis(200);
const AGAIN: Duration = Duration::from_secs(5);

/// What is in the record of a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Kept {
    uid: FunctionUid,
    generation: i64,
    version: VersionNumber,
    paused: bool,
}

impl From<&Function> for Kept {
    fn from(function: &Function) -> Self {
        let Function { uid, generation, version, paused, .. } = *function;
        Self { uid, generation, version, paused }
    }
}

pub(super) async fn follow(inner: &Arc<Inner>) {
    let mut events = inner.index.watch();
    inner.functions.listed(&inner.namespaces).await;
    inner.revisions.listed(&inner.namespaces).await;
    inner.join_all();
    let mut kept = stored(inner).await;
    let mut wait = PAUSE;
    loop {
        wait = match pass(inner, &mut kept).await {
            Ok(()) => PAUSE,
            Err(error) => {
                tracing::warn!(error = %Chain(&error), "cannot keep functions in the record, trying again");
                AGAIN.max(wait)
            }
        };
        if wait == PAUSE {
            // A removal is an event like any other: what is not there any more is found by comparing.
            let Some(event) = events.next().await else { return };
            drop::<RegistryEvent>(event);
        }
        tokio::time::sleep(wait).await;
        while futures::FutureExt::now_or_never(events.next()).flatten().is_some() {}
    }
}

/// What an earlier process kept.
async fn stored(inner: &Inner) -> HashMap<FunctionKey, Kept> {
    loop {
        match inner.store.function_list().await {
            Ok(rows) => {
                return rows
                    .iter()
                    .map(|row| (row.key.clone(), Kept::from(&rows::function(row.clone()))))
                    .collect();
            }
            Err(error) => {
                tracing::warn!(error = %Chain(&error), "cannot read the functions of the record, trying again");
            }
        }
        tokio::time::sleep(AGAIN).await;
    }
}

async fn pass(inner: &Inner, kept: &mut HashMap<FunctionKey, Kept>) -> Result<()> {
    let shown = inner.index.list(None);
    for function in &shown {
        let now = Kept::from(&**function);
        if now.version == VersionNumber(0) || kept.get(&function.key) == Some(&now) {
            continue;
        }
        inner.keep(function).await?;
        kept.insert(function.key.clone(), now);
    }
    let gone: Vec<_> = kept
        .iter()
        .filter(|(key, kept)| !shown.iter().any(|function| function.key == **key && function.uid == kept.uid))
        .map(|(key, kept)| (key.clone(), kept.uid))
        .collect();
    for (key, uid) in gone {
        inner.store.function_remove(&key, uid).await?;
        kept.remove(&key);
    }
    Ok(())
}

impl Inner {
    /// The function and its versions into the record; one without a version is no row yet.
    pub(super) async fn keep(&self, function: &Function) -> Result<()> {
        if function.version == VersionNumber(0) {
            return Ok(());
        }
        let versions = self.revisions_of(&function.key, function.uid);
        let versions = versions.into_values().map(|version| (*version).clone()).collect();
        self.store.function_mirror(rows::row(function), versions).await
    }
}
