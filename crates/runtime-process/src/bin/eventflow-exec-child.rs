//! The launcher on its own, for tests; the `eventflow` binary mounts the same function as a hidden subcommand.

use std::process::ExitCode;

fn main() -> ExitCode {
    eventflow_runtime_process::exec_child::main(std::env::args_os().skip(1))
}
