//! `eventflow dev`: every service in one unprivileged process, over SQLite, an in-memory bus, wasm, processes and
//! containers.

mod config;
mod examples;
mod wiring;

use crate::args::Dev;
use crate::exit::Failure;
use crate::output;
use config::DevConfig;
use eventflow_lifecycle::config::{ProcessSource, dump};
use eventflow_lifecycle::{ShutdownConfig, Signals, Supervisor};
use eventflow_wiring::service::StartError;
use std::process::ExitCode;
use std::time::Duration;

pub(crate) fn main(args: &Dev) -> ExitCode {
    let loaded = match load(args) {
        Ok(config) => config,
        Err(problems) => return refuse(&problems),
    };
    if args.dump_config {
        return match dump(&loaded) {
            Ok(text) => output::out(text.as_bytes())
                .map_or_else(|failure| failure.exit_code(), |()| ExitCode::SUCCESS),
            Err(error) => refuse(&error.to_string()),
        };
    }
    let runtime =
        match tokio::runtime::Builder::new_multi_thread().enable_all().thread_name("eventflow").build() {
            Ok(runtime) => runtime,
            Err(error) => return refuse(&format!("failed to start the runtime: {error}")),
        };
    let exit = runtime.block_on(run(loaded, !args.no_examples));
    runtime.shutdown_timeout(Duration::from_secs(1));
    exit
}

fn refuse(why: &str) -> ExitCode {
    output::say(&format!("eventflow: {why}"));
    ExitCode::from(Failure::CONFIG)
}

fn load(args: &Dev) -> Result<DevConfig, String> {
    let mut loader = DevConfig::loader();
    if let Some(file) = &args.config {
        loader = loader.file(file.clone());
    }
    let path = |path: &std::path::Path| path.display().to_string();
    let given = [
        ("--listen", "listen", args.listen.clone()),
        ("--data", "data", args.data.as_deref().map(path)),
        ("--examples", "examples", args.examples.as_deref().map(path)),
    ];
    for (flag, key, value) in given {
        if let Some(value) = value {
            loader = loader.flag(flag, key, value);
        }
    }
    for setting in &args.settings {
        let (key, value) = setting
            .split_once('=')
            .ok_or_else(|| format!("--set {setting:?} must be of the form KEY=VALUE"))?;
        loader = loader.flag(format!("--set {key}"), key, value);
    }
    loader.load::<DevConfig>(&ProcessSource).map(|loaded| loaded.config).map_err(|errors| errors.to_string())
}

/// The life of the process: telemetry, listener, build, supervise, drain.
async fn run(config: DevConfig, with_examples: bool) -> ExitCode {
    let guard = match eventflow_telemetry::init(&config.telemetry, "eventflow-dev") {
        Ok(guard) => guard,
        Err(error) => return refuse(&StartError::of("set up telemetry", &error).to_string()),
    };
    let signals = match Signals::system() {
        Ok(signals) => signals,
        Err(error) => return refuse(&StartError::of("listen for signals", &error).to_string()),
    };
    let grace = config.grace;
    let shutdown = ShutdownConfig { grace: grace + Duration::from_secs(5), ..ShutdownConfig::default() };
    let supervisor = Supervisor::new(shutdown);
    let platform = match wiring::start(&config, &supervisor.handle()).await {
        Ok(platform) => platform,
        Err(error) => return refuse(&error.to_string()),
    };
    announce(&config, &platform, with_examples, &supervisor);
    let exit = supervisor.run(signals).await;
    platform.close().await;
    guard.flush(Duration::from_secs(2)).await;
    exit.finish()
}

/// One line on stdout once calls are taken; scripts wait for it.
fn announce(config: &DevConfig, platform: &wiring::Platform, with_examples: bool, supervisor: &Supervisor) {
    let url = format!("http://{}", platform.address);
    let examples = config.examples.clone().filter(|_| with_examples);
    // A reader that went away is no reason to stop serving.
    drop(output::line(&format!("eventflow is ready on {url}")));
    if let Some(folder) = examples {
        let deployed = examples::deploy(folder, url, platform.token.clone());
        supervisor.spawn("examples", eventflow_lifecycle::OnExit::Log, deployed);
    }
}
