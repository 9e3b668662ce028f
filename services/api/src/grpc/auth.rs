use super::{Grpc, caller, to_status};
use eventflow_auth::Authenticator;
use eventflow_domain::access::Role;
use eventflow_proto::convert::timestamp_to_wire;
use eventflow_proto::v1;
use eventflow_proto::v1::auth_service_server::AuthService;
use tonic::{Request, Response, Status};

#[tonic::async_trait]
impl AuthService for Grpc {
    async fn issue_token(
        &self,
        request: Request<v1::IssueTokenRequest>,
    ) -> Result<Response<v1::IssueTokenResponse>, Status> {
        let request = request.into_inner();
        let caller =
            self.authenticator.login(&request.username, &request.password).await.map_err(to_status)?;
        let token = self.authenticator.issue(&caller, Authenticator::LOGIN_TTL).map_err(to_status)?;
        Ok(Response::new(v1::IssueTokenResponse {
            token: token.token,
            expire_time: Some(timestamp_to_wire(token.expires_at)),
        }))
    }

    async fn get_caller(
        &self,
        request: Request<v1::GetCallerRequest>,
    ) -> Result<Response<v1::GetCallerResponse>, Status> {
        let caller = caller(&request)?;
        let grants = caller.grants.iter().map(|grant| v1::Grant {
            namespace: grant.namespace.as_ref().map(ToString::to_string).unwrap_or_default(),
            role: role_name(grant.role).to_owned(),
        });
        Ok(Response::new(v1::GetCallerResponse {
            subject: caller.subject.to_string(),
            grants: grants.collect(),
        }))
    }

    async fn get_login_options(
        &self,
        _request: Request<v1::GetLoginOptionsRequest>,
    ) -> Result<Response<v1::GetLoginOptionsResponse>, Status> {
        Ok(Response::new(v1::GetLoginOptionsResponse { dev_login: self.authenticator.dev_login() }))
    }
}

fn role_name(role: Role) -> &'static str {
    match role {
        Role::Viewer => "viewer",
        Role::Invoker => "invoker",
        Role::Developer => "developer",
        Role::Admin => "admin",
    }
}
