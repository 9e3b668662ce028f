//! The `eventflow` binary: the whole platform as one process (`eventflow dev`), and the client of any EventFlow.

mod args;
mod client;
mod commands;
mod credentials;
mod dev;
mod env;
mod exit;
mod manifest;
mod output;
mod render;

use args::{Cli, Command, DryRun};
use clap::{CommandFactory as _, Parser as _};
use exit::{Failure, Result};
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let mut words = std::env::args_os();
    // Started by ourselves for each child of a process function: it must stay small and start fast.
    if words.nth(1).is_some_and(|word| word == "exec-child") {
        return eventflow_runtime_process::exec_child::main(words);
    }
    let Cli { target, command } = Cli::parse();
    let ended = match command {
        Command::Dev(args) => return dev::main(&args),
        Command::Init(args) => commands::init(&args),
        Command::User(args) => commands::user(&args),
        Command::Completions { shell } => completions(shell),
        Command::Apply(args) if matches!(args.dry_run, Some(DryRun::Client | DryRun::Cluster)) => {
            commands::check(&args, &target.namespace)
        }
        command => talk(&target, command),
    };
    let Err(failure) = ended else { return ExitCode::SUCCESS };
    if let Some(message) = failure.message() {
        output::say(&format!("eventflow: {message}"));
    }
    failure.exit_code()
}

fn talk(target: &args::Target, command: Command) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::new(Failure::FAILED, format!("cannot start: {error}")))?;
    runtime.block_on(async {
        let client = client::Client::connect(target).await?;
        commands::run(&client, command).await
    })
}

fn completions(shell: clap_complete::Shell) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "eventflow", &mut script);
    output::out(&script)
}
