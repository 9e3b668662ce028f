//! The binary of the containers that EventFlow adds to a Job's pod.
//!
//! `eventflow-job-agent fetch` gets the payload into its file before the function starts. `eventflow-job-agent upload`
//! waits until the function has ended (SIGTERM) and uploads its result file, if there is one. Address, token and file
//! come from the environment, since arguments show in the process list. What went wrong is the termination message,
//! beginning with the HTTP status where there was one.

mod http;
mod settings;

use settings::Settings;
use std::process::ExitCode;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

/// Between two tries at most.
const MOST_PAUSE: Duration = Duration::from_secs(5);
/// For an upload, from the end of the function: a little less than its pod has.
const UPLOAD: Duration = Duration::from_secs(55);

/// Why a try failed.
#[derive(Debug)]
pub(crate) enum Fault {
    /// May work the next time.
    Later(String),
    /// Never will.
    Final(String),
}

fn main() -> ExitCode {
    let verb = std::env::args().nth(1).unwrap_or_default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let done = match runtime {
        Ok(runtime) => runtime.block_on(run(&verb)),
        Err(error) => Err(format!("failed to start: {error}")),
    };
    let (text, code) = match done {
        Ok(text) => (text, ExitCode::SUCCESS),
        Err(text) => (text, ExitCode::FAILURE),
    };
    // Where the kubelet reads it; elsewhere there is no such file to write.
    drop(std::fs::write("/dev/termination-log", &text));
    drop(std::io::Write::write_all(&mut std::io::stderr(), format!("{text}\n").as_bytes()));
    code
}

async fn run(verb: &str) -> Result<String, String> {
    let settings = Settings::read()?;
    match verb {
        "fetch" => {
            let patience = settings.patience;
            insist(patience, || http::fetch(&settings)).await.map(|bytes| format!("fetched {bytes} bytes"))
        }
        "upload" => {
            let mut ended =
                signal(SignalKind::terminate()).map_err(|error| format!("failed to wait: {error}"))?;
            ended.recv().await;
            if std::fs::metadata(&settings.file).is_ok_and(|file| file.len() > 0) {
                insist(UPLOAD, || http::upload(&settings))
                    .await
                    .map(|bytes| format!("uploaded {bytes} bytes"))
            } else {
                Ok("none: there is no result file".to_owned())
            }
        }
        other => Err(format!("unknown verb {other:?}: fetch or upload")),
    }
}

/// Tries for so long.
async fn insist<F>(patience: Duration, attempt: impl Fn() -> F) -> Result<u64, String>
where
    F: Future<Output = Result<u64, Fault>>,
{
    let last = std::cell::RefCell::new("no answer".to_owned());
    let trying = async {
        let mut pause = Duration::from_millis(100);
        loop {
            match attempt().await {
                Ok(bytes) => return Ok(bytes),
                Err(Fault::Final(text)) => return Err(text),
                Err(Fault::Later(text)) => drop(last.replace(text)),
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(MOST_PAUSE);
        }
    };
    tokio::time::timeout(patience, trying)
        .await
        .unwrap_or_else(|_| Err(format!("gave up after {} s: {}", patience.as_secs(), last.borrow())))
}
