//! The client verbs, one file for each group.

mod check;
mod functions;
mod init;
mod invocations;
mod invoke;
mod login;
mod logs;
mod settings;
mod user;

use crate::args::Command;
use crate::client::Client;
use crate::exit::{Failure, Result};

/// Runs a verb that talks to a server.
pub(crate) async fn run(client: &Client, command: Command) -> Result<()> {
    match command {
        Command::Login(args) => login::login(client, args).await,
        Command::Apply(args) => functions::apply(client, args).await,
        Command::List(args) => functions::list(client, args).await,
        Command::Describe(args) => functions::describe(client, args).await,
        Command::Delete(args) => functions::delete(client, args).await,
        Command::Versions(args) => functions::versions(client, args).await,
        Command::Rollback(args) => functions::rollback(client, args).await,
        Command::Pause(args) => functions::pause(client, &args.name, true).await,
        Command::Resume(args) => functions::pause(client, &args.name, false).await,
        Command::Invoke(args) => invoke::invoke(client, args).await,
        Command::Logs(args) => logs::logs(client, args).await,
        Command::Invocations(command) => invocations::run(client, command).await,
        Command::Dlq(command) => invocations::dlq(client, command).await,
        Command::Secret(command) => settings::secret(client, command).await,
        Command::Config(command) => settings::config(client, command).await,
        Command::Dev(_) | Command::Init(_) | Command::User(_) | Command::Completions { .. } => {
            Err(Failure::new(Failure::FAILED, "this command needs no server"))
        }
    }
}

pub(crate) use check::check;
pub(crate) use init::init;
pub(crate) use user::user;

/// A duration of the command line, in the manifest's grammar.
fn duration(flag: &str, text: &str) -> Result<prost_types::Duration> {
    eventflow_domain::quantity::parse_duration(text)
        .map(eventflow_proto::convert::duration_to_wire)
        .map_err(|error| Failure::new(2, format!("--{flag} {error}")))
}

/// `12s ago`-like ages for tables.
fn age(time: Option<&prost_types::Timestamp>) -> String {
    let Some(time) = time else { return "-".to_owned() };
    let seconds = (jiff::Timestamp::now().as_second() - time.seconds).max(0);
    match seconds {
        0..=119 => format!("{seconds}s"),
        120..=7199 => format!("{}m", seconds / 60),
        7200..=172_799 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

fn time(time: Option<&prost_types::Timestamp>) -> String {
    let read = time.and_then(|time| eventflow_proto::convert::timestamp_from_wire("time", time).ok());
    read.map_or_else(|| "-".to_owned(), eventflow_domain::Timestamp::rfc3339)
}

/// `1.234s`, `56ms`.
fn took(duration: Option<&prost_types::Duration>) -> String {
    let Some(duration) = duration else { return "-".to_owned() };
    let millis = duration.seconds as f64 * 1e3 + f64::from(duration.nanos) / 1e6;
    if millis >= 1000.0 { format!("{:.3}s", millis / 1e3) } else { format!("{millis:.1}ms") }
}

/// The name of an enum value as the API prints it.
fn word(name: &str, prefix: &str) -> String {
    name.strip_prefix(prefix).unwrap_or(name).to_owned()
}
