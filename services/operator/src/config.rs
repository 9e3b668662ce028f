use crate::lease::Times;
use eventflow_workload::Installation;

/// What the operator is told.
#[derive(Debug, Clone)]
pub struct Config {
    /// Who this process is among the operators: the pod's name.
    pub identity: String,
    /// Where the Lease is: EventFlow's own namespace.
    pub namespace: String,
    /// Selects the namespaces that are opted in.
    pub namespaces: String,
    /// Reconciles at once.
    pub workers: usize,
    pub times: Times,
    pub installation: Installation,
    /// Before `/fn/…` in the status: where the gateway is reached.
    pub url: String,
}

impl Default for Config {
    fn default() -> Self {
        let installation = Installation::default();
        Self {
            identity: "eventflow-operator".to_owned(),
            namespace: installation.namespace.clone(),
            namespaces: format!("{}=true", eventflow_crd::names::ENABLED),
            workers: 8,
            times: Times::default(),
            url: format!("http://eventflow-gateway.{}", installation.namespace),
            installation,
        }
    }
}
