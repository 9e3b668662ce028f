//! Which `Host` and which `Origin` are served: what keeps a web page from calling a server on the reader's own
//! machine, by its address or by a name that was made to point there.

use std::net::{Ipv4Addr, Ipv6Addr};

/// Which names a listener answers to, and which web pages may call it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HostPolicy {
    /// The listener is bound to a loopback address: other names must be configured.
    pub loopback: bool,
    /// Names of this server beside loopback ones: `eventflow.example` (any port) or `eventflow.example:8080`.
    pub hosts: Vec<String>,
    /// Origins of web pages beside the server's own: `https://ui.example`.
    pub origins: Vec<String>,
}

/// Whether a request with this `Host` (or `:authority`) is for us. Listeners that are not bound to loopback
/// answer to every name unless some are configured.
pub fn host_allowed(host: &str, policy: &HostPolicy) -> bool {
    let Some(asked) = Authority::parse(host) else { return false };
    if asked.is_loopback() || (!policy.loopback && policy.hosts.is_empty()) {
        return true;
    }
    policy.hosts.iter().filter_map(|known| Authority::parse(known)).any(|known| known.covers(&asked))
}

/// Whether a web page of this `Origin` may call us. `host` is the request's own, already allowed: a page of the
/// same host and port is ours.
pub fn origin_allowed(origin: &str, host: &str, policy: &HostPolicy) -> bool {
    let Some(page) = Origin::parse(origin) else { return false };
    let own = Authority::parse(host).is_some_and(|own| {
        let port = own.port.unwrap_or_else(|| page.scheme.port());
        own.name.eq_ignore_ascii_case(page.authority.name) && port == page.port()
    });
    own || policy.origins.iter().filter_map(|known| Origin::parse(known)).any(|known| known.same(&page))
}

/// `name[:port]`; an IPv6 address in brackets.
#[derive(Debug, Clone, Copy)]
struct Authority<'a> {
    /// Without the dot at the end that makes a name absolute.
    name: &'a str,
    port: Option<u16>,
}

impl<'a> Authority<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let end =
            if text.starts_with('[') { text.find(']')? + 1 } else { text.find(':').unwrap_or(text.len()) };
        let (name, rest) = text.split_at_checked(end)?;
        let port = match rest.strip_prefix(':') {
            // `parse` alone would take "+80".
            Some(digits) if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                Some(digits.parse().ok()?)
            }
            None if rest.is_empty() => None,
            _ => return None,
        };
        let name = name.strip_suffix('.').unwrap_or(name);
        let forbidden =
            |c: char| c.is_whitespace() || c.is_control() || matches!(c, '/' | '@' | '?' | '#' | '\\');
        (!name.is_empty() && !name.contains(forbidden)).then_some(Self { name, port })
    }

    fn is_loopback(&self) -> bool {
        if let Some(address) = self.name.strip_prefix('[').and_then(|name| name.strip_suffix(']')) {
            return address.parse::<Ipv6Addr>().is_ok_and(|address| address.is_loopback());
        }
        let name = self.name.to_ascii_lowercase();
        name == "localhost"
            || name.strip_suffix(".localhost").is_some_and(|label| !label.is_empty())
            || name.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback())
    }

    /// Whether what is configured means what was asked for.
    fn covers(&self, asked: &Self) -> bool {
        self.name.eq_ignore_ascii_case(asked.name) && (self.port.is_none() || self.port == asked.port)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scheme {
    Http,
    Https,
}

impl Scheme {
    fn port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Origin<'a> {
    scheme: Scheme,
    authority: Authority<'a>,
}

impl<'a> Origin<'a> {
    /// `null`, which sandboxed pages and files send, is no origin.
    fn parse(text: &'a str) -> Option<Self> {
        let (scheme, authority) = text.split_once("://")?;
        let scheme = match scheme {
            _ if scheme.eq_ignore_ascii_case("http") => Scheme::Http,
            _ if scheme.eq_ignore_ascii_case("https") => Scheme::Https,
            _ => return None,
        };
        Some(Self { scheme, authority: Authority::parse(authority)? })
    }

    fn port(&self) -> u16 {
        self.authority.port.unwrap_or_else(|| self.scheme.port())
    }

    fn same(&self, other: &Origin<'_>) -> bool {
        self.scheme == other.scheme
            && self.port() == other.port()
            && self.authority.name.eq_ignore_ascii_case(other.authority.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loopback() -> HostPolicy {
        HostPolicy {
            loopback: true,
            hosts: vec!["dev.example".into(), "only.example:8080".into()],
            origins: vec!["http://localhost:5173".into(), "https://ui.example".into()],
        }
    }

    #[test]
    fn a_loopback_listener_answers_to_loopback_names_and_configured_ones() {
        for host in [
            "localhost",
            "LOCALHOST:8080",
            "localhost.",
            "app.localhost:1",
            "127.0.0.1",
            "127.9.8.7:65535",
            "[::1]",
            "[::1]:8080",
            "[0:0:0:0:0:0:0:1]",
            "dev.example",
            "Dev.Example:9",
            "only.example:8080",
        ] {
            assert!(host_allowed(host, &loopback()), "{host}");
        }
    }

    #[test]
    fn a_loopback_listener_refuses_every_other_name() {
        for host in [
            "",
            ":8080",
            "evil.example",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "notlocalhost",
            ".localhost",
            "evil@localhost",
            "localhost@evil.example",
            "localhost:80:80",
            "localhost:",
            "localhost:+80",
            "localhost:99999",
            "localhost/x",
            "local host",
            "10.0.0.1",
            "0.0.0.0",
            "128.0.0.1",
            "[::2]",
            "[::1",
            "[::1]x",
            "[::ffff:10.0.0.1]",
            "only.example",
            "only.example:81",
            "x.dev.example",
        ] {
            assert!(!host_allowed(host, &loopback()), "{host}");
        }
    }

    #[test]
    fn an_open_listener_answers_to_all_unless_names_are_configured() {
        let open = HostPolicy::default();
        assert!(host_allowed("eventflow-api.eventflow.svc:80", &open));
        assert!(!host_allowed("a b", &open));
        let named = HostPolicy { hosts: vec!["ef.example".into()], ..open };
        assert!(host_allowed("ef.example", &named) && host_allowed("127.0.0.1:8080", &named));
        assert!(!host_allowed("evil.example", &named));
    }

    #[test]
    fn pages_of_the_own_origin_and_configured_ones_may_call() {
        for (origin, host) in [
            ("http://localhost:8080", "localhost:8080"),
            ("http://LocalHost", "localhost"),
            ("http://localhost:80", "localhost"),
            ("https://ef.example", "ef.example"),
            ("http://[::1]:8080", "[::1]:8080"),
            ("http://localhost:5173", "127.0.0.1:8080"),
            ("https://ui.example:443", "127.0.0.1:8080"),
        ] {
            assert!(origin_allowed(origin, host, &loopback()), "{origin} at {host}");
        }
    }

    #[test]
    fn pages_of_other_origins_may_not() {
        for (origin, host) in [
            ("null", "localhost:8080"),
            ("", "localhost:8080"),
            ("*", "localhost:8080"),
            ("http://localhost:8081", "localhost:8080"),
            ("http://127.0.0.1:8080", "localhost:8080"),
            ("http://evil.example", "localhost:8080"),
            ("http://ui.example", "localhost:8080"),
            ("http://ui.example:443", "localhost:8080"),
            ("https://ui.example.evil.example", "localhost:8080"),
            ("file://localhost:8080", "localhost:8080"),
            ("chrome-extension://localhost", "localhost"),
            ("http://localhost:8080/x", "localhost:8080"),
            ("http://localhost:8080", ""),
        ] {
            assert!(!origin_allowed(origin, host, &loopback()), "{origin} at {host}");
        }
    }
}
