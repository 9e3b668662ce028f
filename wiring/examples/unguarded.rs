//! The services with one guard switched off, for the tests that show that each guard is needed.
//!
//! `unguarded none|fence|lease|key|outbox|fsync api|dispatcher ARGUMENTS…`. An example and no binary: it is never shipped.
#![expect(clippy::print_stderr, reason = "it says how it is used")]

use eventflow_wiring::api::ApiService;
use eventflow_wiring::dispatcher::DispatcherService;
use eventflow_wiring::sections::Unguarded;
use eventflow_wiring::service;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut args = std::env::args_os();
    let name = args.next();
    // Started by ourselves for each child of a process function.
    if std::env::args_os().nth(1).is_some_and(|word| word == "exec-child") {
        args.next();
        return eventflow_runtime_process::exec_child::main(args);
    }
    let mut word = || args.next().and_then(|word| word.into_string().ok()).unwrap_or_default();
    let (guard, kind) = (word(), word());
    let Some(off) = without(&guard) else { return usage() };
    let args = name.into_iter().chain(args);
    match kind.as_str() {
        "api" => service::run_with::<ApiService>(args, |config| config.unguarded = off),
        "dispatcher" => service::run_with::<DispatcherService>(args, |config| config.unguarded = off),
        _ => usage(),
    }
}

fn without(guard: &str) -> Option<Unguarded> {
    let all = Unguarded::default();
    Some(match guard {
        "none" => all,
        "fence" => Unguarded { fence: true, ..all },
        "lease" => Unguarded { lease: true, ..all },
        "key" => Unguarded { key: true, ..all },
        "outbox" => Unguarded { outbox: true, ..all },
        "fsync" => Unguarded { fsync: true, ..all },
        _ => return None,
    })
}

fn usage() -> ExitCode {
    eprintln!("usage: unguarded none|fence|lease|key|outbox|fsync api|dispatcher ARGUMENTS…");
    ExitCode::from(2)
}
