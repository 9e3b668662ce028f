//! Which code each version runs. Versions with the same artifact share it; it goes with the last of them.

use crate::code::Code;
use crate::compile::Compiler;
use crate::refusal::Refusal;
use eventflow_domain::spec::Image;
use eventflow_domain::{ArtifactDigest, FunctionUid, FunctionVersion, VersionNumber};
use futures::FutureExt as _;
use parking_lot::{Mutex, RwLock};
use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Weak};
use tokio::sync::SetOnce;
use wasmtime_wasi::runtime::{AbortOnDropJoinHandle, spawn};

type Outcome = Result<Arc<Code>, Refusal>;

/// Code on its way, or there, or refused. Dropping it gives up a compilation that has not begun.
#[derive(Debug)]
pub(crate) struct Slot {
    outcome: Arc<SetOnce<Outcome>>,
    _task: AbortOnDropJoinHandle<()>,
}

impl Slot {
    fn start(compiler: &Arc<Compiler>, artifact: ArtifactDigest) -> Self {
        let outcome = Arc::new(SetOnce::new());
        let (set, compiler) = (Arc::clone(&outcome), Arc::clone(compiler));
        let task = spawn(async move {
            let obtained = AssertUnwindSafe(compiler.obtain(artifact)).catch_unwind().await;
            let found = obtained.unwrap_or_else(|_| Err(Refusal::gave_up())).map(Arc::new);
            if let Err(refusal) = &found {
                tracing::info!(%artifact, reason = refusal.reason, "{refusal}");
            }
            // This task alone sets it.
            drop(set.set(found));
        });
        Self { outcome, _task: task }
    }

    /// The code, if nothing is left to be done for it.
    pub(crate) fn ready(&self) -> Option<&Outcome> {
        self.outcome.get()
    }

    pub(crate) async fn wait(&self) -> &Outcome {
        self.outcome.wait().await
    }

    fn worth_keeping(&self) -> bool {
        !matches!(self.ready(), Some(Err(refusal)) if refusal.transient)
    }
}

#[derive(Debug, Default)]
pub(crate) struct Versions {
    by_version: RwLock<HashMap<(FunctionUid, VersionNumber), Arc<Slot>>>,
    by_code: Mutex<HashMap<ArtifactDigest, Weak<Slot>>>,
}

impl Versions {
    /// The code of a version, on its way if nobody asked for it before.
    pub(crate) fn slot(
        &self,
        version: &FunctionVersion,
        compiler: &Arc<Compiler>,
    ) -> Result<Arc<Slot>, Refusal> {
        let key = (version.uid, version.number);
        if let Some(slot) = self.by_version.read().get(&key).filter(|slot| slot.worth_keeping()) {
            return Ok(Arc::clone(slot));
        }
        let slot = self.shared(artifact(version)?, compiler);
        self.by_version.write().insert(key, Arc::clone(&slot));
        Ok(slot)
    }

    /// The code of an artifact, kept only as long as somebody holds it.
    pub(crate) fn shared(&self, artifact: ArtifactDigest, compiler: &Arc<Compiler>) -> Arc<Slot> {
        let mut by_code = self.by_code.lock();
        let known = by_code.get(&artifact).and_then(Weak::upgrade);
        if let Some(slot) = known.filter(|slot| slot.worth_keeping()) {
            return slot;
        }
        by_code.retain(|_, slot| slot.strong_count() > 0);
        let slot = Arc::new(Slot::start(compiler, artifact));
        by_code.insert(artifact, Arc::downgrade(&slot));
        slot
    }

    pub(crate) fn retire(&self, uid: FunctionUid, keep: Option<VersionNumber>) {
        self.by_version.write().retain(|(of, number), _| *of != uid || Some(*number) == keep);
    }

    pub(crate) fn clear(&self) {
        self.by_version.write().clear();
    }
}

pub(crate) fn artifact(version: &FunctionVersion) -> Result<ArtifactDigest, Refusal> {
    match &version.spec.image {
        Some(Image::Artifact(digest)) => Ok(*digest),
        Some(Image::Oci(reference)) => Err(Refusal::code(
            "ImageNotSupported",
            format!(
                "a wasm function runs from an uploaded artifact here, not from an OCI image ({reference}): upload the \
                 module and name it as artifact@sha256:…"
            ),
        )),
        None => Err(Refusal::code("ImageMissing", "a wasm function needs an uploaded artifact")),
    }
}
