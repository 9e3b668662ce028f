//! Builders that read as sentences: `FunctionBuilder::new("resize").command(["/bin/cat"]).paused().build()`.

use eventflow_domain::function::{Function, FunctionKey, FunctionVersion, Manager, Readiness};
use eventflow_domain::invocation::Content;
use eventflow_domain::spec::{
    FunctionSpec, Image, Mode, PodOptions, QueuePolicy, RecordPolicy, Resources, ResultChannel, RetryPolicy,
    RuntimeKind, Scale, UrlAccess,
};
use eventflow_domain::{ArtifactDigest, FunctionUid, Namespace, Timestamp, VersionNumber};
use std::sync::Arc;
use std::time::Duration;

/// A process function in job mode with all defaults.
pub fn spec() -> FunctionSpec {
    FunctionSpec {
        runtime: RuntimeKind::Process,
        mode: Mode::Job,
        image: None,
        command: vec!["cat".to_owned()],
        args: Vec::new(),
        env: std::collections::BTreeMap::new(),
        env_from: Vec::new(),
        port: None,
        scale: Scale::Fixed(0),
        resources: Resources::default(),
        timeout: FunctionSpec::DEFAULT_TIMEOUT,
        start_deadline: FunctionSpec::DEFAULT_START_DEADLINE,
        retry: RetryPolicy::default(),
        concurrency: None,
        queue: QueuePolicy::default(),
        egress: Vec::new(),
        url: UrlAccess::Private,
        record: RecordPolicy::Full,
        result: ResultChannel::Inline,
        probe_path: None,
        pod: PodOptions::default(),
    }
}

/// `default/<name>`.
pub fn key(name: &str) -> FunctionKey {
    FunctionKey::new(namespace("default"), name.parse().expect("should be a function name"))
}

pub fn namespace(name: &str) -> Namespace {
    name.parse().expect("should be a namespace")
}

/// A payload of plain text.
pub fn content(text: &str) -> Content {
    Content { bytes: text.to_owned().into(), content_type: Some("text/plain".into()) }
}

#[derive(Debug, Clone)]
pub struct FunctionBuilder {
    function: Function,
    spec: FunctionSpec,
}

impl FunctionBuilder {
    pub fn new(name: &str) -> Self {
        let spec = spec();
        let function = Function {
            key: key(name),
            uid: FunctionUid::generate(),
            generation: 1,
            version: VersionNumber(1),
            spec: Arc::new(spec.clone()),
            paused: false,
            deleting: false,
            readiness: Readiness::default(),
            created_at: Timestamp::from_millis(1_767_225_600_000),
            updated_at: Timestamp::from_millis(1_767_225_600_000),
            managed_by: Manager::Api,
        };
        Self { function, spec }
    }

    #[must_use]
    pub fn command<const N: usize>(mut self, command: [&str; N]) -> Self {
        self.spec.command = command.map(str::to_owned).to_vec();
        self
    }

    /// A wasm function whose code is an artifact.
    #[must_use]
    pub fn wasm(mut self, artifact: ArtifactDigest, mode: Mode) -> Self {
        self.spec.runtime = RuntimeKind::Wasm;
        self.spec.mode = mode;
        self.spec.image = Some(Image::Artifact(artifact));
        self.spec.command = Vec::new();
        self
    }

    /// A process that serves on `$PORT`.
    #[must_use]
    pub fn http(mut self) -> Self {
        self.spec.mode = Mode::Http;
        self.spec.port = Some(8080);
        self
    }

    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.spec.timeout = timeout;
        self
    }

    #[must_use]
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.spec.retry.max_attempts = attempts;
        self
    }

    #[must_use]
    pub fn paused(mut self) -> Self {
        self.function.paused = true;
        self
    }

    /// Any other change of the spec.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut FunctionSpec)) -> Self {
        change(&mut self.spec);
        self
    }

    pub fn build(mut self) -> Arc<Function> {
        self.function.spec = Arc::new(self.spec);
        Arc::new(self.function)
    }

    /// The function's first version.
    pub fn version(self) -> Arc<FunctionVersion> {
        let function = self.build();
        Arc::new(FunctionVersion {
            key: function.key.clone(),
            uid: function.uid,
            number: function.version,
            spec: Arc::clone(&function.spec),
            created_at: function.created_at,
            created_by: "tester".to_owned(),
        })
    }
}
