//! Where configuration comes from, and what is said of a bad one.

use crate::server::eventflow;
use std::path::Path;
use std::process::Output;

/// `eventflow dev --dump-config` in an environment of `vars`.
async fn dump(home: &Path, vars: &[(&str, &str)], args: &[&str]) -> Output {
    let mut command = eventflow(home);
    command.arg("dev").args(args).arg("--dump-config").envs(vars.iter().copied());
    command.output().await.expect("should run")
}

async fn dumped(home: &Path, vars: &[(&str, &str)], args: &[&str]) -> toml::Table {
    let output = dump(home, vars, args).await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text").parse().expect("TOML")
}

/// What is said, one line for each problem; the exit code is that of a bad configuration.
async fn refused(home: &Path, vars: &[(&str, &str)], args: &[&str]) -> Vec<String> {
    let output = dump(home, vars, args).await;
    assert_eq!(output.status.code(), Some(78), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stdout.is_empty());
    String::from_utf8(output.stderr).expect("text").lines().map(str::to_owned).collect()
}

fn slots(config: &toml::Table) -> i64 {
    config["dispatcher"]["slots"].as_integer().expect("a number")
}

#[tokio::test]
async fn a_flag_covers_a_variable_covers_the_file_covers_the_default() {
    let home = tempfile::tempdir().expect("a folder");
    let home = home.path();
    let file = home.join("eventflow.toml");
    std::fs::write(&file, "listen = \"127.0.0.1:1\"\n[dispatcher]\nslots = 2\n").expect("a file");
    let file = file.to_str().expect("text");
    let default = dumped(home, &[], &[]).await;
    assert_eq!((slots(&default), default["listen"].as_str()), (256, Some("127.0.0.1:8080")));
    let from_file = dumped(home, &[], &["--config", file]).await;
    assert_eq!((slots(&from_file), from_file["listen"].as_str()), (2, Some("127.0.0.1:1")));
    let named = [("EVENTFLOW_CONFIG", file)];
    assert_eq!(dumped(home, &named, &[]).await, from_file, "the file may be named by a variable");
    let vars = [named[0], ("EVENTFLOW_DISPATCHER__SLOTS", "3"), ("EVENTFLOW_LISTEN", "127.0.0.1:2")];
    let from_vars = dumped(home, &vars, &[]).await;
    assert_eq!((slots(&from_vars), from_vars["listen"].as_str()), (3, Some("127.0.0.1:2")));
    let flags = ["--listen", "127.0.0.1:3", "--set", "dispatcher.slots=4"];
    let from_flags = dumped(home, &vars, &flags).await;
    assert_eq!((slots(&from_flags), from_flags["listen"].as_str()), (4, Some("127.0.0.1:3")));
}

#[tokio::test]
async fn a_dump_is_a_file_that_says_the_same() {
    let home = tempfile::tempdir().expect("a folder");
    let first =
        dump(home.path(), &[], &["--set", "limits.payload=1Mi", "--set", "limits.max_wait=90s"]).await;
    let file = home.path().join("dumped.toml");
    std::fs::write(&file, &first.stdout).expect("a file");
    let again = dump(home.path(), &[], &["--config", file.to_str().expect("text")]).await;
    assert_eq!(String::from_utf8(again.stdout), String::from_utf8(first.stdout));
}

#[tokio::test]
async fn every_problem_of_every_source_is_said_at_once_with_its_place_and_the_nearest_key() {
    let home = tempfile::tempdir().expect("a folder");
    let file = home.path().join("bad.toml");
    let text = "[dispatcher]\nslot = 2\n[retention]\nmax_age = \"5x\"\n[limits]\ninline = \"2Mi\"\n";
    std::fs::write(&file, text).expect("a file");
    let file = file.to_str().expect("text");
    let vars = [("EVENTFLOW_LIMITS__PAYLOD", "1Mi"), ("EVENTFLOW_GRACE", "1h")];
    let lines = refused(home.path(), &vars, &["--config", file, "--set", "dispatcher.lease=1s"]).await;
    assert_eq!(
        lines,
        [
            format!("eventflow: {file}:2: dispatcher.slot: unknown key \"slot\", did you mean \"slots\"?"),
            format!(
                "{file}:4: retention.max_age: must be a duration such as \"30s\", \"5m\" or \"1h30m\" (units ms, s, \
                 m, h, d), is \"5x\""
            ),
            format!("{file}:6: limits.inline: must be from 0 to 1Mi, is 2Mi"),
            "EVENTFLOW_GRACE: grace: must be from 0s to 10m, is 1h".to_owned(),
            "EVENTFLOW_LIMITS__PAYLOD: limits.paylod: unknown key \"paylod\", did you mean \"payload\"?"
                .to_owned(),
            "--set dispatcher.lease: dispatcher.lease: must be from 3s to 10m, is 1s".to_owned(),
        ]
    );
}

#[tokio::test]
async fn what_cannot_be_a_configuration_at_all_is_refused() {
    let home = tempfile::tempdir().expect("a folder");
    let home = home.path();
    let gone = refused(home, &[], &["--config", "gone.toml"]).await;
    assert!(gone[0].starts_with("eventflow: gone.toml: failed to read the file"), "{gone:?}");
    let bare = refused(home, &[], &["--set", "slots"]).await;
    assert_eq!(bare, ["eventflow: --set \"slots\" must be of the form KEY=VALUE"]);
    let unbalanced =
        refused(home, &[], &["--set", "limits.payload=1Mi", "--set", "limits.buffered=1Ki"]).await;
    assert_eq!(
        unbalanced,
        ["eventflow: --set limits.buffered: limits.buffered: must be at least limits.payload, which is 1Mi"]
    );
    let otlp = refused(home, &[("EVENTFLOW_TELEMETRY__OTLP_ENDPOINT", "collector:4317")], &[]).await;
    assert!(
        otlp[0]
            .starts_with("eventflow: EVENTFLOW_TELEMETRY__OTLP_ENDPOINT: telemetry.otlp_endpoint: must be")
    );
}
