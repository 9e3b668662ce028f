//! Certificates of our own: an authority signs one server certificate, and its key is thrown away. The next pair has a new
//! authority; both are trusted until the earlier pair is used by nobody.

use eventflow_crd::names;
use eventflow_domain::Timestamp;
use eventflow_domain::error::Chain;
use eventflow_domain::ports::Clock;
use eventflow_lifecycle::CancellationToken;
use k8s_openapi::ByteString;
use k8s_openapi::api::admissionregistration::v1::ValidatingWebhookConfiguration;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::jiff;
use kube::api::{ObjectMeta, Patch, PatchParams, PostParams};
use kube::{Api, Client};
use parking_lot::RwLock;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use serde_json::json;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// The life of a pair, and the part of it after which the next one is made.
const LIFE: Duration = Duration::from_secs(90 * 86_400);
const RENEW: Duration = Duration::from_secs(60 * 86_400);
/// Between two looks at the Secret.
const EVERY: Duration = Duration::from_secs(30);
const MADE: &str = "eventflow.io/made";

/// A server certificate with what it takes to trust it; all PEM.
#[derive(Clone, PartialEq, Eq)]
pub struct Pair {
    /// The authorities to trust: of this pair, and of the one before.
    pub bundle: String,
    pub certificate: String,
    pub key: String,
    pub made: Timestamp,
}

impl fmt::Debug for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pair").field("made", &self.made).finish_non_exhaustive()
    }
}

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("failed to make a certificate")]
    Make(#[from] rcgen::Error),
    #[error("failed to read the certificate: {0}")]
    Read(String),
    #[error("failed to reach the API server")]
    Api(#[from] kube::Error),
}

impl Pair {
    /// A new pair for these names. Trusts what `before` was signed by, too.
    pub fn make(names: &[String], now: Timestamp, before: Option<&Self>) -> Result<Self, Error> {
        let mut authority = CertificateParams::new(Vec::new())?;
        authority.distinguished_name.push(DnType::CommonName, "eventflow-operator-ca");
        authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let mut server = CertificateParams::new(names.to_vec())?;
        server.distinguished_name.push(DnType::CommonName, "eventflow-operator");
        for params in [&mut authority, &mut server] {
            let ((year, month, day), (last, last_month, last_day)) =
                (date(now - Duration::from_secs(86_400)), date(now + LIFE));
            params.not_before = rcgen::date_time_ymd(year, month, day);
            params.not_after = rcgen::date_time_ymd(last, last_month, last_day);
        }
        let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate()?)?;
        let key = KeyPair::generate()?;
        let certificate = server.signed_by(&key, &authority)?;
        // The newest authority first; of the earlier ones, the last is enough.
        let earlier =
            before.and_then(|before| before.bundle.split_inclusive("-----END CERTIFICATE-----\n").next());
        Ok(Self {
            bundle: authority.pem() + earlier.unwrap_or_default(),
            certificate: certificate.pem(),
            key: key.serialize_pem(),
            made: now,
        })
    }

    fn is_old(&self, now: Timestamp) -> bool {
        now.since(self.made) >= RENEW
    }

    fn certified(&self) -> Result<CertifiedKey, Error> {
        let read = |error: &dyn fmt::Display| Error::Read(error.to_string());
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(self.certificate.as_bytes()).collect();
        let chain = chain.map_err(|error| read(&error))?;
        let key = PrivateKeyDer::from_pem_slice(self.key.as_bytes()).map_err(|error| read(&error))?;
        let key = rustls::crypto::ring::sign::any_supported_type(&key).map_err(|error| read(&error))?;
        Ok(CertifiedKey::new(chain, key))
    }

    fn to_secret(&self, name: &str, version: Option<String>) -> Secret {
        let data = [("ca.crt", &self.bundle), ("tls.crt", &self.certificate), ("tls.key", &self.key)];
        Secret {
            metadata: ObjectMeta {
                name: Some(name.to_owned()),
                resource_version: version,
                annotations: Some([(MADE.to_owned(), self.made.rfc3339())].into()),
                labels: Some([(names::MANAGED_BY.to_owned(), names::MANAGER.to_owned())].into()),
                ..ObjectMeta::default()
            },
            type_: Some("Opaque".to_owned()),
            data: Some(
                data.map(|(key, text)| (key.to_owned(), ByteString(text.clone().into_bytes()))).into(),
            ),
            ..Secret::default()
        }
    }

    /// `None` where the Secret holds no pair (yet).
    fn from_secret(secret: &Secret) -> Option<Self> {
        let text = |data: &BTreeMap<String, ByteString>, key: &str| {
            data.get(key).and_then(|bytes| String::from_utf8(bytes.0.clone()).ok())
        };
        let data = secret.data.as_ref()?;
        let made = secret.metadata.annotations.as_ref()?.get(MADE)?.parse().ok()?;
        Some(Self {
            bundle: text(data, "ca.crt")?,
            certificate: text(data, "tls.crt")?,
            key: text(data, "tls.key")?,
            made,
        })
    }
}

/// Year, month and day.
fn date(time: Timestamp) -> (i32, u8, u8) {
    let time = jiff::Timestamp::from_microsecond(time.as_micros()).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    let day = time.to_zoned(jiff::tz::TimeZone::UTC).date();
    (day.year().into(), day.month().unsigned_abs(), day.day().unsigned_abs())
}

/// The certificate in use; changed while connections are open.
#[derive(Debug, Default)]
pub struct Certificates(RwLock<Option<Arc<CertifiedKey>>>);

impl Certificates {
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// From now on new connections get this one.
    pub fn set(&self, pair: &Pair) -> Result<(), Error> {
        let certified = Arc::new(pair.certified()?);
        *self.0.write() = Some(certified);
        Ok(())
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.0.read().clone()
    }
}

/// Keeps the pair in the Secret, the certificate in use and the webhook's trust in step.
pub struct Renewal {
    pub client: Client,
    pub clock: Arc<dyn Clock>,
    pub namespace: String,
    pub secret: String,
    /// The ValidatingWebhookConfiguration; empty = none.
    pub webhook: String,
    /// The names that the API server and Prometheus call us by.
    pub names: Vec<String>,
    pub certificates: Arc<Certificates>,
}

impl fmt::Debug for Renewal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Renewal")
            .field("secret", &self.secret)
            .field("names", &self.names)
            .finish_non_exhaustive()
    }
}

impl Renewal {
    /// Until told to stop. What fails is tried again at the next look.
    pub async fn run(self, stop: CancellationToken) {
        let mut used = None;
        loop {
            if let Err(error) = self.round(&mut used).await {
                tracing::warn!(error = %Chain(&error), "failed to keep the certificates");
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(EVERY) => {}
            }
        }
    }

    /// One look: makes or renews the pair where that is due, uses it, and has it trusted.
    pub async fn round(&self, used: &mut Option<Pair>) -> Result<(), Error> {
        let pair = self.current().await?;
        if used.as_ref() != Some(&pair) {
            self.certificates.set(&pair)?;
            tracing::info!(made = %pair.made, "uses a certificate");
            *used = Some(pair.clone());
        }
        self.trust(&pair).await
    }

    async fn current(&self) -> Result<Pair, Error> {
        let api: Api<Secret> = Api::namespaced(self.client.clone(), &self.namespace);
        let found = api.get_opt(&self.secret).await?;
        let now = self.clock.now();
        let kept = found.as_ref().and_then(Pair::from_secret);
        if let Some(pair) = &kept
            && !pair.is_old(now)
            && pair.certified().is_ok()
        {
            return Ok(pair.clone());
        }
        let fresh = Pair::make(&self.names, now, kept.as_ref())?;
        let params = PostParams { field_manager: Some(names::OPERATOR.to_owned()), ..PostParams::default() };
        let version = found.and_then(|found| found.metadata.resource_version);
        let written = match version {
            Some(_) => api.replace(&self.secret, &params, &fresh.to_secret(&self.secret, version)).await,
            None => api.create(&params, &fresh.to_secret(&self.secret, None)).await,
        };
        match written {
            Ok(_) => Ok(fresh),
            // Another replica was first: its pair is the one.
            Err(kube::Error::Api(status)) if status.code == 409 => {
                let theirs = api.get(&self.secret).await?;
                Pair::from_secret(&theirs).ok_or_else(|| Error::Read("the Secret holds no pair".to_owned()))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Tells the API server whom to trust; writes nothing where it knows.
    async fn trust(&self, pair: &Pair) -> Result<(), Error> {
        if self.webhook.is_empty() {
            return Ok(());
        }
        let api: Api<ValidatingWebhookConfiguration> = Api::all(self.client.clone());
        let Some(found) = api.get_opt(&self.webhook).await? else { return Ok(()) };
        let bundle = ByteString(pair.bundle.clone().into_bytes());
        let webhooks = found.webhooks.unwrap_or_default();
        if webhooks.iter().all(|webhook| webhook.client_config.ca_bundle.as_ref() == Some(&bundle)) {
            return Ok(());
        }
        let patches: Vec<_> = webhooks
            .iter()
            .map(|webhook| json!({"name": webhook.name, "clientConfig": {"caBundle": bundle}}))
            .collect();
        let patch = json!({"webhooks": patches});
        // Strategic: entries are merged by their names, what else they say stays.
        let params =
            PatchParams { field_manager: Some(names::OPERATOR.to_owned()), ..PatchParams::default() };
        api.patch(&self.webhook, &params, &Patch::Strategic(&patch)).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-11-28T00:00:00Z".parse().expect("a time")
    }

    #[test]
    fn a_new_pair_is_trusted_beside_the_one_before_and_bundles_do_not_grow() {
        let names = ["eventflow-operator.eventflow.svc".to_owned()];
        let first = Pair::make(&names, now(), None).expect("a pair");
        let second = Pair::make(&names, now() + RENEW, Some(&first)).expect("a pair");
        let third = Pair::make(&names, now() + RENEW, Some(&second)).expect("a pair");
        let count = |pair: &Pair| pair.bundle.matches("BEGIN CERTIFICATE").count();
        assert_eq!([count(&first), count(&second), count(&third)], [1, 2, 2]);
        assert!(second.bundle.ends_with(&first.bundle), "the first is trusted until nobody uses it");
        assert!(!third.bundle.contains(&first.bundle));
        assert!(first.certified().is_ok());
    }

    #[test]
    fn a_pair_survives_its_secret_and_gets_old_in_time() {
        let pair = Pair::make(&["a".to_owned()], now(), None).expect("a pair");
        assert_eq!(Pair::from_secret(&pair.to_secret("s", None)).as_ref(), Some(&pair));
        assert_eq!(Pair::from_secret(&Secret::default()), None);
        assert!(!pair.is_old(now() + RENEW - Duration::from_secs(1)));
        assert!(pair.is_old(now() + RENEW) && RENEW < LIFE);
        assert!(!format!("{pair:?}").contains("PRIVATE"), "keys are not printed");
    }
}
