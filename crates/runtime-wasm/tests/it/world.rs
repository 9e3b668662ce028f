//! A runtime with an empty cache, and versions of code given as text or bytes.

use crate::blobs::MemoryBlobs;
use bytes::Bytes;
use eventflow_domain::ports::Runtime as _;
use eventflow_domain::spec::FunctionSpec;
use eventflow_domain::{FunctionVersion, Mode};
use eventflow_runtime_wasm::{WasmConfig, WasmRuntime};
use eventflow_testkit::{FunctionBuilder, ManualClock};
use std::sync::Arc;
use tempfile::TempDir;

pub(crate) struct World {
    pub runtime: Arc<WasmRuntime>,
    pub blobs: Arc<MemoryBlobs>,
    pub dir: TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(|_| ())
    }

    pub(crate) fn with(change: impl FnOnce(&mut WasmConfig)) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let blobs = Arc::new(MemoryBlobs::default());
        let runtime = start(&dir, &blobs, change);
        Self { runtime, blobs, dir }
    }

    /// The same cache and artifacts, a new process as far as the runtime can tell.
    pub(crate) fn restarted(self) -> Self {
        let Self { runtime, blobs, dir } = self;
        drop(runtime);
        let runtime = start(&dir, &blobs, |_| ());
        Self { runtime, blobs, dir }
    }

    pub(crate) fn version(&self, code: impl Into<Bytes>, mode: Mode) -> Arc<FunctionVersion> {
        self.version_with(code, mode, |_| ())
    }

    pub(crate) fn version_with(
        &self,
        code: impl Into<Bytes>,
        mode: Mode,
        change: impl FnOnce(&mut FunctionSpec),
    ) -> Arc<FunctionVersion> {
        FunctionBuilder::new("guest").wasm(self.blobs.add(code), mode).with(change).version()
    }

    /// A version that must be ready.
    pub(crate) async fn prepared(&self, code: impl Into<Bytes>, mode: Mode) -> Arc<FunctionVersion> {
        let version = self.version(code, mode);
        let readiness = self.runtime.prepare(&version).await;
        assert!(readiness.is_ready(), "{readiness:?}");
        version
    }
}

fn start(dir: &TempDir, blobs: &Arc<MemoryBlobs>, change: impl FnOnce(&mut WasmConfig)) -> Arc<WasmRuntime> {
    let mut config = WasmConfig::new(dir.path().join("compiled"));
    change(&mut config);
    let clock = Arc::new(ManualClock::default());
    Arc::new(WasmRuntime::new(config, Arc::clone(blobs) as _, clock).expect("a runtime"))
}
