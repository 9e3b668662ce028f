//! The life of a service's process: configuration, telemetry, build, supervise, drain.

use clap::Parser;
use eventflow_domain::error::Chain;
use eventflow_gateway::{ServerConfig, monitoring, serve};
use eventflow_lifecycle::config::{Loader, ProcessSource, Validate, dump};
use eventflow_lifecycle::{Handle, OnExit, ShutdownConfig, Signals, Supervisor};
use eventflow_telemetry::Metrics;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::ffi::OsString;
use std::fmt;
use std::future::Future;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use tokio::net::TcpListener;

/// The exit code of a configuration that cannot be used (sysexits.h, EX_CONFIG).
const CONFIG: u8 = 78;

/// What keeps the process from starting; one line that says what to do.
#[derive(Debug)]
pub struct StartError(String);

impl StartError {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// `doing` completes "failed to …".
    pub fn of(doing: &str, error: &(dyn std::error::Error + 'static)) -> Self {
        Self(format!("failed to {doing}: {}", Chain(error)))
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The variables of keys that stand in no section, the same for every service.
const TOP: [(&str, &str); 5] = [
    ("EVENTFLOW_LISTEN", "listen"),
    ("EVENTFLOW_ADMIN_LISTEN", "admin_listen"),
    ("EVENTFLOW_DATA", "data"),
    ("EVENTFLOW_RUNTIMES", "runtimes"),
    ("EVENTFLOW_GRACE", "grace"),
];

/// The flags that every service has.
#[derive(Debug, Parser)]
#[command(version, about, long_about = None)]
struct Args {
    /// A TOML file
    #[arg(long, env = "EVENTFLOW_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Sets one key, over file and environment
    #[arg(long = "set", value_name = "KEY=VALUE")]
    settings: Vec<String>,
    /// Print the configuration in force, secrets hidden, and end
    #[arg(long)]
    dump_config: bool,
}

/// A service: how it is configured, and how it is built.
pub trait Service: Sized {
    type Config: DeserializeOwned + Serialize + Validate + fmt::Debug;

    /// `eventflow-api`
    const NAME: &'static str;
    fn telemetry(config: &Self::Config) -> &eventflow_telemetry::Config;
    fn grace(config: &Self::Config) -> Duration;

    /// Builds everything and starts it. Ready when it returns.
    fn start(config: &Self::Config, handle: &Handle) -> impl Future<Output = Result<Self, StartError>>;

    /// Where it is reached, for the one line that says so.
    fn address(&self) -> SocketAddr;

    /// After all tasks have ended.
    fn close(self) -> impl Future<Output = ()>;
}

/// The whole `main` of a service.
pub fn main<S: Service>() -> ExitCode {
    run_with::<S>(std::env::args_os(), |_| {})
}

/// The same with other arguments, and with a configuration that is changed beyond what can be configured.
pub fn run_with<S: Service>(
    args: impl IntoIterator<Item = OsString>,
    change: impl FnOnce(&mut S::Config),
) -> ExitCode {
    let args = Args::parse_from(args);
    let mut config = match load::<S>(&args) {
        Ok(config) => config,
        Err(problems) => return refuse::<S>(&problems),
    };
    change(&mut config);
    if args.dump_config {
        return match dump(&config) {
            Ok(text) => {
                // A reader that went away is no failure of ours.
                drop(std::io::stdout().write_all(text.as_bytes()));
                ExitCode::SUCCESS
            }
            Err(error) => refuse::<S>(&error.to_string()),
        };
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().thread_name(S::NAME).build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return refuse::<S>(&format!("failed to start the runtime: {error}")),
    };
    let exit = runtime.block_on(run::<S>(config));
    runtime.shutdown_timeout(Duration::from_secs(1));
    exit
}

fn refuse<S: Service>(why: &str) -> ExitCode {
    drop(writeln!(std::io::stderr(), "{}: {why}", S::NAME));
    ExitCode::from(CONFIG)
}

fn load<S: Service>(args: &Args) -> Result<S::Config, String> {
    let mut loader = TOP.iter().fold(Loader::new(), |loader, (name, key)| loader.var(name, key));
    if let Some(file) = &args.config {
        loader = loader.file(file.clone());
    }
    for setting in &args.settings {
        let (key, value) = setting
            .split_once('=')
            .ok_or_else(|| format!("--set {setting:?} must be of the form KEY=VALUE"))?;
        loader = loader.flag(format!("--set {key}"), key, value);
    }
    loader.load(&ProcessSource).map(|loaded| loaded.config).map_err(|errors| errors.to_string())
}

async fn run<S: Service>(config: S::Config) -> ExitCode {
    let guard = match eventflow_telemetry::init(S::telemetry(&config), S::NAME) {
        Ok(guard) => guard,
        Err(error) => return refuse::<S>(&StartError::of("set up telemetry", &error).to_string()),
    };
    let signals = match Signals::system() {
        Ok(signals) => signals,
        Err(error) => return refuse::<S>(&StartError::of("listen for signals", &error).to_string()),
    };
    let grace = S::grace(&config) + Duration::from_secs(5);
    let supervisor = Supervisor::new(ShutdownConfig { grace, ..ShutdownConfig::default() });
    let service = match S::start(&config, &supervisor.handle()).await {
        Ok(service) => service,
        Err(error) => return refuse::<S>(&error.to_string()),
    };
    // Scripts wait for this line; a reader that went away is no reason to stop serving.
    drop(writeln!(std::io::stdout(), "{} is ready on http://{}", S::NAME, service.address()));
    let exit = supervisor.run(signals).await;
    service.close().await;
    guard.flush(Duration::from_secs(2)).await;
    exit.finish()
}

/// A listener for the key of the configuration that names it.
pub async fn bind(key: &str, address: &str) -> Result<(TcpListener, SocketAddr), StartError> {
    let listener = TcpListener::bind(address)
        .await
        .map_err(|error| StartError::new(format!("{key}: cannot listen on {address:?}: {error}")))?;
    let address = listener.local_addr().map_err(|error| StartError::of("read the address", &error))?;
    Ok((listener, address))
}

/// `/healthz`, `/readyz` and `/metrics` on a port of their own, which answers as long as the process lives.
pub async fn admin(address: &str, metrics: Metrics, handle: &Handle) -> Result<SocketAddr, StartError> {
    let (listener, address) = bind("admin_listen", address).await?;
    let router = monitoring(handle.health().clone(), metrics);
    let config = ServerConfig { max_connections: 64, grace: Duration::ZERO, ..ServerConfig::default() };
    handle.spawn("admin server", OnExit::Shutdown, serve(listener, router, config, handle.token()));
    Ok(address)
}
