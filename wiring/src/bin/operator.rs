//! The binary `eventflow-operator`.

use eventflow_wiring::operator::OperatorService;
use eventflow_wiring::service;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    service::main::<OperatorService>()
}
