//! The binary `eventflow-dispatcher`.

use eventflow_wiring::dispatcher::DispatcherService;
use eventflow_wiring::service;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let mut words = std::env::args_os();
    // Started by ourselves for each child of a process function: it must stay small and start fast.
    if words.nth(1).is_some_and(|word| word == "exec-child") {
        return eventflow_runtime_process::exec_child::main(words);
    }
    service::main::<DispatcherService>()
}
