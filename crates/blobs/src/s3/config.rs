//! What a bucket needs to be told, and why it cannot be opened.

use crate::key;
use eventflow_domain::Error;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// Where the blobs are, and as whom.
#[derive(Clone)]
pub struct S3Config {
    /// `https://host[:port]` of a compatible storage; absent: that of AWS in `region`.
    pub endpoint: Option<String>,
    pub bucket: String,
    pub region: String,
    /// Segments of `[a-z0-9._-]` before all keys; empty: none. What lies under it is ours alone.
    pub prefix: String,
    pub access_key: String,
    pub secret_key: String,
    /// Whether `endpoint` may be `http://`: payloads would be readable on the way.
    pub allow_http: bool,
    /// Whether the bucket is a part of the host name, not of the path.
    pub virtual_hosted: bool,
    /// PEM certificates to trust beside those of the system.
    pub ca_file: Option<PathBuf>,
    /// Longest wait for a connection, for the answer to a small request, and for the next bytes of an answer. A body
    /// that is sent has a second more for each 256 KiB.
    pub timeout: Duration,
    /// How often a request is sent again, if at all: within `timeout` of the first.
    pub retries: usize,
}

impl Default for S3Config {
    fn default() -> Self {
        Self {
            endpoint: None,
            bucket: String::new(),
            region: "us-east-1".to_owned(),
            prefix: String::new(),
            access_key: String::new(),
            secret_key: String::new(),
            allow_http: false,
            virtual_hosted: false,
            ca_file: None,
            timeout: Duration::from_secs(10),
            retries: 3,
        }
    }
}

impl fmt::Debug for S3Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Config")
            .field("endpoint", &self.endpoint)
            .field("bucket", &self.bucket)
            .field("region", &self.region)
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}

/// Why a bucket cannot be opened. The text is for the person who started the process.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("the setting {setting} of the blob storage {wanted}")]
    Setting { setting: &'static str, wanted: &'static str },
    #[error("failed to make a client of the blob storage")]
    Client(#[source] Error),
    #[error("failed to read the certificates to trust")]
    Certificates(#[source] std::io::Error),
    /// Of the probe: a bucket that cannot do all we need is not used at all.
    #[error("failed to {doing} in bucket {bucket}")]
    Probe {
        doing: &'static str,
        bucket: String,
        #[source]
        source: Error,
    },
    #[error("bucket {bucket} is not what was asked for: a new object {found}")]
    Inconsistent { bucket: String, found: &'static str },
}

impl From<OpenError> for Error {
    fn from(error: OpenError) -> Self {
        Self::unavailable(error.to_string()).with_cause(error)
    }
}

impl S3Config {
    pub(super) fn validate(&self) -> Result<(), OpenError> {
        let wrong = |setting, wanted| Err(OpenError::Setting { setting, wanted });
        if self.bucket.is_empty() || self.bucket.contains('/') {
            return wrong("bucket", "must be the name of a bucket");
        }
        if self.region.is_empty() {
            return wrong("region", "must be set");
        }
        if self.access_key.is_empty() || self.secret_key.is_empty() {
            return wrong("access_key", "must be set, and secret_key with it");
        }
        if !self.prefix.is_empty() && key::parse(&self.prefix).is_err() {
            return wrong("prefix", "must be segments of [a-z0-9._-] with / between them");
        }
        match &self.endpoint {
            Some(url) if url.contains('@') => wrong("endpoint", "must not carry credentials"),
            Some(url) if url.starts_with("http://") && !self.allow_http => {
                wrong("endpoint", "must be an https:// URL unless allow_http is set")
            }
            Some(url) if !url.starts_with("http://") && !url.starts_with("https://") => {
                wrong("endpoint", "must be an https:// URL")
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> S3Config {
        let endpoint = Some("https://s3.example.com".to_owned());
        let (access_key, secret_key) = ("someone".to_owned(), "hush".to_owned());
        S3Config { endpoint, bucket: "blobs".into(), access_key, secret_key, ..S3Config::default() }
    }

    #[test]
    fn what_cannot_work_is_said_by_its_setting() {
        config().validate().expect("fine");
        let wrong: [(&str, S3Config); 7] = [
            ("bucket", S3Config { bucket: String::new(), ..config() }),
            ("region", S3Config { region: String::new(), ..config() }),
            ("access_key", S3Config { secret_key: String::new(), ..config() }),
            ("prefix", S3Config { prefix: "a/../b".into(), ..config() }),
            ("endpoint", S3Config { endpoint: Some("http://s3.example.com".into()), ..config() }),
            ("endpoint", S3Config { endpoint: Some("s3.example.com".into()), ..config() }),
            ("endpoint", S3Config { endpoint: Some("https://a:b@s3.example.com".into()), ..config() }),
        ];
        for (named, config) in wrong {
            match config.validate() {
                Err(OpenError::Setting { setting, .. }) => assert_eq!(setting, named),
                other => panic!("{named}: {other:?}"),
            }
        }
    }

    #[test]
    fn credentials_are_not_printed() {
        let printed = format!("{:?}", config());
        assert!(printed.contains("blobs") && !printed.contains("hush") && !printed.contains("someone"));
    }
}
