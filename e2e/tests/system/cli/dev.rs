//! `eventflow dev` that cannot start, and what it says of its configuration.

use eventflow_e2e::cli::Ended;
use eventflow_e2e::shape::only_local;
use eventflow_e2e::{Cli, Server};
use std::net::TcpListener;

const NOWHERE: &str = "http://127.0.0.1:1";

/// What it says where it must refuse to start.
async fn refused(cli: &Cli, args: &[&str]) -> String {
    let Ended { code, stdout, stderr } = cli.run(&[&["dev", "--no-examples"], args].concat()).await;
    assert_eq!((code, stdout.as_str()), (78, ""), "dev {args:?}: {stderr}");
    assert!(!stderr.contains("panicked"), "dev {args:?}: {stderr}");
    stderr
}

#[tokio::test]
async fn a_bad_key_or_value_of_the_configuration_is_named_with_its_place() {
    let cli = Cli::new(NOWHERE);
    let said = refused(&cli, &["--set", "limits.payloda=1Mi"]).await;
    assert!(said.contains("limits.payloda") && said.contains("did you mean \"payload\""), "{said}");
    let said = refused(&cli, &["--set", "limits.payload=lots"]).await;
    assert!(said.contains("limits.payload") && said.contains("lots"), "{said}");
    let said = refused(&cli, &["--set", "limits"]).await;
    assert!(said.contains("KEY=VALUE"), "{said}");
    cli.write("eventflow.toml", "[dispatcher]\nslots = 4\n\n[gateway]\nkeep_alvie = \"5s\"\n");
    let said = refused(&cli, &["--config", "eventflow.toml"]).await;
    assert!(said.contains("eventflow.toml:5") && said.contains("did you mean \"keep_alive\""), "{said}");
    cli.write("eventflow.toml", "[dispatcher]\nslots = \"many\"\n[wasm\n");
    let said = refused(&cli, &["--config", "eventflow.toml"]).await;
    assert!(said.contains("eventflow.toml:3"), "{said}");
    let said = refused(&cli, &["--config", "gone.toml"]).await;
    assert!(said.contains("gone.toml"), "{said}");
    let mut by_variable = cli.command(&["dev", "--no-examples"]);
    by_variable.env("EVENTFLOW_LIMITS__PAYLOD", "1Mi");
    let by_variable = Cli::finish(by_variable, &[]).await;
    assert_eq!(by_variable.code, 78, "{by_variable:#?}");
    assert!(by_variable.stderr.contains("EVENTFLOW_LIMITS__PAYLOD"), "{by_variable:#?}");
}

#[tokio::test]
async fn the_configuration_in_force_is_printed_as_toml_that_starts_the_same() {
    let cli = Cli::new(NOWHERE);
    let printed =
        cli.ok(&["dev", "--set", "limits.payload=1Mi", "--listen", "127.0.0.1:0", "--dump-config"]).await;
    assert!(printed.contains("[limits]") && printed.contains("listen = \"127.0.0.1:0\""), "{printed}");
    assert!(printed.contains("payload = \"1Mi\""), "{printed}");
    cli.write("same.toml", &printed);
    assert_eq!(cli.ok(&["dev", "--config", "same.toml", "--dump-config"]).await, printed);
    assert!(!cli.home().join("data").exists(), "printing makes no data folder");
}

#[tokio::test]
async fn a_taken_port_and_an_address_for_others_are_refused_in_one_line() {
    let cli = Cli::new(NOWHERE);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let said = refused(&cli, &["--listen", &address, "--data", "d"]).await;
    assert!(said.contains(&address) && said.contains("in use"), "{said}");
    for open in ["0.0.0.0:0", "[::]:0"] {
        let said = refused(&cli, &["--listen", open, "--data", "d"]).await;
        assert!(said.contains("loopback"), "{open}: {said}");
    }
    let said = refused(&cli, &["--listen", "nonsense", "--data", "d"]).await;
    assert!(said.contains("nonsense"), "{said}");
}

#[tokio::test]
async fn a_second_process_on_the_same_data_is_refused_and_told_whose_it_is() {
    if !only_local("replicas share their data") {
        return;
    }
    let server = Server::start().await;
    let cli = server.cli().await;
    let said = refused(&cli, &["--listen", "127.0.0.1:0", "--data", server.data().to_str().unwrap()]).await;
    assert!(said.contains(&server.pid().to_string()), "the owner is {}: {said}", server.pid());
    cli.ok(&["list"]).await;
}

#[tokio::test]
async fn a_data_folder_that_cannot_be_one_is_refused() {
    let cli = Cli::new(NOWHERE);
    cli.write("file", "not a folder");
    let said = refused(&cli, &["--listen", "127.0.0.1:0", "--data", "file"]).await;
    assert!(said.contains("file"), "{said}");
}
