use super::{Grpc, caller, to_status};
use eventflow_proto::convert::namespace;
use eventflow_proto::v1;
use eventflow_proto::v1::artifact_service_server::ArtifactService;
use futures::StreamExt as _;
use tonic::{Request, Response, Status, Streaming};

#[tonic::async_trait]
impl ArtifactService for Grpc {
    async fn upload_artifact(
        &self,
        request: Request<Streaming<v1::UploadArtifactRequest>>,
    ) -> Result<Response<v1::UploadArtifactResponse>, Status> {
        let caller = caller(&request)?;
        let mut messages = request.into_inner();
        let first = messages.message().await?.unwrap_or_default();
        let namespace = namespace(&first.namespace).map_err(to_status)?;
        let data =
            |message: v1::UploadArtifactRequest| message.chunk.map(|chunk| chunk.data).unwrap_or_default();
        let rest = messages.map(move |message| message.map(data).map_err(std::io::Error::other));
        let first = first.chunk.map(|chunk| chunk.data).unwrap_or_default();
        let bytes = futures::stream::once(async { Ok(first) }).chain(rest);
        let (digest, size) =
            self.app.artifact_upload(&caller, &namespace, Box::pin(bytes)).await.map_err(to_status)?;
        Ok(Response::new(v1::UploadArtifactResponse { digest: digest.to_string(), size: size as i64 }))
    }
}
