//! What an operator can set. The defaults are those of a production cluster.

use percent_encoding::percent_decode_str;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// How to reach NATS, and how the streams and consumers look.
#[derive(Clone)]
pub struct Config {
    /// `nats://[user:password@ or token@]host:port` or `tls://…`, of any servers of one cluster; the first user that
    /// is named counts for all.
    pub servers: Vec<String>,
    /// A `.creds` file (JWT and key); absent: what the URLs say.
    pub credentials_file: Option<PathBuf>,
    /// Certificates of the authorities to trust beside those of the system.
    pub ca_file: Option<PathBuf>,
    /// Certificate and key of this client.
    pub client_certificate: Option<(PathBuf, PathBuf)>,
    /// Refuses a connection without TLS.
    pub require_tls: bool,
    /// How this process is named in the server's list of connections.
    pub client_name: String,

    /// The stream of work.
    pub events_stream: String,
    /// The stream of CloudEvents about functions.
    pub function_events_stream: String,
    /// First token(s) of the subjects of work and live news: `<prefix>.events.invoke.<namespace>.<function>`.
    pub subject_prefix: String,
    /// First token(s) of the subjects of CloudEvents: `<prefix>.created.<namespace>.<function>`.
    pub function_prefix: String,
    /// Copies of each stream in a cluster: 1, 3 or 5.
    pub replicas: usize,
    /// Messages that the stream of work holds before it refuses more.
    pub max_messages: i64,
    /// The same in bytes; absent: up to the server's own limit.
    pub max_bytes: Option<i64>,
    /// Functions that can be active at once. Asserted explicitly: the server's own default is 1,000.
    pub max_consumers: i32,
    /// How long the server knows a message id.
    pub duplicate_window: Duration,
    /// How long the stream of CloudEvents keeps them.
    pub function_events_max_age: Duration,

    /// A message that nobody speaks of for so long is delivered again. What is held here is kept alive every third.
    pub ack_wait: Duration,
    /// The consumer of a function that nobody asks for so long goes.
    pub inactive_threshold: Duration,
    /// Messages of one function in flight, over all dispatchers.
    pub max_ack_pending: i64,
    /// Messages in flight that this process holds, over all functions.
    pub max_held: usize,
    /// Publishes that wait for their confirmation at once.
    pub publish_window: usize,

    /// How often configuration and disk are checked; at most 30 s.
    pub check_every: Duration,
    /// How long a stream with copies may take nothing, while another one of its kind does, before it is made anew: another
    /// server may take it over. One without copies is made anew at once.
    pub stuck_after: Duration,
    /// How often the functions with waiting messages are counted anew, in case a word of one was lost.
    pub reconcile_every: Duration,
    /// How long the start waits for a server.
    pub start_timeout: Duration,
    /// How long any one request may take.
    pub request_timeout: Duration,
    /// A connection that leaves two pings unanswered is dead.
    pub ping_interval: Duration,
    /// Longest pause between two attempts to connect.
    pub reconnect_delay: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            servers: vec!["nats://127.0.0.1:4222".to_owned()],
            credentials_file: None,
            ca_file: None,
            client_certificate: None,
            require_tls: false,
            client_name: "eventflow".to_owned(),
            events_stream: "EVENTFLOW_EVENTS".to_owned(),
            function_events_stream: "FUNCTION_EVENTS".to_owned(),
            subject_prefix: "eventflow".to_owned(),
            function_prefix: "function".to_owned(),
            replicas: 1,
            max_messages: 1_000_000,
            max_bytes: None,
            max_consumers: 100_000,
            duplicate_window: Duration::from_secs(120),
            function_events_max_age: Duration::from_secs(24 * 3600),
            ack_wait: Duration::from_secs(30),
            inactive_threshold: Duration::from_secs(600),
            max_ack_pending: 10_000,
            max_held: 65_536,
            publish_window: 1_024,
            check_every: Duration::from_secs(15),
            stuck_after: Duration::from_secs(30),
            reconcile_every: Duration::from_secs(10),
            start_timeout: Duration::from_secs(30),
            request_timeout: Duration::from_secs(5),
            ping_interval: Duration::from_secs(2),
            reconnect_delay: Duration::from_secs(1),
        }
    }
}

impl Config {
    pub const MAX_CHECK_EVERY: Duration = Duration::from_secs(30);

    /// All that is wrong with it, as `field: rule`.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let mut check = |ok: bool, text: &str| {
            if !ok {
                problems.push(text.to_owned());
            }
        };
        check(!self.servers.is_empty(), "servers: must name at least one");
        for (field, name) in
            [("events_stream", &self.events_stream), ("function_events_stream", &self.function_events_stream)]
        {
            check(is_token(name), &format!("{field}: must be letters, digits, '-' and '_' only"));
        }
        for (field, prefix) in
            [("subject_prefix", &self.subject_prefix), ("function_prefix", &self.function_prefix)]
        {
            let tokens = prefix.len() <= 64 && prefix.split('.').all(is_token);
            check(
                tokens,
                &format!("{field}: must be tokens of letters, digits, '-' and '_', at most 64 characters"),
            );
        }
        check(matches!(self.replicas, 1 | 3 | 5), "replicas: must be 1, 3 or 5");
        check(self.max_messages > 0, "max_messages: must be positive");
        check(self.max_bytes.is_none_or(|bytes| bytes > 0), "max_bytes: must be positive");
        check(self.max_consumers > 0, "max_consumers: must be positive");
        check(self.max_ack_pending > 0, "max_ack_pending: must be positive");
        check(self.max_held > 0 && self.publish_window > 0, "max_held and publish_window: must be positive");
        check(self.ack_wait >= Duration::from_millis(300), "ack_wait: must be at least 300 ms");
        check(self.inactive_threshold >= self.ack_wait, "inactive_threshold: must be at least ack_wait");
        let checked = !self.check_every.is_zero() && self.check_every <= Self::MAX_CHECK_EVERY;
        check(checked, "check_every: must be at most 30 s");
        let timers = [self.reconcile_every, self.request_timeout, self.ping_interval, self.duplicate_window];
        check(timers.iter().all(|timer| !timer.is_zero()), "intervals and timeouts: must not be zero");
        problems
    }

    /// Where the servers are, without what opens them.
    pub fn urls(&self) -> String {
        self.addresses().join(",")
    }

    pub(super) fn addresses(&self) -> Vec<String> {
        self.servers.iter().map(|url| without_secret(url)).collect()
    }

    /// User and password; a token has no password.
    pub(super) fn user(&self) -> Option<(String, Option<String>)> {
        let info = self.servers.iter().find_map(|url| authority(url).1.rsplit_once('@'))?.0;
        let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        Some(match info.split_once(':') {
            Some((user, password)) => (decode(user), Some(decode(password))),
            None => (decode(info), None),
        })
    }
}

fn is_token(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    !text.is_empty() && text.len() <= 64 && text.bytes().all(allowed)
}

/// Scheme, and what stands before the path.
fn authority(url: &str) -> (&str, &str) {
    let (scheme, rest) = url.split_once("://").unwrap_or(("nats", url));
    // A password may have any character but the last `@`.
    let host = rest.rfind('@').unwrap_or(0);
    let path = rest.get(host..).and_then(|rest| rest.find('/')).map_or(rest.len(), |at| host + at);
    (scheme, rest.get(..path).unwrap_or(rest))
}

/// `nats://user:secret@host` → `nats://host`; a token is before the `@` too.
fn without_secret(url: &str) -> String {
    let (scheme, authority) = authority(url);
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    format!("{scheme}://{host}")
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("servers", &self.urls())
            .field("events_stream", &self.events_stream)
            .field("function_events_stream", &self.function_events_stream)
            .field("subject_prefix", &self.subject_prefix)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_of_a_url_opens_nothing() {
        let config = Config {
            servers: ["nats://me:pa@s/s%21@one:4222", "token@two", "tls://three:1/x"]
                .map(str::to_owned)
                .to_vec(),
            ..Config::default()
        };
        assert_eq!(config.urls(), "nats://one:4222,nats://two,tls://three:1");
        assert_eq!(config.user(), Some(("me".to_owned(), Some("pa@s/s!".to_owned()))));
        let shown = format!("{config:?}");
        assert!(!shown.contains("pa") && !shown.contains("token"), "{shown}");
    }

    #[test]
    fn the_defaults_are_fine_and_subjects_cannot_be_smuggled_in() {
        assert_eq!(Config::default().problems(), Vec::<String>::new());
        for bad in ["", "a.>", "a..b", "*", "a b", "a\r\nPUB"] {
            let config = Config { subject_prefix: bad.to_owned(), ..Config::default() };
            assert_eq!(config.problems().len(), 1, "{bad:?}");
            let config = Config { events_stream: bad.to_owned(), ..Config::default() };
            assert_eq!(config.problems().len(), 1, "{bad:?}");
        }
        let slow = Config { check_every: Duration::from_secs(31), ..Config::default() };
        assert_eq!(slow.problems(), ["check_every: must be at most 30 s"]);
    }
}
