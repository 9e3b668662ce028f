use crate::find::Sockets;
use crate::installation::Installation;
use eventflow_domain::limits::Limits;
use eventflow_domain::spec::{Backoff, PodSecurity};
use std::time::Duration;

/// Bounds on what container functions may take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bounds {
    /// Bytes of a result file; one more byte is `ResultTooLarge`.
    pub result: u64,
    /// Bytes kept of stdout, the last ones, where no result file was written.
    pub stdout_result: usize,
    /// Calls that may wait for a copy of one function.
    pub waiting_calls: usize,
}

impl From<&Limits> for Bounds {
    fn from(limits: &Limits) -> Self {
        Self {
            result: limits.payload,
            stdout_result: usize::try_from(limits.stdout_result).unwrap_or(usize::MAX),
            waiting_calls: 10_000,
        }
    }
}

/// The runtime's settings.
#[derive(Debug, Clone)]
pub struct ContainerConfig {
    pub sockets: Sockets,
    pub installation: Installation,
    /// A network of the engine; none is the engine's default. Never the host's.
    pub network: Option<String>,
    /// What containers may do whose function does not say.
    pub security: PodSecurity,
    /// Processes and threads of one container.
    pub pids: u32,
    /// Between SIGTERM and SIGKILL; at most 4 s, since 5 s after its end nothing of a call may be left.
    pub kill_grace: Duration,
    /// A warm copy without a call for this long is stopped, down to the function's minimum.
    pub idle_stop: Duration,
    /// Between a crash of a warm copy and the next start.
    pub restart: Backoff,
    /// Between two looks for containers that are nobody's.
    pub sweep_every: Duration,
    pub bounds: Bounds,
}

impl ContainerConfig {
    /// The longest `kill_grace`.
    pub const MAX_GRACE: Duration = Duration::from_secs(4);
    pub fn new(sockets: Sockets, installation: Installation) -> Self {
        Self {
            sockets,
            installation,
            network: None,
            security: PodSecurity::Baseline,
            pids: 512,
            kill_grace: Duration::from_secs(2),
            idle_stop: Duration::from_mins(5),
            restart: Backoff {
                initial: Duration::from_millis(500),
                max: Duration::from_mins(1),
                factor: 2.0,
                jitter: 0.2,
            },
            sweep_every: Duration::from_secs(30),
            bounds: Bounds::from(&Limits::default()),
        }
    }

    /// Whether functions may be on such a network: not on the host's, and not within another container. Empty is the
    /// engine's default.
    pub fn may_be_network(name: &str) -> bool {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
        name != "host" && name.len() <= 128 && name.bytes().all(plain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_never_on_the_network_of_the_host_or_of_another_container() {
        for bad in ["host", "container:db", "ns:/proc/1/ns/net", "a b"] {
            assert!(!ContainerConfig::may_be_network(bad), "{bad}");
        }
        for good in ["", "bridge", "podman", "my_net-2"] {
            assert!(ContainerConfig::may_be_network(good), "{good}");
        }
    }
}
