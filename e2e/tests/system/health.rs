use eventflow_e2e::Server;

#[tokio::test]
async fn a_server_says_that_it_is_alive_and_ready() {
    let server = Server::start().await;
    let rest = server.anonymous();
    let live = rest.get("/healthz").await;
    assert_eq!((live.status, live.json()["alive"].as_bool()), (200, Some(true)), "{live:?}");
    let ready = rest.get("/readyz").await;
    assert_eq!((ready.status, ready.json()["ready"].as_bool()), (200, Some(true)), "{ready:?}");
}
