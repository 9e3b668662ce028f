use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use std::path::Path;
use std::time::Duration;

/// For a connection to the API server.
const CONNECT: Duration = Duration::from_secs(5);
/// For the last byte of a request to leave.
const WRITE: Duration = Duration::from_secs(10);

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    #[error("failed to read the kubeconfig {path}")]
    Kubeconfig { path: String, source: kube::config::KubeconfigError },
    #[error(
        "failed to find the API server: this is no pod with a service account, and no kubeconfig is configured"
    )]
    NoCluster(#[source] kube::config::InClusterError),
    #[error("failed to make the client of the API server")]
    Client(#[source] kube::Error),
}

/// A client by this kubeconfig, or by the pod's service account. Reaches for nothing yet.
///
/// Requests have no timeout of their own: whoever asks says how long an answer is worth waiting for.
pub async fn connect(kubeconfig: Option<&Path>) -> Result<Client, ConnectError> {
    let mut config = match kubeconfig {
        Some(path) => by_file(path).await?,
        None => Config::incluster().map_err(ConnectError::NoCluster)?,
    };
    config.connect_timeout = Some(CONNECT);
    config.write_timeout = Some(WRITE);
    Client::try_from(config).map_err(ConnectError::Client)
}

async fn by_file(path: &Path) -> Result<Config, ConnectError> {
    let failed = |source| ConnectError::Kubeconfig { path: path.display().to_string(), source };
    let file = Kubeconfig::read_from(path).map_err(failed)?;
    Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await.map_err(failed)
}
