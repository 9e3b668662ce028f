#![cfg(test)]
//! Logins, with real hashes.

use eventflow_auth::{Authenticator, DevLogin, Key, PasswordHash, User, Users, UsersError};
use eventflow_domain::access::{Caller, Grant, Role};
use eventflow_domain::ports::Clock;
use eventflow_domain::{Error, ErrorKind, Timestamp};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

#[derive(Debug, Default)]
struct Seconds(AtomicU64);

impl Clock for Seconds {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1_767_225_600_000) + self.monotonic()
    }

    fn monotonic(&self) -> Duration {
        Duration::from_secs(self.0.load(Ordering::SeqCst))
    }
}

fn user(name: &str, password: &str) -> User {
    let grants = vec![Grant { namespace: Some("media".parse().expect("a name")), role: Role::Developer }];
    User { name: name.to_owned(), password_hash: PasswordHash::of(password).expect("a password"), grants }
}

fn server(users: Vec<User>, dev: DevLogin) -> (Authenticator, Arc<Seconds>) {
    let clock = Arc::new(Seconds::default());
    let users = Users::new(users, dev).expect("users");
    (Authenticator::new(&Key::generate(), users, clock.clone()), clock)
}

fn shown(error: &Error) -> (ErrorKind, &'static str, &str) {
    (error.kind(), error.reason(), error.message())
}

#[tokio::test]
async fn a_login_gives_a_caller_whose_token_says_the_same() {
    let (auth, _) = server(vec![user("ann", "correct horse")], DevLogin::Disabled);
    let caller = auth.login("ann", "correct horse").await.expect("logged in");
    assert_eq!((caller.subject.as_ref(), caller.grants.len()), ("ann", 1));
    let token = auth.issue(&caller, Authenticator::LOGIN_TTL).expect("issued");
    assert_eq!(auth.verify(&token.token).expect("verified"), caller);
}

#[tokio::test]
async fn a_wrong_name_and_a_wrong_password_look_the_same() {
    let (auth, _) = server(vec![user("ann", "correct horse")], DevLogin::Disabled);
    let password = auth.login("ann", "wrong horse").await.expect_err("refused");
    let name = auth.login("bob", "correct horse").await.expect_err("refused");
    let huge = auth.login("ann", &"x".repeat(1 << 20)).await.expect_err("refused");
    assert_eq!(shown(&password), (ErrorKind::Unauthenticated, "LoginFailed", "wrong user name or password"));
    assert_eq!(shown(&password), shown(&name));
    assert_eq!(shown(&password), shown(&huge));
}

#[tokio::test]
async fn the_development_login_works_only_where_it_is_enabled() {
    let (off, _) = server(Vec::new(), DevLogin::Disabled);
    assert!(!off.dev_login());
    let refused = off.login("admin", "admin").await.expect_err("refused");
    assert_eq!(refused.kind(), ErrorKind::Unauthenticated);
    let (on, _) = server(Vec::new(), DevLogin::Enabled);
    assert!(on.dev_login());
    assert_eq!(on.login("admin", "admin").await.expect("logged in"), Caller::admin("admin"));
    assert!(on.login("admin", "admin1").await.is_err() && on.login("root", "admin").await.is_err());
}

#[tokio::test]
async fn a_configured_admin_replaces_the_development_login() {
    let (auth, _) = server(vec![user("admin", "correct horse")], DevLogin::Enabled);
    assert!(!auth.dev_login());
    assert!(auth.login("admin", "admin").await.is_err());
    assert!(auth.login("admin", "correct horse").await.is_ok());
}

#[tokio::test]
async fn who_guesses_is_slowed_down_and_only_for_that_name() {
    let (auth, clock) =
        server(vec![user("ann", "correct horse"), user("bob", "battery staple")], DevLogin::Disabled);
    for _ in 0..10 {
        let refused = auth.login("ann", "guess").await.expect_err("refused");
        assert_eq!(refused.kind(), ErrorKind::Unauthenticated);
    }
    let refused = auth.login("ann", "correct horse").await.expect_err("slowed down");
    assert_eq!((refused.kind(), refused.retry_after()), (ErrorKind::Exhausted, Some(Duration::from_secs(6))));
    assert!(auth.login("bob", "battery staple").await.is_ok());
    clock.0.store(6, Ordering::SeqCst);
    assert!(auth.login("ann", "correct horse").await.is_ok(), "one more after six seconds");
    assert!(auth.login("ann", "guess").await.is_err_and(|error| error.kind() == ErrorKind::Unauthenticated));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_of_logins_is_bounded() {
    let (auth, _) = server(vec![user("ann", "correct horse")], DevLogin::Disabled);
    let names: Vec<String> = (0..60).map(|i| format!("user{i}")).collect();
    let logins = names.iter().map(|name| auth.login(name, "guess guess"));
    let answers = futures::future::join_all(logins).await;
    let exhausted = answers
        .iter()
        .filter(|answer| answer.as_ref().is_err_and(|error| error.kind() == ErrorKind::Exhausted))
        .count();
    assert_eq!(exhausted, 60 - 32, "32 wait for their turn");
    assert!(auth.login("ann", "correct horse").await.is_ok(), "and then all is well");
}

#[test]
fn passwords_that_everybody_knows_are_refused() {
    let known = User { name: "password".into(), ..user("x", "password") };
    assert_eq!(
        Users::new(vec![known], DevLogin::Disabled).err(),
        Some(UsersError::KnownPassword("password".into()))
    );
    let twice = vec![user("ann", "correct horse"), user("ann", "battery staple")];
    assert_eq!(Users::new(twice, DevLogin::Disabled).err(), Some(UsersError::Twice("ann".into())));
    let nameless = Users::new(vec![user("", "correct horse")], DevLogin::Disabled);
    assert!(matches!(nameless.err(), Some(UsersError::Name(_))));
}
