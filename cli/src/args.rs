//! The command line.

use crate::output::Format;
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// Functions on your machine and on Kubernetes: declare one, call it, and always know what happened.
#[derive(Debug, Parser)]
#[command(
    name = "eventflow",
    version,
    max_term_width = 100,
    after_help = "Start a server of your own with `eventflow dev`."
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) target: Target,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Which server, which namespace.
#[derive(Debug, Clone, Args)]
pub(crate) struct Target {
    /// The server.
    #[arg(long, global = true, env = "EVENTFLOW_URL", default_value = "http://127.0.0.1:8080")]
    pub(crate) url: String,
    /// The namespace.
    #[arg(long, short = 'n', global = true, env = "EVENTFLOW_NAMESPACE", default_value = "default")]
    pub(crate) namespace: String,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct Shown {
    /// How the answer is printed.
    #[arg(long, short = 'o', value_enum, default_value_t)]
    pub(crate) output: Format,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the whole platform as one process on this machine.
    Dev(Dev),
    /// Log in and keep the token.
    Login(Login),
    /// Create or update functions from manifests.
    Apply(Apply),
    /// List functions.
    #[command(visible_alias = "ls")]
    List(List),
    /// Show a function: state, conditions, figures, queue.
    Describe(Named),
    /// Delete a function; its records stay.
    Delete(Delete),
    /// Call a function.
    Invoke(Invoke),
    /// Show what a function printed.
    Logs(Logs),
    /// Look at calls and act on them.
    #[command(subcommand, visible_alias = "inv")]
    Invocations(Invocations),
    /// Look at dead letters and redrive them.
    #[command(subcommand)]
    Dlq(Dlq),
    /// List the versions of a function.
    Versions(Named),
    /// Apply an earlier version again, as a new one.
    Rollback(Rollback),
    /// Refuse new calls and hold waiting ones back.
    Pause(Name),
    /// Take calls again.
    Resume(Name),
    /// Keep secrets for `envFrom`.
    #[command(subcommand)]
    Secret(Config),
    /// Keep configs for `envFrom`.
    #[command(subcommand)]
    Config(Config),
    /// Write a manifest to start from.
    Init(Init),
    /// Print an entry for a cluster's file of users (`auth.users_file`); the password is the first line of stdin.
    User(User),
    /// Print a completion script for a shell.
    Completions {
        /// bash, zsh, fish, elvish or powershell.
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Dev {
    /// Where to listen; only loopback addresses have the development login.
    #[arg(long)]
    pub(crate) listen: Option<String>,
    /// Where to keep data. Default: `eventflow` in the user's data folder.
    #[arg(long)]
    pub(crate) data: Option<PathBuf>,
    /// Deploy the examples found in this folder.
    #[arg(long)]
    pub(crate) examples: Option<PathBuf>,
    /// Deploy no examples.
    #[arg(long, conflicts_with = "examples")]
    pub(crate) no_examples: bool,
    /// A configuration file (TOML).
    #[arg(long, env = "EVENTFLOW_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// Print the configuration in force, secrets hidden, and exit.
    #[arg(long)]
    pub(crate) dump_config: bool,
    /// Set any key of the configuration: `--set limits.payload=1Mi`.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) settings: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Login {
    /// The name.
    #[arg(long, short, default_value = "admin")]
    pub(crate) username: String,
    /// Read the password from the first line of stdin; without it, the development password is tried.
    #[arg(long)]
    pub(crate) password_stdin: bool,
    /// Print the token instead of keeping it.
    #[arg(long)]
    pub(crate) print: bool,
}

#[derive(Debug, Args)]
pub(crate) struct User {
    /// The name.
    pub(crate) name: String,
    /// What they may do.
    #[arg(long, value_enum)]
    pub(crate) role: UserRole,
    /// Only in this namespace. May be given more than once.
    #[arg(long = "in", value_name = "NAMESPACE")]
    pub(crate) namespaces: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum UserRole {
    /// See functions, calls and logs.
    Viewer,
    /// And call functions.
    Invoker,
    /// And change functions.
    Developer,
    /// Everything.
    Admin,
}

impl UserRole {
    /// As files and tokens name it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Invoker => "invoker",
            Self::Developer => "developer",
            Self::Admin => "admin",
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct Apply {
    /// A manifest (YAML or JSON, several documents are fine), or `-` for stdin. May be given more than once.
    #[arg(long, short, required = true)]
    pub(crate) file: Vec<PathBuf>,
    /// Check everything, change nothing: `server` asks one; `client` checks the rules of a declaration without any;
    /// `cluster` checks, without any, what a cluster's admission would say of the file.
    #[arg(long, value_enum, num_args = 0..=1, require_equals = true, default_missing_value = "server")]
    pub(crate) dry_run: Option<DryRun>,
    #[command(flatten)]
    pub(crate) shown: Shown,
}

/// Who checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum DryRun {
    Server,
    Client,
    Cluster,
}

#[derive(Debug, Args)]
pub(crate) struct List {
    /// Functions of all namespaces.
    #[arg(long, short = 'A')]
    pub(crate) all_namespaces: bool,
    #[command(flatten)]
    pub(crate) shown: Shown,
}

#[derive(Debug, Args)]
pub(crate) struct Name {
    /// The function.
    pub(crate) name: String,
}

#[derive(Debug, Args)]
pub(crate) struct Named {
    /// The function.
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) shown: Shown,
}

#[derive(Debug, Args)]
pub(crate) struct Delete {
    /// The functions.
    #[arg(required = true)]
    pub(crate) names: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Invoke {
    /// The function.
    pub(crate) name: String,
    /// The payload.
    #[arg(long, short, conflicts_with = "file")]
    pub(crate) data: Option<String>,
    /// A file with the payload, or `-` for stdin.
    #[arg(long, short)]
    pub(crate) file: Option<PathBuf>,
    /// A header: `Content-Type: …` of the payload, `Idempotency-Key: …` or `traceparent: …`.
    #[arg(long, short = 'H', value_name = "NAME: VALUE")]
    pub(crate) header: Vec<String>,
    /// How long to wait for the result.
    #[arg(long, value_name = "DURATION", default_value = "5m", conflicts_with_all = ["async_call", "delay"])]
    pub(crate) wait: String,
    /// Do not wait: print the id.
    #[arg(long = "async")]
    pub(crate) async_call: bool,
    /// Start the call only after so long; implies --async.
    #[arg(long, value_name = "DURATION")]
    pub(crate) delay: Option<String>,
    /// Run this version.
    #[arg(long)]
    pub(crate) version: Option<i32>,
    /// Print the record instead of the result.
    #[arg(long, short = 'o', value_enum)]
    pub(crate) output: Option<Format>,
}

#[derive(Debug, Args)]
pub(crate) struct Logs {
    /// The function; not needed with --invocation.
    #[arg(required_unless_present = "invocation")]
    pub(crate) name: Option<String>,
    /// Go on with new lines.
    #[arg(long, short)]
    pub(crate) follow: bool,
    /// What one call printed.
    #[arg(long, short)]
    pub(crate) invocation: Option<String>,
    /// Begin with the last so many lines.
    #[arg(long, default_value_t = 100, conflicts_with = "invocation")]
    pub(crate) tail: i32,
    /// Print the time of each line.
    #[arg(long, short)]
    pub(crate) timestamps: bool,
    #[command(flatten)]
    pub(crate) shown: Shown,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct Filter {
    /// Of this function.
    #[arg(long)]
    pub(crate) function: Option<String>,
    /// Failed for this reason.
    #[arg(long)]
    pub(crate) reason: Option<String>,
    /// Of this version.
    #[arg(long)]
    pub(crate) version: Option<i32>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Invocations {
    /// List calls, newest first.
    #[command(visible_alias = "ls")]
    List {
        #[command(flatten)]
        filter: Filter,
        /// In this state: queued, running, retrying, succeeded, failed, cancelled. May be given more than once.
        #[arg(long)]
        state: Vec<String>,
        /// At most so many.
        #[arg(long, default_value_t = 20)]
        limit: i32,
        #[command(flatten)]
        shown: Shown,
    },
    /// Show the record of a call.
    Get {
        id: String,
        /// Wait so long for its end.
        #[arg(long, value_name = "DURATION")]
        wait: Option<String>,
        #[command(flatten)]
        shown: Shown,
    },
    /// Print the result of a call.
    Result { id: String },
    /// Ask for the end of a call.
    Cancel { id: String },
    /// Make the same call again.
    Replay {
        id: String,
        /// With this payload instead of the recorded one.
        #[arg(long, short)]
        data: Option<String>,
        /// On this version instead of the current one.
        #[arg(long)]
        version: Option<i32>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Dlq {
    /// List dead letters: calls that failed with all attempts used up.
    #[command(visible_alias = "ls")]
    List {
        #[command(flatten)]
        filter: Filter,
        /// At most so many.
        #[arg(long, default_value_t = 20)]
        limit: i32,
        #[command(flatten)]
        shown: Shown,
    },
    /// Show a dead letter whole.
    Show {
        id: String,
        #[command(flatten)]
        shown: Shown,
    },
    /// Call again what failed: one, or all that the filter holds.
    Redrive {
        /// The dead letter; without it, all that the filter holds.
        id: Option<String>,
        #[command(flatten)]
        filter: Filter,
        /// Redrive every dead letter of the namespace.
        #[arg(long)]
        all: bool,
        /// So many new calls a second; 0 = at once.
        #[arg(long, default_value_t = 0)]
        rate: i32,
        /// Only say how many.
        #[arg(long)]
        dry_run: bool,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Rollback {
    /// The function.
    pub(crate) name: String,
    /// The version to go back to.
    #[arg(long)]
    pub(crate) to: i32,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Config {
    /// Create or replace one: `set NAME KEY=VALUE …`; `KEY=-` reads the value from stdin, so that it is in no history.
    Set {
        name: String,
        #[arg(required = true, value_name = "KEY=VALUE")]
        values: Vec<String>,
    },
    /// List names and keys; values are never shown.
    #[command(visible_alias = "ls")]
    List {
        #[command(flatten)]
        shown: Shown,
    },
    /// Delete one.
    Delete { name: String },
}

#[derive(Debug, Args)]
pub(crate) struct Init {
    /// The new function's name.
    pub(crate) name: String,
    /// What kind of function to start from.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) template: Template,
    /// Write over a file that is there.
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(crate) enum Template {
    /// A program that reads its payload from stdin and prints the result.
    #[default]
    Process,
    /// A server on $PORT.
    Http,
    /// A WebAssembly module, as text.
    Wasm,
}
