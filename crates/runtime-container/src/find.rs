//! Where an engine may answer.

use std::ffi::OsString;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

/// An address of an engine on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Address {
    Unix(PathBuf),
    Tcp(SocketAddr),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "{}", path.display()),
            Self::Tcp(address) => write!(f, "tcp://{address}"),
        }
    }
}

/// Where an engine is looked for, in this order. One that is named is the only one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sockets(pub(crate) Vec<Address>);

impl Sockets {
    /// `setting` if it says something, else `$DOCKER_HOST`, else the places where Podman and Docker listen. An error
    /// says what is wrong with a name, and where it came from.
    pub fn find(
        setting: &str,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Self, String> {
        let (mut host, mut runtime) = (None, None);
        for (name, value) in environment {
            match name.to_str() {
                Some("DOCKER_HOST") if !value.is_empty() => host = Some(value),
                Some("XDG_RUNTIME_DIR") if !value.is_empty() => runtime = Some(PathBuf::from(value)),
                _ => {}
            }
        }
        if !setting.is_empty() {
            return Self::parse(setting).map_err(|rule| format!("{rule}, is {setting:?}"));
        }
        if let Some(host) = host {
            let host = host.to_string_lossy();
            return Self::parse(&host).map_err(|rule| format!("DOCKER_HOST {rule}, is {host:?}"));
        }
        let of_user = runtime.iter().flat_map(|folder| {
            [folder.join("podman/podman.sock"), folder.join("docker.sock")].map(Address::Unix)
        });
        let of_system = ["/run/podman/podman.sock", "/var/run/docker.sock"];
        Ok(Self(of_user.chain(of_system.map(|path| Address::Unix(path.into()))).collect()))
    }

    /// One address: `unix:///path`, an absolute path, or `tcp://127.0.0.1:port`.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        const RULE: &str = "must be unix:///path/of/the.sock or tcp:// and a loopback address, since functions in http \
                            mode are reached on this machine";
        let path = text.strip_prefix("unix://").unwrap_or(text);
        if path.starts_with('/') {
            return Ok(Self(vec![Address::Unix(path.into())]));
        }
        let tcp = text.strip_prefix("tcp://").or_else(|| text.strip_prefix("http://")).ok_or(RULE)?;
        let tcp = tcp.trim_end_matches('/').replace("localhost:", "127.0.0.1:");
        let address: SocketAddr = tcp.parse().map_err(|_| RULE)?;
        if !address.ip().is_loopback() {
            return Err(RULE);
        }
        Ok(Self(vec![Address::Tcp(address)]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(pairs: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
        pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
    }

    fn shown(sockets: &Sockets) -> Vec<String> {
        sockets.0.iter().map(Address::to_string).collect()
    }

    #[test]
    fn the_setting_comes_before_the_variable_and_both_before_the_usual_places() {
        let both = env(&[("DOCKER_HOST", "unix:///b.sock"), ("XDG_RUNTIME_DIR", "/run/user/7")]);
        assert_eq!(shown(&Sockets::find("/a.sock", both.clone()).expect("fine")), ["/a.sock"]);
        assert_eq!(shown(&Sockets::find("", both).expect("fine")), ["/b.sock"]);
        let usual = Sockets::find("", env(&[("XDG_RUNTIME_DIR", "/run/user/7"), ("DOCKER_HOST", "")]));
        assert_eq!(
            shown(&usual.expect("fine")),
            [
                "/run/user/7/podman/podman.sock",
                "/run/user/7/docker.sock",
                "/run/podman/podman.sock",
                "/var/run/docker.sock"
            ]
        );
    }

    #[test]
    fn an_engine_of_another_machine_is_refused_and_the_place_of_the_mistake_is_told() {
        assert_eq!(shown(&Sockets::parse("tcp://localhost:2375").expect("fine")), ["tcp://127.0.0.1:2375"]);
        for bad in ["tcp://10.0.0.7:2375", "ssh://me@host", "docker.sock", "tcp://[::1]", ""] {
            assert!(Sockets::parse(bad).is_err(), "{bad}");
        }
        let told = Sockets::find("", env(&[("DOCKER_HOST", "ssh://me@host")])).expect_err("refused");
        assert!(told.starts_with("DOCKER_HOST must be") && told.ends_with("is \"ssh://me@host\""), "{told}");
    }
}
