use super::{apply, manifest};
use eventflow_e2e::Server;

#[tokio::test]
async fn secrets_and_configs_reach_the_code_and_their_values_are_never_shown() {
    const CANARY: &str = "canary-7f3a9c";
    let server = Server::start().await;
    let cli = server.cli().await;
    let mut said = Vec::new();
    said.push(cli.run(&["secret", "set", "keys", &format!("API_KEY={CANARY}"), "OTHER=x=y"]).await);
    said.push(
        cli.run_with(&["secret", "set", "piped", "FROM_STDIN=-"], format!("{CANARY}\n").as_bytes()).await,
    );
    said.push(cli.run(&["config", "set", "plain", &format!("LEVEL={CANARY}")]).await);
    for kind in ["secret", "config"] {
        for format in ["table", "json", "yaml"] {
            said.push(cli.run(&[kind, "list", "-o", format]).await);
        }
    }
    let from =
        "envFrom:\n- secretRef: {name: keys}\n- secretRef: {name: piped}\n- configMapRef: {name: plain}";
    let code = "runtime: process\ncommand: [sh, -c, 'echo $API_KEY $OTHER $FROM_STDIN $LEVEL']";
    apply(&cli, "a", &manifest("a", &format!("{code}\n{from}"))).await;
    said.push(cli.run(&["describe", "a", "-o", "yaml"]).await);
    for ended in &said {
        assert_eq!(ended.code, 0, "{ended:#?}");
        assert!(!format!("{ended:?}").contains(CANARY), "a value was shown: {ended:#?}");
    }
    assert_eq!(said[0].stdout, "secret default/keys set\n");
    assert!(said[3].stdout.contains("API_KEY, OTHER") && said[3].stdout.contains("piped"), "{:#?}", said[3]);
    assert_eq!(cli.ok(&["invoke", "a"]).await, format!("{CANARY} x=y {CANARY} {CANARY}\n"));
    assert!(!server.stderr().contains(CANARY), "a value was logged");

    let slip = cli.run(&["secret", "set", "keys", CANARY]).await;
    assert_eq!(slip.code, 2, "{slip:#?}");
    assert!(!slip.stderr.contains(CANARY), "what may be a secret is not repeated: {slip:#?}");
    assert_eq!(cli.ok(&["config", "delete", "plain"]).await, "config default/plain deleted\n");
    assert_eq!(cli.ok(&["secret", "delete", "keys"]).await, "secret default/keys deleted\n");
    assert_eq!(cli.run(&["secret", "delete", "keys"]).await.code, 1);
    let without = cli.run(&["invoke", "a"]).await;
    assert_eq!(without.code, 1, "{without:#?}");
    assert!(without.stderr.contains("keys"), "it names what is missing: {without:#?}");
}
