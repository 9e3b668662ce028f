use super::login::password_from_stdin;
use crate::args::User;
use crate::exit::{Failure, Result};
use crate::output::line;
use eventflow_auth::PasswordHash;

/// Prints an entry for `auth.users_file`. Nothing is sent anywhere.
pub(crate) fn user(args: &User) -> Result<()> {
    let password = password_from_stdin()?;
    let hash = PasswordHash::of(&password)
        .map_err(|error| Failure::new(Failure::DATA, format!("the password {error}")))?;
    line(&entry(args, &hash.expose()))
}

/// JSON's strings are strings of TOML.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn entry(args: &User, hash: &str) -> String {
    let role = quoted(args.role.as_str());
    let grant = |namespace: &String| format!("{{ namespace = {}, role = {role} }}", quoted(namespace));
    let grants = match args.namespaces.as_slice() {
        [] => format!("{{ role = {role} }}"),
        some => some.iter().map(grant).collect::<Vec<_>>().join(", "),
    };
    let name = quoted(&args.name);
    format!("[[users]]\nname = {name}\npassword_hash = {}\ngrants = [{grants}]", quoted(hash))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::UserRole;
    use eventflow_domain::access::Role;

    #[test]
    fn an_entry_is_what_the_services_read() {
        #[derive(serde::Deserialize)]
        struct File {
            users: Vec<eventflow_auth::User>,
        }
        let hash = PasswordHash::of("correct horse").expect("a hash").expose();
        let all = User { name: "ada \"l\"".to_owned(), role: UserRole::Admin, namespaces: Vec::new() };
        let some = ["media", "web"].map(str::to_owned).to_vec();
        let some = User { name: "bob".to_owned(), role: UserRole::Invoker, namespaces: some };
        let text = format!("{}\n\n{}\n", entry(&all, &hash), entry(&some, &hash));
        let file: File = toml::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        let shown: Vec<_> = file
            .users
            .iter()
            .map(|user| {
                let of = |grant: &eventflow_domain::access::Grant| {
                    (grant.namespace.as_ref().map(ToString::to_string), grant.role)
                };
                (user.name.as_str(), user.grants.iter().map(of).collect::<Vec<_>>())
            })
            .collect();
        let invoker = |namespace: &str| (Some(namespace.to_owned()), Role::Invoker);
        let expected =
            [("ada \"l\"", vec![(None, Role::Admin)]), ("bob", vec![invoker("media"), invoker("web")])];
        assert_eq!(shown, expected);
        assert!(file.users.iter().all(|user| user.password_hash.matches("correct horse")));
    }
}
