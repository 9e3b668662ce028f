//! The Secrets and ConfigMaps that a function names. Only these are read, one by one: the operator may not list them.

use super::{Error, REREAD, Valid};
use eventflow_domain::spec::EnvFrom;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::{Api, Client};
use parking_lot::Mutex;
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use tokio::time::Instant;

/// What was read of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Configs {
    /// Of all their contents; `None` where the function names none, or one is missing.
    pub digest: Option<String>,
    /// Those that do not exist.
    pub missing: Vec<EnvFrom>,
}

type Id = (bool, String, String);

/// Remembers digests for a minute, so that a function that changes often does not read its Secrets each time.
#[derive(Debug, Default)]
pub struct References(Mutex<HashMap<Id, (Instant, Option<String>)>>);

/// Digests remembered at most; more are read anew.
const MOST: usize = 10_000;

impl References {
    pub async fn read(&self, client: &Client, valid: &Valid) -> Result<Configs, Error> {
        let mut missing = Vec::new();
        // The uid, so that equal contents of two functions do not show as equal.
        let mut hash = Sha256::new().chain_update(valid.uid.to_string());
        for source in &valid.spec.env_from {
            match self.digest(client, valid.key.namespace.as_str(), source).await? {
                Some(digest) => hash.update(digest),
                None => missing.push(source.clone()),
            }
        }
        let whole = missing.is_empty() && !valid.spec.env_from.is_empty();
        let digest = whole.then(|| hex::encode(hash.finalize().get(..16).unwrap_or_default()));
        Ok(Configs { digest, missing })
    }

    async fn digest(
        &self,
        client: &Client,
        namespace: &str,
        source: &EnvFrom,
    ) -> Result<Option<String>, Error> {
        let (secret, name) = match source {
            EnvFrom::SecretRef(name) => (true, name.as_str()),
            EnvFrom::ConfigMapRef(name) => (false, name.as_str()),
        };
        let id = (secret, namespace.to_owned(), name.to_owned());
        if let Some((read, digest)) = self.0.lock().get(&id)
            && read.elapsed() < REREAD / 2
            && digest.is_some()
        {
            return Ok(digest.clone());
        }
        let digest = if secret {
            of_secret(client, namespace, name).await
        } else {
            of_config(client, namespace, name).await
        };
        let kind = if secret { "Secret" } else { "ConfigMap" };
        let digest = digest.map_err(|error| Error::api(format!("read {kind} {namespace}/{name}"), error))?;
        let mut remembered = self.0.lock();
        if remembered.len() >= MOST {
            remembered.clear();
        }
        remembered.insert(id, (Instant::now(), digest.clone()));
        Ok(digest)
    }
}

async fn of_secret(client: &Client, namespace: &str, name: &str) -> kube::Result<Option<String>> {
    let found = Api::<Secret>::namespaced(client.clone(), namespace).get_opt(name).await?;
    Ok(found.map(|secret| {
        let data = secret.data.unwrap_or_default();
        of(data.iter().map(|(key, value)| (key.as_str(), value.0.as_slice())))
    }))
}

async fn of_config(client: &Client, namespace: &str, name: &str) -> kube::Result<Option<String>> {
    let found = Api::<ConfigMap>::namespaced(client.clone(), namespace).get_opt(name).await?;
    Ok(found.map(|config| {
        let data = config.data.unwrap_or_default();
        of(data.iter().map(|(key, value)| (key.as_str(), value.as_bytes())))
    }))
}

/// Lengths first: no two contents have one text.
fn of<'a>(entries: impl Iterator<Item = (&'a str, &'a [u8])>) -> String {
    let mut hash = Sha256::new();
    for (key, value) in entries {
        for part in [key.as_bytes(), value] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
    }
    hex::encode(hash.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_tells_contents_apart() {
        let digest =
            |entries: &[(&str, &str)]| of(entries.iter().map(|(key, value)| (*key, value.as_bytes())));
        assert_eq!(digest(&[("a", "1")]), digest(&[("a", "1")]));
        assert_ne!(digest(&[("a", "1")]), digest(&[("a", "2")]));
        assert_ne!(digest(&[("a", "1b2")]), digest(&[("a", "1"), ("b", "2")]));
    }
}
