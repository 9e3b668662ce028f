//! The one connection of a process: made with patience, kept for ever.

use super::config::Config;
use super::core::Link;
use async_nats::{Client, ConnectErrorKind, ConnectOptions, Event};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Older servers lose whole streams when they are killed.
pub const OLDEST_SERVER: Version = Version(2, 10, 23);

/// How long one attempt to connect may take: short, so that a server that comes back is found soon.
const ATTEMPT: Duration = Duration::from_secs(2);
const FIRST_DELAY: Duration = Duration::from_millis(50);

/// Why the bus does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("invalid configuration of the bus: {}", .0.join("; "))]
    Config(Vec<String>),
    #[error("failed to read the credentials of the bus")]
    Credentials(#[source] std::io::Error),
    #[error("failed to reach NATS at {urls} within {within:?}")]
    Unreachable {
        urls: String,
        within: Duration,
        #[source]
        cause: async_nats::ConnectError,
    },
    #[error("NATS at {urls} refuses the credentials")]
    Refused {
        urls: String,
        #[source]
        cause: async_nats::ConnectError,
    },
    #[error("NATS at {urls} has version {found}, needed is {OLDEST_SERVER} or newer")]
    TooOld { urls: String, found: String },
    #[error("NATS at {urls} has JetStream switched off")]
    NoJetStream { urls: String },
    #[error("failed to set up the streams of the bus")]
    Streams(#[source] eventflow_domain::Error),
}

/// Of a nats-server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u32, pub u32, pub u32);

impl Version {
    /// Reads `2.10.23`, and `2.11.0-RC.1` as 2.11.0.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let core = text.trim_start_matches('v').split(['-', '+']).next()?;
        let mut parts = core.split('.').map(|part| part.parse().ok());
        let version = Self(parts.next()??, parts.next()??, parts.next()??);
        parts.next().is_none().then_some(version)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

/// Connects within [`Config::start_timeout`], and checks whom it found.
pub(super) async fn connect(config: &Config, link: &Arc<Link>) -> Result<Client, StartError> {
    let options = options(config, link).await?;
    let deadline = Instant::now() + config.start_timeout;
    let mut delay = FIRST_DELAY;
    let client = loop {
        let cause = match options.clone().connect(config.addresses()).await {
            Ok(client) => break client,
            Err(cause) => cause,
        };
        let urls = config.urls();
        if matches!(cause.kind(), ConnectErrorKind::AuthorizationViolation | ConnectErrorKind::Authentication)
        {
            return Err(StartError::Refused { urls, cause });
        }
        if Instant::now() + delay >= deadline {
            return Err(StartError::Unreachable { urls, within: config.start_timeout, cause });
        }
        tracing::warn!(servers = urls, error = %eventflow_domain::error::Chain(&cause), "waiting for NATS");
        sleep(delay).await;
        delay = (delay * 2).min(config.reconnect_delay);
    };
    let info = client.server_info();
    check(config, &info.version, info.jetstream)?;
    tracing::info!(servers = config.urls(), version = info.version, "connected to NATS");
    Ok(client)
}

pub(super) fn check(config: &Config, version: &str, jetstream: bool) -> Result<(), StartError> {
    if Version::parse(version).is_none_or(|version| version < OLDEST_SERVER) {
        return Err(StartError::TooOld { urls: config.urls(), found: version.escape_debug().to_string() });
    }
    if !jetstream {
        return Err(StartError::NoJetStream { urls: config.urls() });
    }
    Ok(())
}

async fn options(config: &Config, link: &Arc<Link>) -> Result<ConnectOptions, StartError> {
    let (link, longest) = (Arc::clone(link), config.reconnect_delay);
    let mut options = ConnectOptions::new()
        .name(&config.client_name)
        .connection_timeout(ATTEMPT)
        .request_timeout(Some(config.request_timeout))
        .ping_interval(config.ping_interval)
        .reconnect_delay_callback(move |attempt| delay(attempt, longest))
        .require_tls(config.require_tls)
        .event_callback(move |event| {
            heard(&link, &event);
            std::future::ready(())
        });
    // The library itself takes none from a URL.
    options = match config.user() {
        Some((user, Some(password))) => options.user_and_password(user, password),
        Some((token, None)) => options.token(token),
        None => options,
    };
    if let Some(file) = &config.ca_file {
        options = options.add_root_certificates(file.clone());
    }
    if let Some((certificate, key)) = &config.client_certificate {
        options = options.add_client_certificate(certificate.clone(), key.clone());
    }
    match &config.credentials_file {
        Some(file) => options.credentials_file(file).await.map_err(StartError::Credentials),
        None => Ok(options),
    }
}

/// Before the first attempt none, then doubling.
fn delay(attempt: usize, longest: Duration) -> Duration {
    let doublings = u32::try_from(attempt.saturating_sub(2)).unwrap_or(u32::MAX).min(16);
    match attempt {
        0 | 1 => Duration::ZERO,
        _ => (FIRST_DELAY * 2_u32.pow(doublings)).min(longest),
    }
}

fn heard(link: &Link, event: &Event) {
    match event {
        Event::Connected => link.connected(),
        Event::Disconnected => {
            tracing::warn!("lost the connection to NATS, connecting again");
            link.lost();
        }
        Event::LameDuckMode => tracing::warn!("the NATS server is about to shut down"),
        Event::SlowConsumer(subscription) => {
            tracing::warn!(subscription, "a subscription is too slow, some messages were dropped");
        }
        Event::ServerError(error) => tracing::warn!(error = %error, "the NATS server complains"),
        Event::ClientError(error) => tracing::debug!(error = %error, "the NATS client complains"),
        Event::Draining | Event::Closed => tracing::debug!(event = %event, "the connection to NATS ends"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_as_numbers() {
        let parse = |text| Version::parse(text);
        assert_eq!(parse("2.10.23"), Some(OLDEST_SERVER));
        assert!(parse("2.9.25") < Some(OLDEST_SERVER) && parse("2.10.9") < Some(OLDEST_SERVER));
        assert!(parse("2.11.0-RC.1") > Some(OLDEST_SERVER) && parse("v3.0.0") > Some(OLDEST_SERVER));
        for text in ["", "2", "2.10", "2.10.x", "2.10.23.1"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn pauses_between_attempts_grow_to_their_bound() {
        let pauses: Vec<u128> =
            [0, 1, 2, 3, 4, 100].map(|attempt| delay(attempt, Duration::from_secs(2)).as_millis()).to_vec();
        assert_eq!(pauses, [0, 0, 50, 100, 200, 2000]);
    }
}
