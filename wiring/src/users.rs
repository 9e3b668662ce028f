//! The file of those who log in with a password.

use crate::service::StartError;
use eventflow_auth::{DevLogin, User, Users};
use serde::Deserialize;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

/// Bytes of the file.
const LONGEST: u64 = 1 << 20;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entries {
    #[serde(default)]
    users: Vec<User>,
}

/// Everybody in the file, if there is one, and the development login as `dev` says.
pub(crate) fn read(file: Option<&Path>, dev: DevLogin) -> Result<Users, StartError> {
    let list = file.map(entries).transpose()?.unwrap_or_default();
    Users::new(list, dev).map_err(|error| StartError::new(format!("auth.users_file: {error}")))
}

fn entries(file: &Path) -> Result<Vec<User>, StartError> {
    let refuse = |why: String| StartError::new(format!("auth.users_file: {}: {why}", file.display()));
    let mut text = String::new();
    let opened = File::open(file).map_err(|error| refuse(error.to_string()))?;
    opened.take(LONGEST + 1).read_to_string(&mut text).map_err(|error| refuse(error.to_string()))?;
    if text.len() as u64 > LONGEST {
        return Err(refuse(format!("must have at most {LONGEST} bytes")));
    }
    // Its `Display` would show the line, and with it a hash.
    let parsed: Result<Entries, _> = toml::from_str(&text);
    parsed.map(|entries| entries.users).map_err(|error| refuse(error.message().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn refusal(text: &str) -> String {
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        file.write_all(text.as_bytes()).expect("written");
        read(Some(file.path()), DevLogin::Disabled).expect_err("refused").to_string()
    }

    #[test]
    fn a_file_that_cannot_be_used_is_refused_by_its_key_and_shows_no_hash() {
        let missing = read(Some(Path::new("/nowhere/users.toml")), DevLogin::Disabled).expect_err("missing");
        assert!(missing.to_string().starts_with("auth.users_file: /nowhere/users.toml: "), "{missing}");
        let weak = "[[users]]\nname = \"ada\"\npassword_hash = \"$argon2i$secret\"\n";
        assert!(!refusal(weak).contains("secret"), "{}", refusal(weak));
        assert!(refusal(weak).contains("must be an argon2id hash"), "{}", refusal(weak));
        assert!(refusal("[[user]]\nname = \"ada\"\n").contains("unknown field"));
        assert!(refusal(&"#".repeat(1 << 21)).contains("at most"));
    }

    #[test]
    fn without_a_file_nobody_has_a_password() {
        let users = read(None, DevLogin::Disabled).expect("no users");
        assert!(format!("{users:?}").contains("{}"), "{users:?}");
    }
}
