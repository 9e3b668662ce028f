//! The environment variables of EventFlow that are no config keys; the keys of a config file are
//! `EVENTFLOW_<SECTION>__<KEY>`.

/// What all of them begin with.
pub const PREFIX: &str = "EVENTFLOW_";

/// A variable, and what it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EnvVar {
    pub name: &'static str,
    pub help: &'static str,
}

/// Where clients find the server.
pub const URL: EnvVar = EnvVar { name: "EVENTFLOW_URL", help: "address of the server, for clients" };
/// What clients authenticate with.
pub const TOKEN: EnvVar = EnvVar { name: "EVENTFLOW_TOKEN", help: "bearer token, for clients" };
/// The namespace that clients mean where they name none.
pub const NAMESPACE: EnvVar = EnvVar { name: "EVENTFLOW_NAMESPACE", help: "default namespace, for clients" };
/// The config file.
pub const CONFIG: EnvVar = EnvVar { name: "EVENTFLOW_CONFIG", help: "path of the config file" };

/// All of them, for the reference.
pub const ALL: [EnvVar; 4] = [URL, TOKEN, NAMESPACE, CONFIG];
