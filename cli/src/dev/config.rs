//! The configuration of `eventflow dev`. The comments of its fields are the text of `docs/configuration.md`.

mod validate;

use eventflow_lifecycle::config::{Loader, duration};
use eventflow_wiring::sections::{Container, Dispatcher, Gateway, Limits, Process, Retention, Ui, Wasm};
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct DevConfig {
    /// Where gRPC, grpc-web, REST and the rest are served: a loopback address and a port. Port 0 takes a free one.
    pub(crate) listen: String,
    /// The data folder: record, blobs, compiled code, keys. One process at a time owns it.
    pub(crate) data: PathBuf,
    /// Manifests found below this folder are deployed at start.
    pub(crate) examples: Option<PathBuf>,
    /// How long running calls may go on at shutdown; at most 10m.
    #[serde(with = "duration")]
    pub(crate) grace: Duration,
    pub(crate) gateway: Gateway,
    pub(crate) ui: Ui,
    pub(crate) limits: Limits,
    pub(crate) dispatcher: Dispatcher,
    pub(crate) retention: Retention,
    pub(crate) process: Process,
    pub(crate) container: Container,
    pub(crate) wasm: Wasm,
    pub(crate) telemetry: eventflow_telemetry::Config,
}

impl Default for DevConfig {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8080".to_owned(),
            data: crate::env::data_folder(),
            examples: None,
            grace: Duration::from_secs(25),
            gateway: Gateway::default(),
            ui: Ui::default(),
            limits: Limits::default(),
            dispatcher: Dispatcher::default(),
            retention: Retention::default(),
            process: Process::default(),
            container: Container::default(),
            wasm: Wasm::default(),
            telemetry: eventflow_telemetry::Config::default(),
        }
    }
}

impl DevConfig {
    /// The keys beside the sections: their variables have one underscore only.
    const TOP: [(&'static str, &'static str); 4] = [
        ("EVENTFLOW_LISTEN", "listen"),
        ("EVENTFLOW_DATA", "data"),
        ("EVENTFLOW_EXAMPLES", "examples"),
        ("EVENTFLOW_GRACE", "grace"),
    ];

    pub(crate) fn loader() -> Loader {
        Self::TOP.into_iter().fold(Loader::new(), |loader, (name, key)| loader.var(name, key))
    }

    pub(crate) fn address(&self) -> Option<SocketAddr> {
        self.listen.parse().ok()
    }

    pub(crate) fn limits(&self) -> eventflow_domain::limits::Limits {
        (&self.limits).into()
    }
}
