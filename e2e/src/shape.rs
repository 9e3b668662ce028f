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
    /// `eventflow-gateway` over some of `eventflow-api` and `eventflow-dispatcher`, a real PostgreSQL and a real
    /// nats-server.
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
    dispatchers: Vec<Ports>,
    apis: Vec<Ports>,
}

/// Where the other services reach a replica, and where it tells its health.
#[derive(Debug, Clone, Copy)]
struct Ports {
    serves: u16,
    admin: u16,
}

impl Ports {
    fn of(count: usize) -> Vec<Self> {
        (0..count).map(|_| Self { serves: free_port(), admin: free_port() }).collect()
    }
}

/// What a test wants behind its EventFlow.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Behind {
    pub(crate) own_postgres: bool,
    pub(crate) apis: usize,
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
            dispatchers: Ports::of(behind.dispatchers),
            apis: Ports::of(behind.apis),
        }
    }

    /// Where the first dispatcher tells its health and its metrics.
    pub fn admin_port(&self) -> u16 {
        self.dispatchers[0].admin
    }

    /// Where an api is reached without the gateway.
    pub fn api_port(&self, number: usize) -> u16 {
        self.apis[number].serves
    }

    /// How many apis and dispatchers there are.
    pub fn sizes(&self) -> (usize, usize) {
        (self.apis.len(), self.dispatchers.len())
    }

    /// The services in the order in which they are started: dispatchers, apis, the gateway on `port`.
    pub(crate) fn commands(&self, settings: &[String], port: u16, data: &Path) -> Vec<Command> {
        let mut all: Vec<(Command, &[&str])> = Vec::new();
        let addresses = |of: &[Ports]| {
            of.iter().map(|ports| format!("127.0.0.1:{}", ports.serves)).collect::<Vec<_>>().join(",")
        };
        let dispatchers = format!("peers.dispatchers={}", addresses(&self.dispatchers));
        for (number, ports) in self.dispatchers.iter().enumerate() {
            let own = data.join(format!("dispatcher-{number}"));
            all.push((self.service("eventflow-dispatcher", *ports, &own, data), DISPATCHER));
        }
        for (number, ports) in self.apis.iter().enumerate() {
            let mut api = self.service("eventflow-api", *ports, &data.join(format!("api-{number}")), data);
            api.args(["--set", &dispatchers]);
            all.push((api, API));
        }
        let mut gateway = program("eventflow-gateway", port, 0, data);
        gateway.args(["--set", &dispatchers]);
        gateway.args(["--set", &format!("peers.apis={}", addresses(&self.apis))]);
        all.push((gateway, GATEWAY));
        for setting in settings {
            let section = setting.split(['.', '=']).next().unwrap_or_default();
            for (command, _) in all.iter_mut().filter(|(_, known)| known.contains(&section)) {
                command.args(["--set", setting]);
            }
        }
        all.into_iter().map(|(command, _)| command).collect()
    }

    fn service(&self, name: &str, ports: Ports, own: &Path, data: &Path) -> Command {
        let mut command = program(name, ports.serves, ports.admin, data);
        for setting in [
            format!("data={}", own.display()),
            "runtimes=wasm,process".to_owned(),
            format!("blobs.folder={}", data.join("blobs").display()),
            "auth.dev_login=cluster".to_owned(),
            format!("postgres.url={}", self.database),
            format!("nats.servers={}", self.nats.url()),
        ] {
            command.args(["--set", &setting]);
        }
        command
    }
}

/// What every service is told.
fn program(name: &str, port: u16, admin: u16, data: &Path) -> Command {
    let mut command = guarded(&crate::binary().with_file_name(name));
    for setting in [
        format!("listen=127.0.0.1:{port}"),
        format!("admin_listen=127.0.0.1:{admin}"),
        format!("auth.key_file={}", data.join("jwt.key").display()),
    ] {
        command.args(["--set", &setting]);
    }
    command
}

/// The sections of each service.
const DISPATCHER: &[&str] =
    &["blobs", "dispatcher", "grace", "limits", "process", "retention", "telemetry", "wasm"];
const API: &[&str] = &["auth", "blobs", "gateway", "grace", "limits", "telemetry", "wasm"];
const GATEWAY: &[&str] = &["gateway", "grace", "limits", "telemetry"];

/// The key of one installation: another one's tokens are strangers.
fn random_hex() -> String {
    let mut bytes = [0; 32];
    File::open("/dev/urandom").unwrap().read_exact(&mut bytes).unwrap();
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _written = write!(text, "{byte:02x}");
        text
    })
}
