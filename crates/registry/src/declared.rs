//! What both registries do alike: carry out a planned change, and look up versions.

use crate::index::Index;
use crate::plan::{self, Plan};
use crate::rows;
use crate::versions::Versions;
use eventflow_domain::ports::{Applied, Apply, Clock, FunctionStore};
use eventflow_domain::{Error, ErrorKind, Function, FunctionUid, FunctionVersion, Result, VersionNumber};
use std::sync::Arc;

#[derive(Debug)]
pub(crate) struct Declared<S: ?Sized> {
    pub store: Arc<S>,
    pub clock: Arc<dyn Clock>,
    pub index: Index,
    versions: Versions,
}

/// What became of a write.
#[derive(Debug)]
pub(crate) enum Written {
    /// It is stored; to be shown.
    Stored(Function),
    /// Nothing was to be written.
    Not(Arc<Function>),
}

/// An apply, as far as the store is concerned.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub written: Written,
    pub created: bool,
    pub changed: bool,
}

impl Outcome {
    pub(crate) fn applied(self, show: impl FnOnce(Function) -> Arc<Function>) -> Applied {
        let Self { written, created, changed } = self;
        Applied { function: written.shown(show), created, changed }
    }
}

impl Written {
    pub(crate) fn shown(self, show: impl FnOnce(Function) -> Arc<Function>) -> Arc<Function> {
        match self {
            Self::Stored(function) => show(function),
            Self::Not(function) => function,
        }
    }
}

impl<S: FunctionStore + ?Sized> Declared<S> {
    pub(crate) fn new(store: Arc<S>, clock: Arc<dyn Clock>, index: Index) -> Self {
        Self { store, clock, index, versions: Versions::default() }
    }

    /// Applies over `current`, which is what is stored.
    pub(crate) async fn apply(&self, apply: &Apply, current: Option<Arc<Function>>) -> Result<Outcome> {
        let last = match &current {
            Some(current) => current.version,
            None => self.store.function_last_version(&apply.key).await?,
        };
        let created = current.is_none();
        let (function, version) = match plan::apply(apply, current, last, self.clock.now())? {
            Plan::Unchanged(function) => {
                return Ok(Outcome { written: Written::Not(function), created: false, changed: false });
            }
            Plan::Write { function, version } => (function, version),
        };
        if apply.dry_run {
            return Ok(Outcome { written: Written::Not(Arc::from(function)), created, changed: true });
        }
        self.store.function_put(rows::row(&function), version.clone(), function.generation - 1).await?;
        if let Some(version) = version {
            self.versions.insert(Arc::new(version));
        }
        Ok(Outcome { written: Written::Stored(*function), created, changed: true })
    }

    /// Pauses or resumes `current`, which is what is stored.
    pub(crate) async fn set_paused(&self, current: Arc<Function>, paused: bool) -> Result<Written> {
        if current.paused == paused {
            return Ok(Written::Not(current));
        }
        plan::expect_alive(&current)?;
        let function = Function {
            paused,
            generation: current.generation + 1,
            updated_at: self.clock.now(),
            ..Function::clone(&current)
        };
        self.store.function_put(rows::row(&function), None, current.generation).await?;
        Ok(Written::Stored(function))
    }

    pub(crate) async fn version(
        &self,
        uid: FunctionUid,
        number: VersionNumber,
    ) -> Result<Arc<FunctionVersion>> {
        if let Some(version) = self.versions.get(uid, number) {
            return Ok(version);
        }
        let found = self.store.version_get(uid, number).await?;
        let version = Arc::new(found.ok_or_else(|| version_not_found(uid, number))?);
        self.versions.insert(Arc::clone(&version));
        Ok(version)
    }

    pub(crate) async fn versions(&self, uid: FunctionUid) -> Result<Vec<Arc<FunctionVersion>>> {
        Ok(self.store.version_list(uid).await?.into_iter().map(Arc::new).collect())
    }
}

fn version_not_found(uid: FunctionUid, number: VersionNumber) -> Error {
    Error::new(ErrorKind::NotFound, "VersionNotFound", format!("version {number} does not exist"))
        .with_metadata("uid", uid)
        .with_metadata("version", number)
}
