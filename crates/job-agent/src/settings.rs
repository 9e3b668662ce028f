use hyper::Uri;
use std::path::PathBuf;
use std::time::Duration;

/// What the environment says.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) host: String,
    pub(crate) port: u16,
    /// Of the attempt: `/v1/attempts/<id>/<attempt>`.
    pub(crate) path: String,
    pub(crate) token: String,
    pub(crate) file: PathBuf,
    pub(crate) patience: Duration,
}

impl Settings {
    #[expect(clippy::disallowed_methods, reason = "the environment is this program's only configuration")]
    pub(crate) fn read() -> Result<Self, String> {
        Self::from(|name| std::env::var(name).ok())
    }

    fn from(var: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let text = |name: &str| {
            var(name).filter(|text| !text.is_empty()).ok_or_else(|| format!("{name} is not set"))
        };
        let url: Uri = text("EVENTFLOW_AGENT_URL")?
            .parse()
            .map_err(|error| format!("EVENTFLOW_AGENT_URL is no URL: {error}"))?;
        if url.scheme_str() != Some("http") {
            return Err("EVENTFLOW_AGENT_URL must begin with http://".to_owned());
        }
        let host = url.host().ok_or("EVENTFLOW_AGENT_URL has no host")?;
        Ok(Self {
            host: host.to_owned(),
            port: url.port_u16().unwrap_or(80),
            path: url.path().to_owned(),
            token: text("EVENTFLOW_AGENT_TOKEN")?,
            file: text("EVENTFLOW_AGENT_FILE")?.into(),
            patience: Duration::from_secs(
                text("EVENTFLOW_AGENT_SECONDS")?
                    .parse()
                    .map_err(|error| format!("EVENTFLOW_AGENT_SECONDS is no number: {error}"))?,
            ),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_whole_or_refused() {
        let all = |name: &str| {
            Some(match name {
                "EVENTFLOW_AGENT_URL" => "http://10.0.0.1:9091/v1/attempts/x/1".to_owned(),
                "EVENTFLOW_AGENT_SECONDS" => "30".to_owned(),
                other => other.to_lowercase(),
            })
        };
        let settings = Settings::from(all).expect("is whole");
        assert_eq!(
            (settings.host.as_str(), settings.port, settings.path.as_str()),
            ("10.0.0.1", 9091, "/v1/attempts/x/1")
        );
        assert_eq!(settings.patience, Duration::from_secs(30));
        for missing in ["EVENTFLOW_AGENT_URL", "EVENTFLOW_AGENT_TOKEN", "EVENTFLOW_AGENT_FILE"] {
            let refused =
                Settings::from(|name| all(name).filter(|_| name != missing)).expect_err("lacks one");
            assert!(refused.contains(missing), "{refused}");
        }
        assert!(
            Settings::from(|name| if name.ends_with("URL") { Some("ftp://x".into()) } else { all(name) })
                .is_err()
        );
    }
}
