//! Tokens saved by `eventflow login`: one file of the user's own, one token for each server.

use crate::env;
use crate::exit::{Failure, Result};
use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::PathBuf;

fn file() -> Result<PathBuf> {
    env::config_folder().map(|folder| folder.join("credentials.json")).ok_or_else(|| {
        Failure::new(Failure::CANNOT_CREATE, "neither HOME nor XDG_CONFIG_HOME is set: use EVENTFLOW_TOKEN")
    })
}

fn read() -> Result<BTreeMap<String, String>> {
    match fs::read(file()?) {
        Ok(bytes) => Ok(serde_json::from_slice(&bytes).unwrap_or_default()),
        Err(_) => Ok(BTreeMap::new()),
    }
}

/// The token for a server.
pub(crate) fn load(url: &str) -> Option<String> {
    env::token().or_else(|| read().ok()?.remove(url))
}

/// Keeps a token for a server, readable by the user alone.
pub(crate) fn save(url: &str, token: &str) -> Result<PathBuf> {
    let path = file()?;
    let failed = |error: std::io::Error| {
        Failure::new(Failure::CANNOT_CREATE, format!("cannot write {}: {error}", path.display()))
    };
    if let Some(folder) = path.parent() {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
    }
    let mut tokens = read()?;
    tokens.insert(url.to_owned(), token.to_owned());
    let text = serde_json::to_vec_pretty(&tokens).map_err(|error| failed(error.into()))?;
    let fresh = path.with_extension("tmp");
    let mut options = fs::OpenOptions::new();
    let mut file =
        options.write(true).create(true).truncate(true).mode(0o600).open(&fresh).map_err(failed)?;
    file.write_all(&text).and_then(|()| file.sync_all()).map_err(failed)?;
    fs::rename(&fresh, &path).map_err(failed)?;
    Ok(path)
}
