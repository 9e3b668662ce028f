use super::age;
use crate::args;
use crate::client::Client;
use crate::exit::{Failure, Result};
use crate::output::{Format, line, out, table};
use crate::render;
use eventflow_proto::v1;
use std::collections::HashMap;
use std::io::Read as _;

pub(super) async fn secret(client: &Client, command: args::Config) -> Result<()> {
    let namespace = client.namespace.clone();
    match command {
        args::Config::Set { name, values } => {
            let request = v1::PutSecretRequest { namespace, name: name.clone(), data: Some(parse(&values)?) };
            client.configs().put_secret(request).await.map_err(client.failed())?;
            line(&format!("secret {}/{name} set", client.namespace))
        }
        args::Config::List { shown } => {
            let answer = client.configs().list_secrets(v1::ListSecretsRequest { namespace }).await;
            list(answer.map_err(client.failed())?.into_inner().entries, shown.output)
        }
        args::Config::Delete { name } => {
            let request = v1::DeleteSecretRequest { namespace, name: name.clone() };
            client.configs().delete_secret(request).await.map_err(client.failed())?;
            line(&format!("secret {}/{name} deleted", client.namespace))
        }
    }
}

pub(super) async fn config(client: &Client, command: args::Config) -> Result<()> {
    let namespace = client.namespace.clone();
    match command {
        args::Config::Set { name, values } => {
            let request = v1::PutConfigRequest { namespace, name: name.clone(), data: Some(parse(&values)?) };
            client.configs().put_config(request).await.map_err(client.failed())?;
            line(&format!("config {}/{name} set", client.namespace))
        }
        args::Config::List { shown } => {
            let answer = client.configs().list_configs(v1::ListConfigsRequest { namespace }).await;
            list(answer.map_err(client.failed())?.into_inner().entries, shown.output)
        }
        args::Config::Delete { name } => {
            let request = v1::DeleteConfigRequest { namespace, name: name.clone() };
            client.configs().delete_config(request).await.map_err(client.failed())?;
            line(&format!("config {}/{name} deleted", client.namespace))
        }
    }
}

/// `KEY=VALUE`, or `KEY=-` for all of stdin.
fn parse(pairs: &[String]) -> Result<v1::ConfigData> {
    let mut values = HashMap::new();
    for pair in pairs {
        let (key, value) = pair.split_once('=').ok_or_else(|| {
            // The text may hold a secret: it is not repeated.
            Failure::new(2, "values must be given as KEY=VALUE")
        })?;
        let value = match value {
            "-" => {
                let mut text = String::new();
                std::io::stdin().read_to_string(&mut text).map_err(|error| {
                    Failure::new(Failure::NO_INPUT, format!("cannot read {key} from stdin: {error}"))
                })?;
                text.trim_end_matches(['\r', '\n']).to_owned()
            }
            value => value.to_owned(),
        };
        values.insert(key.to_owned(), value);
    }
    Ok(v1::ConfigData { values })
}

fn list(entries: Vec<v1::ConfigEntry>, format: Format) -> Result<()> {
    if format != Format::Table {
        return out(render::message(&v1::ListSecretsResponse { entries }, format)?.as_bytes());
    }
    let rows = entries.iter().map(|e| vec![e.name.clone(), e.keys.join(", "), age(e.update_time.as_ref())]);
    out(table(&["NAME", "KEYS", "AGE"], rows.collect()).as_bytes())
}
