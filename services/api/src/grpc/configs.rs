use super::{Grpc, caller, to_status};
use eventflow_domain::ports::{ConfigEntry, ConfigKind};
use eventflow_proto::convert::{namespace, timestamp_to_wire};
use eventflow_proto::v1;
use eventflow_proto::v1::config_service_server::ConfigService;
use tonic::{Request, Response, Status};

impl Grpc {
    async fn put(
        &self,
        kind: ConfigKind,
        caller: eventflow_domain::access::Caller,
        namespace_text: &str,
        name: &str,
        data: Option<v1::ConfigData>,
    ) -> Result<v1::ConfigEntry, Status> {
        let namespace = namespace(namespace_text).map_err(to_status)?;
        let values = data.unwrap_or_default().values;
        let entry = self.app.config_put(&caller, kind, &namespace, name, values).await;
        entry.map(|entry| entry_to_wire(&entry)).map_err(to_status)
    }

    async fn entries(
        &self,
        kind: ConfigKind,
        caller: eventflow_domain::access::Caller,
        namespace_text: &str,
    ) -> Result<Vec<v1::ConfigEntry>, Status> {
        let namespace = namespace(namespace_text).map_err(to_status)?;
        let entries = self.app.config_list(&caller, kind, &namespace).await.map_err(to_status)?;
        Ok(entries.iter().map(entry_to_wire).collect())
    }

    async fn delete(
        &self,
        kind: ConfigKind,
        caller: eventflow_domain::access::Caller,
        namespace_text: &str,
        name: &str,
    ) -> Result<(), Status> {
        let namespace = namespace(namespace_text).map_err(to_status)?;
        self.app.config_delete(&caller, kind, &namespace, name).await.map_err(to_status)
    }
}

fn entry_to_wire(entry: &ConfigEntry) -> v1::ConfigEntry {
    v1::ConfigEntry {
        namespace: entry.namespace.to_string(),
        name: entry.name.to_string(),
        keys: entry.keys.iter().map(ToString::to_string).collect(),
        update_time: Some(timestamp_to_wire(entry.updated_at)),
    }
}

#[tonic::async_trait]
impl ConfigService for Grpc {
    async fn put_secret(
        &self,
        request: Request<v1::PutSecretRequest>,
    ) -> Result<Response<v1::PutSecretResponse>, Status> {
        let caller = caller(&request)?;
        let v1::PutSecretRequest { namespace, name, data } = request.into_inner();
        let entry = self.put(ConfigKind::Secret, caller, &namespace, &name, data).await?;
        Ok(Response::new(v1::PutSecretResponse { entry: Some(entry) }))
    }

    async fn list_secrets(
        &self,
        request: Request<v1::ListSecretsRequest>,
    ) -> Result<Response<v1::ListSecretsResponse>, Status> {
        let caller = caller(&request)?;
        let entries = self.entries(ConfigKind::Secret, caller, &request.get_ref().namespace).await?;
        Ok(Response::new(v1::ListSecretsResponse { entries }))
    }

    async fn delete_secret(
        &self,
        request: Request<v1::DeleteSecretRequest>,
    ) -> Result<Response<v1::DeleteSecretResponse>, Status> {
        let caller = caller(&request)?;
        let v1::DeleteSecretRequest { namespace, name } = request.get_ref();
        self.delete(ConfigKind::Secret, caller, namespace, name).await?;
        Ok(Response::new(v1::DeleteSecretResponse {}))
    }

    async fn put_config(
        &self,
        request: Request<v1::PutConfigRequest>,
    ) -> Result<Response<v1::PutConfigResponse>, Status> {
        let caller = caller(&request)?;
        let v1::PutConfigRequest { namespace, name, data } = request.into_inner();
        let entry = self.put(ConfigKind::Config, caller, &namespace, &name, data).await?;
        Ok(Response::new(v1::PutConfigResponse { entry: Some(entry) }))
    }

    async fn list_configs(
        &self,
        request: Request<v1::ListConfigsRequest>,
    ) -> Result<Response<v1::ListConfigsResponse>, Status> {
        let caller = caller(&request)?;
        let entries = self.entries(ConfigKind::Config, caller, &request.get_ref().namespace).await?;
        Ok(Response::new(v1::ListConfigsResponse { entries }))
    }

    async fn delete_config(
        &self,
        request: Request<v1::DeleteConfigRequest>,
    ) -> Result<Response<v1::DeleteConfigResponse>, Status> {
        let caller = caller(&request)?;
        let v1::DeleteConfigRequest { namespace, name } = request.get_ref();
        self.delete(ConfigKind::Config, caller, namespace, name).await?;
        Ok(Response::new(v1::DeleteConfigResponse {}))
    }
}
