//! The binary `eventflow-gateway`.

use eventflow_wiring::gateway::GatewayService;
use eventflow_wiring::service;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    service::main::<GatewayService>()
}
