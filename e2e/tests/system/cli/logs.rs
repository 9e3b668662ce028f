use super::{apply, json, script};
use eventflow_e2e::wait::{SOON, within};
use eventflow_e2e::{Cli, Server};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

#[tokio::test]
async fn logs_are_shown_of_a_function_or_of_one_call() {
    let server = Server::start().await;
    let cli = server.cli().await;
    apply(&cli, "a", &script("a", "read what; echo \"note of $what\" >&2; echo result")).await;
    let one = json(&cli, &["invoke", "a", "--data", "one\n"]).await["id"].clone();
    let two = json(&cli, &["invoke", "a", "--data", "two\n"]).await["id"].clone();
    let (one, two) = (one.as_str().unwrap(), two.as_str().unwrap());

    let all = cli.ok(&["logs", "a"]).await;
    let line = |id: &str, what: &str| format!("{} note of {what}", &id[24..]);
    assert!(all.contains(&line(one, "one")) && all.contains(&line(two, "two")), "{all}");
    assert!(!all.contains('\x1b'), "colours are for terminals only: {all:?}");
    let last = cli.ok(&["logs", "a", "--tail", "1"]).await;
    assert_eq!(last.lines().count(), 1, "{last}");
    let own = cli.ok(&["logs", "--invocation", one]).await;
    assert!(own.contains("note of one") && !own.contains("two"), "{own}");
    let stamped = cli.ok(&["logs", "--invocation", one, "-t"]).await;
    assert!(stamped.starts_with("20"), "{stamped}");
    let lines = cli.ok(&["logs", "--invocation", one, "-o", "json"]).await;
    assert!(lines.contains(&json!("note of one").to_string()) && lines.contains(one), "{lines}");
    assert_eq!(cli.run(&["logs"]).await.code, 2, "of a function or of a call");
    assert_eq!(cli.run(&["logs", "nobody"]).await.code, 1);
}

#[tokio::test]
async fn followed_lines_arrive_while_the_call_runs() {
    let server = Server::start().await;
    let cli = server.cli().await;
    let gate = cli.home().join("gate");
    apply(
        &cli,
        "a",
        &script(
            "a",
            "echo first >&2; gate=$(cat); while ! test -e \"$gate\"; do sleep 0.05; done; echo last >&2",
        ),
    )
    .await;
    let mut follow = cli.command(&["logs", "a", "-f"]).spawn().unwrap();
    let mut lines = BufReader::new(follow.stdout.take().unwrap()).lines();
    let id = cli.ok(&["invoke", "a", "--data", gate.to_str().unwrap(), "--async"]).await;
    let id = id.trim();
    let first = within("the first line", SOON, lines.next_line()).await.unwrap().unwrap();
    assert!(first.ends_with(" first"), "{first}");
    assert_eq!(json(&cli, &["invocations", "get", id]).await["state"], "RUNNING");
    let of_call = cli.command(&["logs", "--invocation", id, "-f"]).spawn().unwrap();
    std::fs::write(gate, "").unwrap();
    let last = within("the last line", SOON, lines.next_line()).await.unwrap().unwrap();
    assert!(last.ends_with(" last"), "{last}");
    // Those of one call end with it, those of a function go on until someone ends them.
    let of_call = within("the end of the call's log", SOON, of_call.wait_with_output()).await.unwrap();
    assert_eq!(
        (of_call.status.code(), String::from_utf8_lossy(&of_call.stdout).as_ref()),
        (Some(0), "first\nlast\n")
    );
    kill_process(Pid::from_raw(follow.id().unwrap().cast_signed()).unwrap(), Signal::INT).unwrap();
    let ended = within("the end by Ctrl-C", SOON, follow.wait()).await.unwrap();
    assert_eq!(ended.code(), Some(130));
}

/// The same command with a terminal for its stdout.
fn on_a_terminal(cli: &Cli, args: &[&str]) -> Command {
    const PTY: &str = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))";
    let plain = cli.command(args);
    let vars = plain.as_std().get_envs().filter_map(|(key, value)| Some((key, value?)));
    let mut command = std::process::Command::new("python3");
    command.env_clear().envs(vars).args(["-c", PTY]).arg(eventflow_e2e::binary()).args(args);
    command
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    let mut command = Command::from(command);
    command.kill_on_drop(true);
    command
}

#[tokio::test]
async fn escapes_that_a_function_prints_do_not_reach_a_terminal() {
    let server = Server::start().await;
    let cli = server.cli().await;
    apply(&cli, "a", &script("a", r"printf '\033[31mred\007\n' >&2")).await;
    cli.ok(&["invoke", "a"]).await;
    let piped = cli.ok(&["logs", "a"]).await;
    assert!(piped.contains("\x1b[31mred\x07"), "a pipe gets what was printed: {piped:?}");
    let shown = Cli::finish(on_a_terminal(&cli, &["logs", "a"]), &[]).await;
    assert_eq!(shown.code, 0, "{shown:#?}");
    assert!(shown.stdout.contains(r"\u{1b}[31mred\u{7}"), "{shown:#?}");
    assert!(!shown.stdout.contains("\x1b[31m") && !shown.stdout.contains('\x07'), "{shown:#?}");
    let listed = Cli::finish(on_a_terminal(&cli, &["list"]), &[]).await;
    assert!(listed.stdout.contains("\x1b[32mREADY\x1b[0m"), "a terminal gets colours: {listed:#?}");
}
