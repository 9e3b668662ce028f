use eventflow_e2e::support::echo;
use eventflow_e2e::{Server, root, skipped};
use std::path::PathBuf;
use std::time::Duration;
use tokio::process::Command;

/// The tool, where `scripts/tools.sh grpcurl` put it, or on the search path.
fn tool() -> Option<PathBuf> {
    let ours = root().join(".tools/bin/grpcurl");
    if ours.is_file() {
        return Some(ours);
    }
    let path = std::env::var_os("PATH")?;
    let found = std::env::split_paths(&path).map(|folder| folder.join("grpcurl")).find(|path| path.is_file());
    if found.is_none() {
        skipped("grpcurl is missing: run scripts/tools.sh grpcurl", true);
    }
    found
}

async fn run(tool: &PathBuf, args: &[&str]) -> (bool, String) {
    let mut command = Command::new(tool);
    command.args(args).kill_on_drop(true);
    let output =
        tokio::time::timeout(Duration::from_secs(20), command.output()).await.expect("grpcurl ends").unwrap();
    let text =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    (output.status.success(), text)
}

#[tokio::test]
async fn grpcurl_lists_and_describes_by_reflection_and_asks_for_health() {
    let Some(tool) = tool() else { return };
    let server = Server::start().await;
    let address = format!("127.0.0.1:{}", server.port());
    let (fine, list) = run(&tool, &["-plaintext", &address, "list"]).await;
    assert!(fine, "{list}");
    for service in ["FunctionService", "InvocationService", "ArtifactService", "AuthService", "ConfigService"]
    {
        assert!(list.contains(&format!("eventflow.v1.{service}")), "{service} is not in {list}");
    }
    assert!(list.contains("grpc.health.v1.Health"), "{list}");
    let (fine, described) =
        run(&tool, &["-plaintext", &address, "describe", "eventflow.v1.FunctionService.InvokeFunction"])
            .await;
    assert!(fine && described.contains(".eventflow.v1.InvokeFunctionRequest"), "{described}");
    let (fine, health) = run(&tool, &["-plaintext", &address, "grpc.health.v1.Health/Check"]).await;
    assert!(fine && health.contains("SERVING"), "{health}");
}

#[tokio::test]
async fn grpcurl_applies_and_invokes_with_a_bearer_token() {
    let Some(tool) = tool() else { return };
    let server = Server::start().await;
    let rest = server.rest().await;
    let address = format!("127.0.0.1:{}", server.port());
    let bearer = format!("authorization: Bearer {}", rest.token().unwrap());
    let call = async |method: &str, data: &str| {
        let method = format!("eventflow.v1.FunctionService/{method}");
        run(&tool, &["-plaintext", "-H", &bearer, "-d", data, &address, &method]).await
    };
    let function = r#"{"function": {"name": "a", "runtime": "RUNTIME_PROCESS", "command": ["cat"]}}"#;
    let (fine, applied) = call("ApplyFunction", function).await;
    assert!(fine && applied.contains(r#""created": true"#), "{applied}");
    let (fine, answer) =
        call("InvokeFunction", r#"{"name": "a", "wait": "20s", "payload": {"data": "aGVsbG8="}}"#).await;
    assert!(fine && answer.contains("aGVsbG8=") && answer.contains("INVOCATION_STATE_SUCCEEDED"), "{answer}");

    rest.apply(&echo("b")).await;
    let (fine, refused) =
        run(&tool, &["-plaintext", &address, "eventflow.v1.FunctionService/ListFunctions"]).await;
    assert!(!fine && refused.contains("Unauthenticated"), "{refused}");
}
