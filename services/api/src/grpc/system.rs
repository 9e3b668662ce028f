use super::{Grpc, caller};
use eventflow_proto::convert::runtime_to_wire;
use eventflow_proto::v1;
use eventflow_proto::v1::system_service_server::SystemService;
use tonic::{Request, Response, Status};

fn number(size: u64) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}

#[tonic::async_trait]
impl SystemService for Grpc {
    async fn get_server_info(
        &self,
        _request: Request<v1::GetServerInfoRequest>,
    ) -> Result<Response<v1::GetServerInfoResponse>, Status> {
        let (info, limits) = (self.app.server_info(), self.app.limits());
        Ok(Response::new(v1::GetServerInfoResponse {
            version: info.version.to_owned(),
            shape: info.shape.as_str().to_owned(),
            runtimes: info.runtimes.into_iter().map(|kind| runtime_to_wire(kind).into()).collect(),
            trace_link: info.trace_link.to_owned(),
            payload_limit: number(limits.payload),
            artifact_limit: number(limits.artifact),
            max_wait_seconds: number(limits.max_wait.as_secs()),
        }))
    }

    async fn list_namespaces(
        &self,
        request: Request<v1::ListNamespacesRequest>,
    ) -> Result<Response<v1::ListNamespacesResponse>, Status> {
        let caller = caller(&request)?;
        let namespaces = self.app.namespaces(&caller).iter().map(ToString::to_string).collect();
        Ok(Response::new(v1::ListNamespacesResponse { namespaces }))
    }
}
