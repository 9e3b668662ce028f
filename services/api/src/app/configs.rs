use super::App;
use eventflow_domain::access::{Caller, Permission};
use eventflow_domain::names::NameError;
use eventflow_domain::ports::{ConfigData, ConfigEntry, ConfigKind};
use eventflow_domain::{ConfigName, EnvName, Error, ErrorKind, Namespace, Result, Violation};
use std::collections::HashMap;

/// Keys and values of one secret or config together, as in Kubernetes.
const MAX_BYTES: usize = 1 << 20;

impl App {
    pub async fn config_put(
        &self,
        caller: &Caller,
        kind: ConfigKind,
        namespace: &Namespace,
        name: &str,
        values: HashMap<String, String>,
    ) -> Result<ConfigEntry> {
        caller.require(Permission::ConfigsWrite, namespace)?;
        let name = config_name(name)?;
        let data = parse(values)?;
        self.parts.store.config_put(kind, namespace, &name, data).await
    }

    pub async fn config_list(
        &self,
        caller: &Caller,
        kind: ConfigKind,
        namespace: &Namespace,
    ) -> Result<Vec<ConfigEntry>> {
        caller.require(Permission::ConfigsRead, namespace)?;
        self.parts.store.config_list(kind, namespace).await
    }

    pub async fn config_delete(
        &self,
        caller: &Caller,
        kind: ConfigKind,
        namespace: &Namespace,
        name: &str,
    ) -> Result<()> {
        caller.require(Permission::ConfigsWrite, namespace)?;
        let name = config_name(name)?;
        if self.parts.store.config_delete(kind, namespace, &name).await? {
            return Ok(());
        }
        let (what, reason) = match kind {
            ConfigKind::Secret => ("secret", "SecretNotFound"),
            ConfigKind::Config => ("config", "ConfigNotFound"),
        };
        Err(Error::new(ErrorKind::NotFound, reason, format!("{what} {name:?} does not exist")))
    }
}

fn config_name(name: &str) -> Result<ConfigName> {
    name.parse().map_err(|error: NameError| Error::invalid("name", error.to_string()))
}

fn parse(values: HashMap<String, String>) -> Result<ConfigData> {
    let size: usize = values.iter().map(|(key, value)| key.len() + value.len()).sum();
    if size > MAX_BYTES {
        return Err(Error::invalid(
            "data",
            format!("must have at most {MAX_BYTES} bytes in all, has {size}"),
        ));
    }
    let (mut data, mut violations) = (ConfigData::default(), Vec::new());
    for (key, value) in values {
        match key.parse::<EnvName>() {
            Ok(key) if key.is_reserved() => {
                violations
                    .push(Violation::new(format!("values.{key}"), "is a name that EventFlow sets itself"));
            }
            Ok(_) if value.contains('\0') => {
                violations.push(Violation::new(format!("values.{key}"), "the value must not contain NUL"));
            }
            Ok(key) => {
                data.0.insert(key, value);
            }
            Err(error) => {
                let field = format!("values.{}", key.escape_debug());
                violations.push(Violation::new(field, format!("the key {error}")));
            }
        }
    }
    if violations.is_empty() {
        return Ok(data);
    }
    violations.sort_by(|a, b| a.field.cmp(&b.field));
    Err(Error::violations(violations))
}
