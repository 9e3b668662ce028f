//! One server for all tests of a process, streams and subjects of its own for each test.

use eventflow_bus::JetStreamBus;
use eventflow_bus::jetstream::Config;
use eventflow_testkit::servers::nats::NatsServer;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::OnceCell;

/// Never dropped: its guard ends it with this process.
static SERVER: OnceCell<NatsServer> = OnceCell::const_new();

pub(super) async fn server() -> &'static NatsServer {
    SERVER.get_or_init(NatsServer::start).await
}

/// Names that no other test has.
pub(super) fn config(url: String) -> Config {
    static LAST: AtomicU64 = AtomicU64::new(0);
    let number = LAST.fetch_add(1, Ordering::Relaxed);
    Config {
        servers: vec![url],
        events_stream: format!("EVENTS_{number}"),
        function_events_stream: format!("FUNCTIONS_{number}"),
        subject_prefix: format!("test-{number}"),
        function_prefix: format!("function-{number}"),
        start_timeout: Duration::from_secs(10),
        ..Config::default()
    }
}

pub(super) async fn shared_config() -> Config {
    config(server().await.url())
}

pub(super) async fn connect(config: &Config) -> Arc<JetStreamBus> {
    Arc::new(JetStreamBus::connect(config.clone()).await.expect("should connect"))
}

pub(super) async fn client(config: &Config) -> async_nats::Client {
    async_nats::connect(config.servers.clone()).await.expect("a client of the test's own")
}

/// Waits until `done` says so.
pub(super) async fn until(what: &str, within: Duration, mut done: impl AsyncFnMut() -> bool) {
    let wait = async {
        while !done().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(within, wait).await.unwrap_or_else(|_| panic!("{what}, within {within:?}"));
}
