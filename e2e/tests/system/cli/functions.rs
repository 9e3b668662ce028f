use super::{apply, json, manifest, script};
use eventflow_e2e::support::ECHO_WAT;
use eventflow_e2e::wait::{SOON, until};
use eventflow_e2e::{Cli, Server};
use serde_json::json;
use std::os::unix::fs::PermissionsExt as _;

#[tokio::test]
async fn login_keeps_the_token_for_its_user_alone_and_print_keeps_nothing() {
    let server = Server::start().await;
    let cli = Cli::new(&server.url());
    let before = cli.run(&["list"]).await;
    assert_eq!(before.code, 77, "{before:#?}");
    assert!(
        before.stderr.contains(&server.url()) && before.stderr.contains("eventflow login"),
        "{before:#?}"
    );

    let printed = cli.ok(&["login", "--print"]).await;
    assert_eq!(printed.trim().split('.').count(), 3, "a token and nothing else: {printed:?}");
    assert_eq!(cli.run(&["list"]).await.code, 77, "a printed token is not kept");
    let mut with_token = cli.command(&["list"]);
    with_token.env("EVENTFLOW_TOKEN", printed.trim());
    let with_token = Cli::finish(with_token, &[]).await;
    assert_eq!(with_token.code, 0, "{with_token:#?}");

    let login = cli.run(&["login"]).await;
    assert_eq!((login.code, login.stdout.as_str()), (0, ""), "{login:#?}");
    cli.ok(&["list"]).await;
    let kept = cli.home().join("config/eventflow/credentials.json");
    let mode = std::fs::metadata(&kept).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "{}", kept.display());
}

#[tokio::test]
async fn a_wrong_password_and_a_forged_token_end_with_77() {
    let server = Server::start().await;
    let cli = Cli::new(&server.url());
    let wrong = cli.run_with(&["login", "--password-stdin"], b"wrong\n").await;
    assert_eq!(
        (wrong.code, wrong.stderr.trim()),
        (77, "eventflow: wrong username or password"),
        "{wrong:#?}"
    );
    let right = cli.run_with(&["login", "-u", "admin", "--password-stdin"], b"admin\n").await;
    assert_eq!(right.code, 0, "{right:#?}");
    let mut forged = cli.command(&["list"]);
    forged.env("EVENTFLOW_TOKEN", "a.b.c");
    let forged = Cli::finish(forged, &[]).await;
    assert_eq!(forged.code, 77, "{forged:#?}");
}

#[tokio::test]
async fn apply_finds_code_beside_its_manifest_and_uploads_it() {
    let server = Server::start().await;
    let cli = server.cli().await;
    cli.write("work/tool.sh", "tr a-z A-Z");
    cli.write("work/echo.wat", ECHO_WAT);
    let both = [
        manifest("loud", "runtime: process\ncommand: [sh, ./tool.sh]"),
        "---\n".to_owned(),
        manifest("echo", "runtime: wasm\nimage: ./echo.wat"),
    ];
    cli.write("work/both.yaml", both.concat());
    let said = cli.ok(&["apply", "-f", "work/both.yaml"]).await;
    assert_eq!(said, "function default/loud created, version 1\nfunction default/echo created, version 1\n");
    assert_eq!(cli.ok(&["invoke", "loud", "--data", "hello"]).await, "HELLO");
    assert_eq!(cli.ok(&["invoke", "echo", "--data", "hello"]).await, "hello");

    let again = cli.ok(&["apply", "-f", "work/both.yaml"]).await;
    assert_eq!(
        again,
        "function default/loud unchanged, version 1\nfunction default/echo unchanged, version 1\n"
    );
    let retry = "runtime: process\ncommand: [sh, ./tool.sh]\nretry: {maxAttempts: 2}";
    cli.write("work/loud.yaml", manifest("loud", retry));
    let policy = cli.ok(&["apply", "-f", "work/loud.yaml"]).await;
    assert_eq!(policy, "function default/loud updated, version 1\n", "retries are no version");
    cli.write("work/echo.wat", ECHO_WAT.replace("1024", "2048"));
    let code = cli.ok(&["apply", "-f", "work/both.yaml"]).await;
    assert!(code.contains("echo updated, version 2"), "new code is a new version: {code}");
}

#[tokio::test]
async fn apply_reads_stdin_json_and_several_files() {
    let server = Server::start().await;
    let cli = server.cli().await;
    let said = cli.run_with(&["apply", "-f", "-"], script("a", "exec cat").as_bytes()).await;
    assert_eq!(
        (said.code, said.stdout.as_str()),
        (0, "function default/a created, version 1\n"),
        "{said:#?}"
    );
    let document = json!({
        "apiVersion": "eventflow.io/v1alpha1", "kind": "Function", "metadata": {"name": "b"},
        "spec": {"runtime": "process", "command": ["cat"]},
    });
    cli.write("b.json", document.to_string());
    cli.write("c.yaml", script("c", "exec cat"));
    let said = cli.ok(&["apply", "-f", "b.json", "-f", "c.yaml", "-n", "team"]).await;
    assert_eq!(said, "function team/b created, version 1\nfunction team/c created, version 1\n");
    let all = json(&cli, &["list", "-A"]).await;
    let names: Vec<_> = all["functions"].as_array().unwrap().iter().map(|f| f["name"].clone()).collect();
    assert_eq!(names, ["a", "b", "c"]);
}

#[tokio::test]
async fn a_dry_run_and_a_slip_in_a_later_document_change_nothing() {
    let server = Server::start().await;
    let cli = server.cli().await;
    cli.write("a.yaml", script("a", "exec cat"));
    let dry = cli.ok(&["apply", "-f", "a.yaml", "--dry-run"]).await;
    assert!(dry.starts_with("function default/a created, ") && dry.ends_with("(dry run)\n"), "{dry}");
    cli.write("two.yaml", format!("{}---\n{}", script("a", "exec cat"), manifest("b", "runtim: process")));
    let slip = cli.run(&["apply", "-f", "two.yaml"]).await;
    assert_eq!(slip.code, 65, "{slip:#?}");
    assert!(slip.stderr.contains("two.yaml (document 2)"), "{slip:#?}");
    assert_eq!(json(&cli, &["list"]).await, json!({"functions": []}));
}

#[tokio::test]
async fn list_and_describe_print_tables_json_and_yaml() {
    let server = Server::start().await;
    let cli = server.cli().await;
    let none = cli.run(&["list"]).await;
    assert_eq!((none.code, none.stdout.as_str()), (0, ""), "{none:#?}");
    assert!(none.stderr.contains("eventflow init"), "an empty list says what to do next: {none:#?}");
    apply(&cli, "a", &script("a", "exec cat")).await;

    // Where other processes run it, that it is ready is news that travels.
    let ready = async || cli.ok(&["list"]).await.contains("READY").then_some(());
    until("the function to be ready", SOON, ready).await;
    let table = cli.ok(&["list"]).await;
    let rows: Vec<Vec<_>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0][..6], ["NAMESPACE", "NAME", "STATE", "RUNTIME", "MODE", "VERSION"]);
    assert_eq!(rows[1][..6], ["default", "a", "READY", "process", "job", "1"]);
    assert!(!table.contains('\x1b'), "colours are for terminals only");
    assert_eq!(json(&cli, &["list"]).await["functions"][0]["name"], "a");
    let yaml = cli.ok(&["list", "-o", "yaml"]).await;
    assert!(yaml.contains("functions:") && yaml.contains("name: a"), "{yaml}");

    let described = cli.ok(&["describe", "a"]).await;
    for wanted in ["default/a", "READY", "process", "30s", "0 queued"] {
        assert!(described.contains(wanted), "{wanted}: {described}");
    }
    let whole = json(&cli, &["describe", "a"]).await;
    assert_eq!(
        (&whole["name"], &whole["version"], &whole["state"]),
        (&json!("a"), &json!(1), &json!("READY"))
    );
    let unknown = cli.run(&["describe", "nobody"]).await;
    assert_eq!((unknown.code, unknown.stdout.as_str()), (1, ""), "{unknown:#?}");
    assert!(unknown.stderr.contains("nobody"), "{unknown:#?}");
}

#[tokio::test]
async fn the_yaml_of_describe_is_a_manifest_that_changes_nothing() {
    let server = Server::start().await;
    let cli = server.cli().await;
    cli.write("echo.wat", ECHO_WAT);
    let job = "runtime: process\ncommand: [sh, -c, 'cat; echo \"$A\"']\nargs: [x]\nenv: {A: 'yes', B: '1e3', C: 'a: b'}\n\
               timeout: 90s\nretry: {maxAttempts: 3, backoff: {initial: 50ms, max: 1s, factor: 1.5, jitter: 0.1}}\n\
               concurrency: 4\nqueue: {max: 10, maxAge: 1h}\nrecord: metadata\nresources: {cpu: 250m, memory: 64Mi}";
    let http = "runtime: process\nmode: http\nport: 8080\ncommand: [python3, -m, http.server]\n\
                scaling: {min: 0, max: 2, concurrency: 3}\nprobe: {path: /healthz}\nurl: public";
    for (name, spec) in [
        ("job", job),
        ("http", http),
        ("wasm", "runtime: wasm\nimage: ./echo.wat\negress: ['a.example:443']"),
    ] {
        apply(&cli, name, &manifest(name, spec)).await;
        let yaml = cli.ok(&["describe", name, "-o", "yaml"]).await;
        let again = cli.run_with(&["apply", "-f", "-"], yaml.as_bytes()).await;
        assert_eq!(
            again.stdout,
            format!("function default/{name} unchanged, version 1\n"),
            "{again:#?}\n{yaml}"
        );
    }
}

#[tokio::test]
async fn versions_are_listed_rolled_back_to_paused_resumed_and_deleted() {
    let server = Server::start().await;
    let cli = server.cli().await;
    apply(&cli, "a", &script("a", "echo one")).await;
    apply(&cli, "a", &script("a", "echo two")).await;
    let table = cli.ok(&["versions", "a"]).await;
    let rows: Vec<Vec<_>> = table.lines().skip(1).map(|line| line.split_whitespace().collect()).collect();
    assert_eq!((rows[0][0], rows[0][1], rows[1][0]), ("2", "*", "1"), "{table}");
    assert!(table.contains("admin"), "it names who made it: {table}");
    assert_eq!(cli.ok(&["invoke", "a", "--version", "1"]).await, "one\n");

    let back = cli.ok(&["rollback", "a", "--to", "1"]).await;
    assert_eq!(back, "function default/a rolled back to 1, as version 3\n");
    assert_eq!(cli.ok(&["invoke", "a"]).await, "one\n");
    assert_eq!(cli.run(&["rollback", "a", "--to", "9"]).await.code, 1);

    assert_eq!(cli.ok(&["pause", "a"]).await, "function default/a paused\n");
    let refused = cli.run(&["invoke", "a"]).await;
    assert_eq!(refused.code, 1, "{refused:#?}");
    assert!(refused.stderr.contains("paused"), "{refused:#?}");
    assert_eq!(cli.ok(&["resume", "a"]).await, "function default/a resumed\n");
    assert_eq!(cli.ok(&["invoke", "a"]).await, "one\n");

    assert_eq!(cli.ok(&["delete", "a"]).await, "function default/a deleted\n");
    assert_eq!(cli.run(&["delete", "a"]).await.code, 1);
    assert_eq!(cli.run(&["invoke", "a"]).await.code, 1);
}

#[tokio::test]
async fn json_and_yaml_have_the_order_of_the_answer_over_rest() {
    let server = Server::start().await;
    let (cli, rest) = (server.cli().await, server.rest().await);
    rest.apply(&json!({"name": "a", "runtime": "process", "command": ["cat"], "env": {"B": "1", "A": "2"}}))
        .await;
    let id = rest.invoke_async("a", "x").await;
    rest.ended(&id).await;
    // Keys in the order of the text.
    let keys = |text: &str, mark: &str| -> Vec<String> {
        let lines = text.lines().filter_map(|line| line.split_once(mark));
        lines.map(|(key, _)| key.trim_matches([' ', '-', '"']).to_owned()).collect()
    };
    let pretty = |text: &str| text.replace("\":", "\":\n").replace(['{', '[', ','], "\n");
    for (path, args) in [
        ("/v1/functions/a".to_owned(), vec!["describe", "a", "-o", "json"]),
        (format!("/v1/invocations/{id}"), vec!["invocations", "get", &id, "-o", "json"]),
        ("/v1/functions/a/versions".to_owned(), vec!["versions", "a", "-o", "json"]),
    ] {
        let answer = rest.get(&path).await.text();
        assert_eq!(keys(&cli.ok(&args).await, "\":"), keys(&pretty(&answer), "\":"), "{args:?}");
    }
    let yaml = cli.ok(&["invocations", "get", &id, "-o", "yaml"]).await;
    let top: Vec<_> = keys(&yaml, ": ")
        .into_iter()
        .filter(|key| ["id", "state", "caller", "createTime"].contains(&&**key))
        .collect();
    assert_eq!(top[..3], ["id", "state", "caller"], "{yaml}");
}
