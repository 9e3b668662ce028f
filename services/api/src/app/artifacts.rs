use super::App;
use eventflow_domain::access::{Caller, Permission};
use eventflow_domain::ports::ByteStream;
use eventflow_domain::{ArtifactDigest, Namespace, Result};

impl App {
    /// Stores code by its content; durable when it returns.
    pub async fn artifact_upload(
        &self,
        caller: &Caller,
        namespace: &Namespace,
        bytes: ByteStream,
    ) -> Result<(ArtifactDigest, u64)> {
        caller.require(Permission::ArtifactsWrite, namespace)?;
        self.refuse_while_draining()?;
        self.parts.blobs.put_artifact(bytes, self.config.limits.artifact).await
    }
}
