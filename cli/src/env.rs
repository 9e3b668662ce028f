//! The variables that clients read. The only place of this crate that reads the environment.

#![expect(clippy::disallowed_methods, reason = "clients take their settings from the environment, here only")]

use std::env::var;
use std::path::PathBuf;

fn non_empty(name: &str) -> Option<String> {
    var(name).ok().filter(|value| !value.is_empty())
}

/// A token that comes before any that was saved by `eventflow login`.
pub(crate) fn token() -> Option<String> {
    non_empty("EVENTFLOW_TOKEN")
}

/// <https://no-color.org>
pub(crate) fn no_color() -> bool {
    non_empty("NO_COLOR").is_some()
}

/// Where settings of a user are kept (XDG Base Directory).
pub(crate) fn config_folder() -> Option<PathBuf> {
    let base = non_empty("XDG_CONFIG_HOME").map(PathBuf::from);
    let base = base.or_else(|| non_empty("HOME").map(|home| PathBuf::from(home).join(".config")));
    base.map(|base| base.join("eventflow"))
}

/// Where `eventflow dev` keeps its data (XDG Base Directory).
pub(crate) fn data_folder() -> PathBuf {
    let base = non_empty("XDG_DATA_HOME").map(PathBuf::from);
    let base = base.or_else(|| non_empty("HOME").map(|home| PathBuf::from(home).join(".local/share")));
    base.unwrap_or_else(|| PathBuf::from(".")).join("eventflow")
}
