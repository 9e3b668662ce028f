//! Which EventFlow the tests run against, and what stands behind it in a cluster.

use crate::server::guarded;
use eventflow_testkit::servers::free_port;
use eventflow_testkit::servers::nats::NatsServer;
use eventflow_testkit::servers::postgres::{PostgresOptions, PostgresServer};
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::Command;
use tokio::sync::OnceCell;

/// The two shapes of EventFlow: the same tests hold for both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// `eventflow dev`.
    Local,
    /// `eventflow-api` and `eventflow-dispatcher` over a real PostgreSQL and a real nats-server.
    Cluster,
}

impl Shape {
    /// By `$EVENTFLOW_SHAPE`.
    pub fn wanted() -> Self {
        match std::env::var_os("EVENTFLOW_SHAPE").unwrap_or_default().to_str() {
            Some("cluster") => Self::Cluster,
            Some("" | "local") => Self::Local,
            other => panic!("EVENTFLOW_SHAPE must be local or cluster, is {other:?}"),
        }
    }
}

/// Says that a test is about what only `eventflow dev` has (its data folder, its one process), where it is not that.
pub fn only_local(why: &str) -> bool {
    let local = Shape::wanted() == Shape::Local;
    if !local {
        crate::skipped(&format!("only for the local shape: {why}"), false);
    }
    local
}

/// The same for what only the services have.
pub fn only_cluster(why: &str) -> bool {
    let cluster = Shape::wanted() == Shape::Cluster;
    if !cluster {
        crate::skipped(&format!("only for the cluster shape: {why}"), false);
    }
    cluster
}

/// One PostgreSQL for all tests of this process, each with a database of its own.
static POSTGRES: OnceCell<PostgresServer> = OnceCell::const_new();

async fn postgres() -> PostgresServer {
    // An answered accept must outlive the server's death.
    PostgresServer::start(PostgresOptions { fsync: true, ..PostgresOptions::default() }).await
}

/// The servers behind one EventFlow.
#[derive(Debug)]
pub struct Cluster {
    pub nats: NatsServer,
    /// Its own, where the test is about its faults; else one that all tests share.
    pub postgres: Option<PostgresServer>,
    database: String,
    /// One for each dispatcher: where the apis reach it, and where it tells its health.
    dispatchers: Vec<(u16, u16)>,
}

/// What a test wants behind its EventFlow.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Behind {
    pub(crate) own_postgres: bool,
    pub(crate) dispatchers: usize,
}

impl Cluster {
    /// A database, a broker, and the key of the installation below `data`.
    pub(crate) async fn start(data: &Path, behind: Behind) -> Self {
        let (postgres, database) = if behind.own_postgres {
            let own = postgres().await;
            let url = own.url();
            (Some(own), url)
        } else {
            let shared = POSTGRES.get_or_init(postgres).await;
            (None, shared.url_of(&shared.fresh_database(None).await))
        };
        fs::create_dir_all(data).unwrap();
        let mut key =
            File::options().create_new(true).write(true).mode(0o600).open(data.join("jwt.key")).unwrap();
        key.write_all(random_hex().as_bytes()).unwrap();
        Self {
            nats: NatsServer::start().await,
            postgres,
            database,
            dispatchers: (0..behind.dispatchers).map(|_| (free_port(), free_port())).collect(),
        }
    }

    /// Where the first dispatcher tells its health and its metrics.
    pub fn admin_port(&self) -> u16 {
        self.dispatchers[0].1
    }

    /// The services in the order in which they are started; the api serves on `port`.
    pub(crate) fn commands(&self, settings: &[String], port: u16, data: &Path) -> Vec<Command> {
        let mut all: Vec<(Command, &[&str])> = Vec::new();
        let mut peers = Vec::new();
        for (number, (port, admin)) in self.dispatchers.iter().enumerate() {
            let own = data.join(format!("dispatcher-{number}"));
            let mut dispatcher = self.service("eventflow-dispatcher", *port, &own, data);
            dispatcher.args(["--set", &format!("admin_listen=127.0.0.1:{admin}")]);
            peers.push(format!("127.0.0.1:{port}"));
            all.push((dispatcher, DISPATCHER));
        }
        let mut api = self.service("eventflow-api", port, &data.join("api"), data);
        api.args(["--set", "admin_listen=127.0.0.1:0"]);
        api.args(["--set", &format!("peers.dispatchers={}", peers.join(","))]);
        all.push((api, API));
        for setting in settings {
            let section = setting.split(['.', '=']).next().unwrap_or_default();
            for (command, known) in all.iter_mut().filter(|(_, known)| known.contains(&section)) {
                assert!(!known.is_empty());
                command.args(["--set", setting]);
            }
        }
        all.into_iter().map(|(command, _)| command).collect()
    }

    fn service(&self, name: &str, port: u16, own: &Path, data: &Path) -> Command {
        let mut command = guarded(&crate::binary().with_file_name(name));
        for setting in [
            format!("listen=127.0.0.1:{port}"),
            format!("data={}", own.display()),
            "runtimes=wasm,process".to_owned(),
            format!("blobs.folder={}", data.join("blobs").display()),
            format!("auth.key_file={}", data.join("jwt.key").display()),
            "auth.dev_login=cluster".to_owned(),
            format!("postgres.url={}", self.database),
            format!("nats.servers={}", self.nats.url()),
        ] {
            command.args(["--set", &setting]);
        }
        command
    }
}

/// The sections of each service.
const DISPATCHER: &[&str] =
    &["blobs", "dispatcher", "grace", "limits", "process", "retention", "telemetry", "wasm"];
const API: &[&str] = &["blobs", "gateway", "grace", "limits", "telemetry", "wasm"];

/// The key of one installation: another one's tokens are strangers.
fn random_hex() -> String {
    let mut bytes = [0; 32];
    File::open("/dev/urandom").unwrap().read_exact(&mut bytes).unwrap();
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _written = write!(text, "{byte:02x}");
        text
    })
}
