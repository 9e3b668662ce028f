//! The api: takes declarations and calls, answers what happened. One service object ([`App`]) behind gRPC and REST.
//!
//! It knows ports only; who adapts them is the binary's business. It runs no user code: async calls go through the
//! record and the bus, calls whose caller waits go through the port `Invoker`.
//!
//! ```text
//!   gateway ─┬─ gRPC services (grpc/) ─▶ App (app/) ─▶ FunctionRegistry, Store, Blobs, Bus, Invoker
//!            └─ typed :invoke and /fn ──▲
//! ```

pub mod app;
mod grpc;
mod http;
mod page;

pub use app::{App, Config, Parts, Shape};
pub use grpc::{permission_violations, routes};
pub use http::Http;
