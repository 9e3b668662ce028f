//! How commands end that cannot do what was asked.

use super::{apply, manifest, script};
use eventflow_e2e::{Cli, Server};
use std::net::TcpListener;
use std::time::Duration;
use tokio::time::Instant;

#[tokio::test]
async fn an_unknown_verb_or_flag_ends_with_2_and_the_nearest_one() {
    let cli = Cli::new("http://127.0.0.1:1");
    for (args, nearest) in [
        (["inovke", "a"], "invoke"),
        (["invoke", "--dta"], "--data"),
        (["invocations", "lst"], "list"),
        (["dev", "--lisen"], "--listen"),
    ] {
        let ended = cli.run(&args).await;
        assert_eq!((ended.code, ended.stdout.as_str()), (2, ""), "{args:?}: {ended:#?}");
        assert!(ended.stderr.contains(&format!("'{nearest}'")), "{args:?}: {ended:#?}");
    }
}

#[tokio::test]
async fn no_server_ends_with_69_soon_and_names_url_cause_and_what_to_do() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("http://{closed}");
    let cli = Cli::new(&url);
    for args in [&["list"][..], &["login"], &["invoke", "a", "--data", "x"], &["logs", "a", "-f"]] {
        let begun = Instant::now();
        let ended = cli.run(args).await;
        assert!(begun.elapsed() < Duration::from_secs(5), "{args:?}: {:?}", begun.elapsed());
        assert_eq!((ended.code, ended.stdout.as_str()), (69, ""), "{args:?}: {ended:#?}");
        for wanted in [url.as_str(), "refused", "eventflow dev"] {
            assert!(ended.stderr.contains(wanted), "{args:?}, {wanted}: {ended:#?}");
        }
    }
    let bad = cli.run(&["list", "--url", "ftp://example"]).await;
    assert_eq!(bad.code, 78, "{bad:#?}");
    assert!(bad.stderr.contains("http://"), "{bad:#?}");
}

#[tokio::test]
async fn a_port_that_says_nothing_or_something_else_ends_with_69_too() {
    // It takes connections and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let cli = Cli::new(&format!("http://{}", silent.local_addr().unwrap()));
    let begun = Instant::now();
    let ended = cli.run(&["list"]).await;
    assert_eq!(ended.code, 69, "{ended:#?}");
    assert!(begun.elapsed() < Duration::from_secs(25), "{:?}", begun.elapsed());

    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let cli = Cli::new(&format!("http://{}", other.local_addr().unwrap()));
    std::thread::spawn(move || {
        for stream in other.incoming().take(4).flatten() {
            let mut stream = stream;
            drop(std::io::Write::write_all(
                &mut stream,
                b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n",
            ));
        }
    });
    let ended = cli.run(&["list"]).await;
    assert_eq!(ended.code, 69, "{ended:#?}");
}

#[tokio::test]
async fn a_missing_file_ends_with_66_and_names_it() {
    let server = Server::start().await;
    let cli = server.cli().await;
    let ended = cli.run(&["apply", "-f", "gone.yaml"]).await;
    assert_eq!(ended.code, 66, "{ended:#?}");
    assert!(ended.stderr.contains("gone.yaml"), "{ended:#?}");
    cli.write("image.yaml", manifest("a", "runtime: wasm\nimage: ./gone.wasm"));
    let ended = cli.run(&["apply", "-f", "image.yaml"]).await;
    assert_eq!(ended.code, 66, "{ended:#?}");
    assert!(ended.stderr.contains("gone.wasm"), "{ended:#?}");
    cli.write("command.yaml", manifest("a", "runtime: process\ncommand: [sh, ./gone.sh]"));
    let ended = cli.run(&["apply", "-f", "command.yaml"]).await;
    assert_eq!(ended.code, 66, "{ended:#?}");
    assert!(ended.stderr.contains("gone.sh"), "{ended:#?}");
}

#[tokio::test]
async fn a_bad_manifest_ends_with_65_and_names_the_field_and_the_nearest_name() {
    let server = Server::start().await;
    let cli = server.cli().await;
    let bomb = "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n\
                d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\n\
                g: &g [*f,*f,*f,*f,*f,*f,*f,*f,*f]\nh: [*g,*g,*g,*g,*g,*g,*g,*g,*g]\n";
    let deep = format!("a: {}{}", "[".repeat(10_000), "]".repeat(10_000));
    let process = "runtime: process\ncommand: [cat]";
    for (what, text, wanted) in [
        (
            "an unknown field",
            manifest("a", &format!("{process}\ntiemout: 5s")),
            &["tiemout", "did you mean \"timeout\""][..],
        ),
        (
            "an inner unknown field",
            manifest("a", &format!("{process}\nretry: {{maxAttempt: 3}}")),
            &["retry.maxAttempt", "maxAttempts"],
        ),
        ("a value out of range", manifest("a", &format!("{process}\ntimeout: 25h")), &["timeout", "24h"]),
        ("a wrong type", manifest("a", &format!("{process}\nport: many")), &["port"]),
        (
            "an unknown value",
            manifest("a", "runtime: proces\ncommand: [cat]"),
            &["runtime", "did you mean \"PROCESS\""],
        ),
        ("a missing field", manifest("a", "runtime: process"), &["command"]),
        ("a bad name", manifest("Bad_Name", process), &["name", "DNS-1123", "'B' at position 0"]),
        (
            "a foreign kind",
            manifest("a", process).replace("kind: Function", "kind: Pod"),
            &["kind", "Function"],
        ),
        (
            "another version",
            manifest("a", process).replace("v1alpha1", "v9"),
            &["apiVersion", "eventflow.io/v1alpha1"],
        ),
        ("a field given twice", manifest("a", &format!("{process}\ntimeout: 5s\ntimeout: 6s")), &["timeout"]),
        ("no YAML", "a: [".to_owned(), &["bad.yaml"]),
        ("nothing", String::new(), &["bad.yaml"]),
        ("a list", "- a\n- b\n".to_owned(), &["mapping"]),
        ("an alias bomb", bomb.to_owned(), &["bad.yaml"]),
        ("a deep nest", deep, &["bad.yaml"]),
        (
            "a reserved variable",
            manifest("a", &format!("{process}\nenv: {{EVENTFLOW_X: '1'}}")),
            &["EVENTFLOW_X"],
        ),
    ] {
        cli.write("bad.yaml", text);
        let begun = Instant::now();
        let ended = cli.run(&["apply", "-f", "bad.yaml"]).await;
        assert_eq!((ended.code, ended.stdout.as_str()), (65, ""), "{what}: {ended:#?}");
        for wanted in wanted {
            assert!(ended.stderr.contains(wanted), "{what} names {wanted}: {ended:#?}");
        }
        assert!(!ended.stderr.contains("panicked") && ended.stderr.len() < 4000, "{what}: {ended:#?}");
        assert!(begun.elapsed() < Duration::from_secs(5), "{what}: {:?}", begun.elapsed());
    }
    cli.write("bad.yaml", b"a: \xff\xfe");
    assert_eq!(cli.run(&["apply", "-f", "bad.yaml"]).await.code, 65);
    assert_eq!(cli.ok(&["list"]).await, "", "nothing was stored");
}

#[tokio::test]
async fn every_problem_of_a_manifest_is_said_at_once() {
    let server = Server::start().await;
    let cli = server.cli().await;
    cli.write(
        "bad.yaml",
        manifest("a", "runtime: process\ncommand: [cat]\ntimeout: 0s\nretry: {maxAttempts: 1000}"),
    );
    let ended = cli.run(&["apply", "-f", "bad.yaml"]).await;
    assert_eq!(ended.code, 65, "{ended:#?}");
    assert!(ended.stderr.contains("timeout") && ended.stderr.contains("retry.maxAttempts"), "{ended:#?}");
}

#[tokio::test]
async fn a_stdout_that_is_closed_early_ends_quietly_with_0() {
    let server = Server::start().await;
    let cli = server.cli().await;
    apply(&cli, "a", &script("a", "echo hello; echo log >&2")).await;
    let id = cli.ok(&["invoke", "a", "--async"]).await;
    cli.ok(&["invocations", "get", id.trim(), "--wait", "20s"]).await;
    for args in [
        &["list"][..],
        &["describe", "a", "-o", "yaml"],
        &["invoke", "a"],
        &["logs", "a"],
        &["invocations", "list"],
        &["invocations", "result", id.trim()],
        &["completions", "bash"],
        &["login", "--print"],
        &["dev", "--dump-config"],
        &["--help"],
        &["--version"],
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = cli.command(args);
        command.stdout(writer);
        let ended = Cli::finish(command, &[]).await;
        assert_eq!(ended.code, 0, "{args:?}: {ended:#?}");
        assert!(!ended.stderr.contains("panicked"), "{args:?}: {ended:#?}");
    }
}
