//! The binary `eventflow-api`.

use eventflow_wiring::api::ApiService;
use eventflow_wiring::service;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    service::main::<ApiService>()
}
