//! How a container ended, in the words of the record: pure.

use eventflow_domain::{Failure, Reason, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

/// Why a container failed, by what the kubelet says of its end; `None` = it did not.
pub fn failure(reason: &str, code: i32, signal: Option<i32>, message: &str) -> Option<Failure> {
    match reason {
        "OOMKilled" => {
            Some(Failure::new(Reason::OutOfMemory, "used more memory than resources.memory and was ended"))
        }
        // The command is not there, or may not be run: user code never started.
        "StartError" | "ContainerCannotRun" | "RunContainerError" => {
            Some(Failure::new(Reason::StartFailed, format!("the container could not be started: {message}")))
        }
        _ if code == 0 => None,
        _ => Some(match signal {
            Some(signal) => Failure::new(Reason::Signal, format!("ended by signal {signal}")),
            None => Failure::new(Reason::ExitCode, format!("exit code {code}{}", by_signal(code))),
        }),
    }
}

/// A shell and the container runtime give 128 + the signal.
fn by_signal(code: i32) -> String {
    if (129..=159).contains(&code) { format!(" (signal {})", code - 128) } else { String::new() }
}

/// A time of Kubernetes as the record has it.
pub fn timestamp(time: &Time) -> Timestamp {
    Timestamp::from_micros(time.0.as_microsecond())
}
