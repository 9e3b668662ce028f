//! What a run needs: its version, its environment, its payload.

use super::Work;
use crate::core::Core;
use bytes::Bytes;
use eventflow_domain::error::Chain;
use eventflow_domain::function::FunctionVersion;
use eventflow_domain::ids::{FunctionUid, VersionNumber};
use eventflow_domain::invocation::{Body, Content};
use eventflow_domain::names::ConfigName;
use eventflow_domain::ports::ConfigKind;
use eventflow_domain::spec::EnvFrom;
use eventflow_domain::{Error, ErrorKind, Failure, Function, Reason};
use futures::TryStreamExt as _;
use parking_lot::Mutex;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use tokio::sync::OwnedSemaphorePermit;

/// A version and what of its environment is known without asking the store.
#[derive(Debug, Clone)]
pub(crate) struct Code {
    pub(crate) version: Arc<FunctionVersion>,
    /// The declared variables; whole where `envFrom` is empty.
    env: Arc<[(String, String)]>,
}

impl Code {
    fn new(version: Arc<FunctionVersion>) -> Self {
        let env = version.spec.env.iter().map(|(name, value)| (name.to_string(), value.clone())).collect();
        Self { version, env }
    }
}

/// The current code of functions that were called, so that a call need not build it anew.
#[derive(Debug, Default)]
pub(crate) struct Codes(Mutex<HashMap<FunctionUid, Code>>);

impl Codes {
    pub(crate) fn forget(&self, uid: FunctionUid) {
        self.0.lock().remove(&uid);
    }

    /// The version of a function, under today's policies where it is the current one.
    pub(crate) async fn resolve(
        &self,
        core: &Core,
        uid: FunctionUid,
        number: VersionNumber,
    ) -> Result<Code, Failure> {
        match core.ports.registry.get_by_uid(uid) {
            Some(function) if function.version == number => Ok(self.current(&function)),
            _ => match core.ports.registry.version(uid, number).await {
                Ok(version) => Ok(Code::new(version)),
                Err(error) => Err(no_version(number, &error)),
            },
        }
    }

    pub(crate) fn current(&self, function: &Function) -> Code {
        let mut codes = self.0.lock();
        let same = |code: &&Code| {
            code.version.number == function.version && Arc::ptr_eq(&code.version.spec, &function.spec)
        };
        if let Some(code) = codes.get(&function.uid).filter(same) {
            return code.clone();
        }
        let code = Code::new(Arc::new(FunctionVersion {
            key: function.key.clone(),
            uid: function.uid,
            number: function.version,
            spec: Arc::clone(&function.spec),
            created_at: function.updated_at,
            created_by: String::new(),
        }));
        codes.insert(function.uid, code.clone());
        code
    }
}

fn no_version(number: VersionNumber, error: &Error) -> Failure {
    if error.kind() == ErrorKind::NotFound {
        return Failure::new(Reason::StartFailed, format!("version {number} is not there any more"));
    }
    internal("read the function's version", error)
}

/// A fault of ours; the cause is logged only.
pub(super) fn internal(doing: &str, error: &Error) -> Failure {
    tracing::warn!(error = %Chain(error), "failed to {doing}");
    Failure::new(Reason::Internal, format!("failed to {doing}"))
}

/// The declared environment, over that of secrets and configs, of which a later one wins. `declared_only`: the runtime
/// adds those itself.
pub(super) async fn env(
    core: &Core,
    code: &Code,
    declared_only: bool,
) -> Result<Arc<[(String, String)]>, Failure> {
    let spec = &code.version.spec;
    if spec.env_from.is_empty() || declared_only {
        return Ok(Arc::clone(&code.env));
    }
    let mut env = BTreeMap::new();
    for from in &spec.env_from {
        let (kind, name) = match from {
            EnvFrom::SecretRef(name) => (ConfigKind::Secret, name),
            EnvFrom::ConfigMapRef(name) => (ConfigKind::Config, name),
        };
        let data = core.ports.store.config_get(kind, &code.version.key.namespace, name).await;
        let data = data.map_err(|error| internal("read a secret or config", &error))?;
        env.extend(data.ok_or_else(|| missing(kind, name))?.0);
    }
    env.extend(spec.env.iter().map(|(name, value)| (name.clone(), value.clone())));
    Ok(env.into_iter().map(|(name, value)| (name.to_string(), value)).collect())
}

fn missing(kind: ConfigKind, name: &ConfigName) -> Failure {
    let kind = match kind {
        ConfigKind::Secret => "secret",
        ConfigKind::Config => "config",
    };
    let remedy = format!("{kind} {name} does not exist: `eventflow {kind} set {name} KEY=VALUE`");
    Failure::new(Reason::ConfigNotFound, remedy)
}

/// The payload, and the room it takes of the process's budget where it came from a blob.
pub(super) async fn payload(
    core: &Core,
    work: &Work,
) -> Result<(Content, Option<OwnedSemaphorePermit>), Failure> {
    let payload = &work.invocation.payload;
    let content = |bytes| Content { bytes, content_type: payload.content_type.clone() };
    if let Some(bytes) = &work.bytes {
        return Ok((content(bytes.clone()), None));
    }
    match &payload.body {
        Body::None => Ok((content(Bytes::new()), None)),
        Body::Inline(bytes) => Ok((content(bytes.clone()), None)),
        Body::Blob(key) => {
            let room = core.budget.take(payload.size).await;
            let bytes = load(core, key).await.map_err(|error| internal("read the payload", &error))?;
            Ok((content(bytes), room))
        }
    }
}

/// A blob whole, in memory.
pub(crate) async fn load(core: &Core, key: &str) -> eventflow_domain::Result<Bytes> {
    let (size, mut stream) = core.ports.blobs.get(key).await?;
    let mut whole = Vec::with_capacity(usize::try_from(size.min(core.config.limits.payload)).unwrap_or(0));
    let broken = |cause| Error::internal("read a blob", cause);
    while let Some(chunk) = stream.try_next().await.map_err(broken)? {
        whole.extend_from_slice(&chunk);
    }
    Ok(whole.into())
}
