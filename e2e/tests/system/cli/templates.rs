use eventflow_e2e::{Cli, Server};

#[tokio::test]
async fn every_template_is_applied_and_answers() {
    let server = Server::start().await;
    let cli = server.cli().await;
    for (template, code, answer) in
        [("process", ".sh", "you said: hi"), ("http", "-server.py", "you said: hi"), ("wasm", ".wat", "hi")]
    {
        let init = cli.run(&["init", template, "--template", template]).await;
        assert_eq!(init.code, 0, "{init:#?}");
        let manifest = format!("{template}.yaml");
        assert!(
            init.stderr.contains(&format!("eventflow apply -f {manifest}")),
            "it says what is next: {init:#?}"
        );
        assert!(cli.home().join(format!("{template}{code}")).is_file(), "{init:#?}");
        cli.ok(&["apply", "-f", &manifest]).await;
        assert_eq!(cli.ok(&["invoke", template, "--data", "hi"]).await, answer, "{template}");
    }
    // More than a page of memory, and more than once: the template's allocator holds.
    let long = "x".repeat(300_000);
    cli.write("long.txt", &long);
    assert_eq!(cli.ok(&["invoke", "wasm", "--file", "long.txt"]).await, long);
}

#[tokio::test]
async fn init_needs_no_server_overwrites_nothing_unasked_and_checks_the_name() {
    let cli = Cli::new("http://127.0.0.1:1");
    cli.ok(&["init", "a"]).await;
    cli.write("a.sh", "mine");
    let again = cli.run(&["init", "a"]).await;
    assert_eq!(again.code, 73, "{again:#?}");
    assert!(again.stderr.contains("--force"), "{again:#?}");
    assert_eq!(std::fs::read_to_string(cli.home().join("a.sh")).unwrap(), "mine");
    cli.ok(&["init", "a", "--force"]).await;
    assert_ne!(std::fs::read_to_string(cli.home().join("a.sh")).unwrap(), "mine");
    let bad = cli.run(&["init", "Bad_Name"]).await;
    assert_eq!(bad.code, 65, "{bad:#?}");
    assert!(bad.stderr.contains('B'), "{bad:#?}");
}

#[tokio::test]
async fn the_completion_script_is_one_that_bash_reads() {
    let cli = Cli::new("http://127.0.0.1:1");
    let script = cli.ok(&["completions", "bash"]).await;
    assert!(script.contains("complete -F _eventflow") && script.contains("invocations"), "no completion");
    cli.write("completion.bash", script);
    let mut bash = tokio::process::Command::new("bash");
    assert!(bash.arg("-n").arg(cli.home().join("completion.bash")).status().await.unwrap().success());
    assert_eq!(cli.run(&["completions", "tcsh"]).await.code, 2);
}
