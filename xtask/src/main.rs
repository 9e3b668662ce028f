//! The project's own tasks: `cargo xtask codegen [--check]` and `cargo xtask check`.
//!
//! Whatever needs more than a few lines of shell is here, so that it is checked like the rest of the code.

mod check;
mod codegen;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", about = "The project's own tasks")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Generate what is committed from proto/: Rust types, clients and servers, and the descriptor set.
    Codegen {
        /// Change nothing; fail when what is committed differs from what would be generated.
        #[arg(long)]
        check: bool,
    },
    /// Check layering, manifests, file sizes and the places where unsafe code is accepted.
    Check,
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().task {
        Task::Codegen { check: true } => codegen::check(),
        Task::Codegen { check: false } => codegen::write(),
        Task::Check => check::run(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tell(&format!("xtask: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Prints one line for the person at the terminal.
#[expect(
    clippy::print_stderr,
    reason = "a command line tool speaks to its user; this is the one place where it does"
)]
fn tell(line: &str) {
    eprintln!("{line}");
}
