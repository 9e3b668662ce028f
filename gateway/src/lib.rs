//! One port for every protocol: gRPC and grpc-web are handed to the services, REST is transcoded from the
//! contract's annotations, function URLs are passed through.
//!
//! ```text
//!             ┌ outer: context, Host/Origin, limits, panics, problem+json, metrics
//!             │   ┌ CORS
//!   request ──┴───┼──▶ gRPC, grpc-web ─────────────────────▶ tonic Routes ◀─┐
//!                 ├──▶ …/functions/{name}:invoke ──▶ InvokeApi              │ in process, or those of the apis
//!                 ├──▶ /v1, /auth ──▶ transcoder (prost-reflect) ───────────┘
//!                 ├──▶ /fn/{namespace}/{name}/… ──▶ ProxyApi
//!                 └──▶ /healthz /readyz /metrics /openapi.json, the UI
//! ```
//!
//! It knows no store and no runtime, and decides nothing about functions: credentials are passed on, and judged
//! by the services.

mod body;
mod config;
mod context;
mod deps;
mod health;
mod hop;
mod invoke;
mod layers;
mod openapi;
mod problem;
mod proxy;
mod remote;
mod router;
mod server;
mod services;
mod transcode;
mod ui;

pub use config::GatewayConfig;
pub use context::ClientAddress;
pub use deps::{
    Deps, DoorApi, Download, DownloadApi, InvokeAnswer, InvokeApi, ProxyAnswer, ProxyApi, RawDownload,
    RawInvoke, RawProxy, RawUrl, Recorded, UrlAdmission, UrlApi,
};
pub use health::monitoring;
pub use problem::{Facts, Problem, http_status};
pub use remote::{RemoteApi, for_gateways};
pub use router::{router, router_for};
pub use server::{ServerConfig, serve};
pub use services::Services;
pub use transcode::{TableError, Upstream, read_json, write_json};
pub use ui::{File, Files, ui, ui_of};
