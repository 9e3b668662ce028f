//! Layered configuration: defaults < file (TOML) < environment < flags.
//!
//! A config is a plain struct with `#[derive(Serialize, Deserialize)]` and `#[serde(default)]`, one sub-struct for
//! each component, its keys in snake_case. [`Loader::load`] reads all layers and reports every problem at once,
//! each with where it was written and the nearest key that exists. Unknown keys are refused in every layer;
//! `#[serde(flatten)]` and internally tagged enums cannot be checked that way and have no place in a config.
//!
//! ```text
//!   eventflow.toml        [server]
//!                         listen = "127.0.0.1:8080"
//!   environment           EVENTFLOW_SERVER__LISTEN=127.0.0.1:8080
//!   flag (declared)       --listen 127.0.0.1:8080
//! ```

mod de;
pub mod env_vars;
mod file;
mod problem;
mod secret;
mod source;
mod tree;
mod units;

pub use problem::{ConfigErrors, Origin, Problem, Problems};
pub use secret::Secret;
pub use source::{MapSource, ProcessSource, Source};
pub use units::{bytes, duration};

use serde::Serialize;
use serde::de::DeserializeOwned;
use std::path::PathBuf;
use tree::Node;

/// Checks that go beyond one value: ranges, values that exclude each other.
pub trait Validate {
    /// Adds every problem it finds, each by the key as written in the file: `server.listen`.
    fn validate(&self, problems: &mut Problems);
}

/// A layer of flags: how each is called, the key that it sets, its text.
#[derive(Debug, Clone)]
struct Flag {
    name: String,
    key: String,
    text: String,
}

/// Collects the layers of a configuration.
#[derive(Debug, Clone)]
pub struct Loader {
    prefix: &'static str,
    file: Option<(PathBuf, bool)>,
    vars: Vec<(&'static str, &'static str)>,
    flags: Vec<Flag>,
}

impl Default for Loader {
    fn default() -> Self {
        Self { prefix: env_vars::PREFIX, file: None, vars: Vec::new(), flags: Vec::new() }
    }
}

impl Loader {
    /// A loader of variables that begin with `EVENTFLOW_`.
    pub fn new() -> Self {
        Self::default()
    }

    /// A file that must exist.
    #[must_use]
    pub fn file(mut self, path: impl Into<PathBuf>) -> Self {
        self.file = Some((path.into(), true));
        self
    }

    /// A file that need not exist.
    #[must_use]
    pub fn file_if_exists(mut self, path: impl Into<PathBuf>) -> Self {
        self.file = Some((path.into(), false));
        self
    }

    /// The variable of a key that stands in no section: `EVENTFLOW_LISTEN` for `listen`.
    #[must_use]
    pub fn var(mut self, name: &'static str, key: &'static str) -> Self {
        self.vars.push((name, key));
        self
    }

    /// A flag that was given, as the person wrote it (`--listen`), the key it sets (`server.listen`) and its text.
    #[must_use]
    pub fn flag(mut self, name: impl Into<String>, key: impl Into<String>, text: impl Into<String>) -> Self {
        self.flags.push(Flag { name: name.into(), key: key.into(), text: text.into() });
        self
    }

    /// Reads all layers. Where a value is bad, the rest is still read and checked, so that all problems of all
    /// layers come in one answer.
    pub fn load<T: DeserializeOwned + Validate>(
        &self,
        source: &dyn Source,
    ) -> Result<Loaded<T>, ConfigErrors> {
        let mut problems = Vec::new();
        let mut root = Node::table();
        if let Some((path, required)) = &self.file
            && let Some(layer) = file::read(source, path, *required, &mut problems)
        {
            root.merge(layer);
        }
        self.environment(source, &mut root, &mut problems);
        for flag in &self.flags {
            let path = flag.key.split('.').map(str::to_owned).collect::<Vec<_>>();
            root.insert(&path, &flag.text, &Origin::Flag(flag.name.as_str().into()));
        }
        let config = de::read::<T>(root.clone(), &mut problems);
        if let Some(config) = &config {
            let mut found = Problems::default();
            config.validate(&mut found);
            for (path, message) in found.into_inner() {
                // A key that could not be read stands at its default now: what is wrong with it has been said.
                if !problems.iter().any(|problem| problem.path == path) {
                    problems.push(Problem { origin: root.origin_of(&path), path, message });
                }
            }
        }
        match config {
            Some(config) if problems.is_empty() => Ok(Loaded { config, root }),
            _ => Err(ConfigErrors::new(problems)),
        }
    }

    fn environment(&self, source: &dyn Source, root: &mut Node, problems: &mut Vec<Problem>) {
        let mut vars = source.vars();
        vars.sort();
        for (name, text) in vars {
            if let Some((_, key)) = self.vars.iter().find(|(known, _)| *known == name) {
                root.insert(&[(*key).to_owned()], &text, &Origin::Env(name.as_str().into()));
                continue;
            }
            // One underscore is for variables that are no config keys: EVENTFLOW_URL, EVENTFLOW_TOKEN.
            let Some(key) = name.strip_prefix(self.prefix).filter(|key| key.contains("__")) else { continue };
            let path: Vec<String> = key.split("__").map(str::to_lowercase).collect();
            let origin = Origin::Env(name.as_str().into());
            if path.iter().any(String::is_empty) {
                let message = format!("must be called {}<SECTION>__<KEY>", self.prefix);
                problems.push(Problem { origin, path: path.join("."), message });
            } else {
                root.insert(&path, &text, &origin);
            }
        }
    }
}

/// A configuration, and where each of its values was written.
#[derive(Debug, Clone)]
pub struct Loaded<T> {
    pub config: T,
    root: Node,
}

impl<T> Loaded<T> {
    /// Where a key was written: [`Origin::Default`] if nowhere.
    pub fn origin(&self, key: &str) -> Origin {
        self.root.origin_of(key)
    }

    /// A problem that shows when a value is used: a port that is taken, a folder that cannot be written.
    pub fn problem(&self, key: &str, message: impl Into<String>) -> ConfigErrors {
        let problem = Problem { origin: self.origin(key), path: key.to_owned(), message: message.into() };
        ConfigErrors::new(vec![problem])
    }
}

/// The configuration as a TOML file, with secrets hidden.
pub fn dump<T: Serialize>(config: &T) -> Result<String, toml::ser::Error> {
    toml::to_string_pretty(config)
}

#[cfg(test)]
mod tests;
