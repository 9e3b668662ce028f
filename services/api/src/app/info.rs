use super::App;
use eventflow_domain::access::{Caller, Permission};
use eventflow_domain::{Namespace, RuntimeKind};
use std::collections::BTreeSet;

/// How the platform is put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Shape {
    /// One process on one machine.
    #[default]
    Local,
    Cluster,
}

impl Shape {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Cluster => "cluster",
        }
    }
}

/// What a client may want to know before it asks for anything.
#[derive(Debug)]
pub struct ServerInfo<'a> {
    pub version: &'static str,
    pub shape: Shape,
    pub runtimes: Vec<RuntimeKind>,
    pub trace_link: &'a str,
}

impl App {
    /// Where the caller may see something, in order.
    pub fn namespaces(&self, caller: &Caller) -> BTreeSet<Namespace> {
        let functions = self.parts.registry.list(None);
        let granted = caller.grants.iter().filter_map(|grant| grant.namespace.clone());
        std::iter::once(Namespace::default_namespace())
            .chain(functions.iter().map(|function| function.key.namespace.clone()))
            .chain(granted)
            .filter(|namespace| caller.may(Permission::FunctionsRead, namespace))
            .collect()
    }

    pub fn server_info(&self) -> ServerInfo<'_> {
        ServerInfo {
            version: env!("CARGO_PKG_VERSION"),
            shape: self.config.shape,
            runtimes: self.available().map(|runtime| runtime.kind()).collect(),
            trace_link: &self.config.trace_link,
        }
    }
}
