//! The wasm runtime: functions as WebAssembly inside this process, on wasmtime.
//!
//! Four kinds of code run, told apart by what they export (`docs/wasm-abi.md`): wasip1 command modules, `wasi:cli`
//! components and modules of the lean ABI in job mode, `wasi:http` components in http mode.
//!
//! ```text
//!  prepare ─▶ Versions ─▶ Compiler ─▶ Cache (ours alone, authenticated) ─▶ Code: linked once
//!                            │ queue, low-priority threads                    │
//!                            └─ blobs: artifacts/<sha256>                     ▼
//!  run, serve ──────────────▶ a fresh instance from the pool, its limits, its epochs ─▶ result, logs
//! ```
//!
//! A guest has no authority but what its call gives it: variables, a payload, a place to print to, and outgoing HTTP
//! to the hosts of `spec.egress`. No files, no sockets. Every guest yields at each tick of one clock thread, so an
//! endless loop holds no worker, and dropping a run's future ends it at the next tick.

mod cache;
mod code;
mod compile;
mod config;
mod engine;
mod host;
mod limiter;
mod refusal;
mod run;
mod runtime;
mod serve;
mod ticker;
mod versions;

pub use config::WasmConfig;
pub use runtime::WasmRuntime;
