//! EventFlow in the cluster's shape with several replicas of each service, which are started again when they end.
//!
//! A [`Server`](crate::Server) is what one test asks; a fleet is what harm is done to.

mod link;
mod replica;

pub use link::Link;
pub use replica::Replica;

use crate::rest::Rest;
use crate::server::guarded;
use crate::{Grpc, cli};
use eventflow_testkit::servers::free_port;
use eventflow_testkit::servers::nats::{self, NatsServer};
use eventflow_testkit::servers::postgres::{PostgresOptions, PostgresServer};
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

/// Until a service is ready at its first start, however busy the machine.
const START: Duration = Duration::from_secs(60);

/// What a fleet consists of.
#[derive(Debug, Clone)]
pub struct Options {
    pub apis: usize,
    pub dispatchers: usize,
    /// In front of the apis; clients then ask both.
    pub gateways: usize,
    /// `KEY=VALUE`, for the services that know the section.
    pub settings: Vec<String>,
    pub postgres: PostgresOptions,
    pub nats: nats::Options,
    /// Each dispatcher reaches the database by a [`Link`] of its own.
    pub links: bool,
    /// Where blobs and the services' own folders lie; absent: in the fleet's folder.
    pub files: Option<PathBuf>,
    /// A guard to be switched off, by its name in `wiring/examples/unguarded.rs`: only to show that it is needed.
    pub without: Option<&'static str>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            apis: 2,
            dispatchers: 2,
            gateways: 0,
            settings: Vec::new(),
            postgres: PostgresOptions { fsync: true, ..PostgresOptions::default() },
            nats: nats::Options::default(),
            links: false,
            files: None,
            without: None,
        }
    }
}

/// All processes end with it.
#[derive(Debug)]
pub struct Fleet {
    // Ended before what they stand on.
    pub gateways: Vec<Replica>,
    pub apis: Vec<Replica>,
    pub dispatchers: Vec<Replica>,
    /// Of each dispatcher, where they were asked for.
    pub links: Vec<Link>,
    pub nats: NatsServer,
    pub postgres: PostgresServer,
    urls: Vec<String>,
    /// Where each gateway is.
    doors: Vec<String>,
    /// Where the apis reach each dispatcher.
    ports: Vec<u16>,
    folder: TempDir,
}

/// What every command of a service is made of.
#[derive(Debug)]
struct Ground {
    home: PathBuf,
    files: PathBuf,
    database: String,
    /// Where each dispatcher reaches the database instead.
    links: Vec<String>,
    broker: String,
    settings: Vec<String>,
    without: Option<&'static str>,
}

impl Fleet {
    /// Starts all and waits until each is ready.
    pub async fn start(options: Options) -> Self {
        let folder = tempfile::Builder::new().prefix("eventflow-fleet-").tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let files = options.files.unwrap_or_else(|| folder.path().join("files"));
        fs::create_dir_all(&files).unwrap();
        write_key(folder.path());
        let (postgres, nats) =
            tokio::join!(PostgresServer::start(options.postgres), NatsServer::start_with(options.nats));
        let mut links = Vec::new();
        for _ in (0..options.dispatchers).filter(|_| options.links) {
            links.push(Link::to(postgres.port()).await);
        }
        let ground = Arc::new(Ground {
            home: folder.path().to_owned(),
            files,
            database: postgres.url(),
            links: links.iter().map(|link| by(&postgres, link)).collect(),
            broker: nats.url(),
            settings: options.settings,
            without: options.without,
        });
        let ports: Vec<u16> = (0..options.dispatchers).map(|_| free_port()).collect();
        let dispatcher = |(number, port): (usize, &u16)| ground.dispatcher(number, *port);
        let dispatchers: Vec<Replica> = ports.iter().enumerate().map(dispatcher).collect();
        let api_ports: Vec<u16> = (0..options.apis).map(|_| free_port()).collect();
        let api = |(number, port): (usize, &u16)| ground.api(number, *port, &ports);
        let apis = api_ports.iter().enumerate().map(api).collect();
        let (mut gateways, mut doors) = (Vec::new(), Vec::new());
        for number in 0..options.gateways {
            let port = free_port();
            doors.push(url(port));
            gateways.push(ground.gateway(number, port, &api_ports, &ports));
        }
        let urls = api_ports.into_iter().map(url).collect();
        let fleet = Self { gateways, apis, dispatchers, links, nats, postgres, urls, doors, ports, folder };
        for replica in fleet.replicas() {
            replica.ready(START).await;
        }
        fleet
    }

    /// A folder for files of the test.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Where each api is.
    pub fn urls(&self) -> &[String] {
        &self.urls
    }

    /// Where the apis reach each dispatcher.
    pub fn dispatcher_ports(&self) -> &[u16] {
        &self.ports
    }

    pub fn replicas(&self) -> impl Iterator<Item = &Replica> {
        self.dispatchers.iter().chain(&self.apis).chain(&self.gateways)
    }

    /// Clients of each api and each gateway, logged in as admin.
    pub async fn clients(&self) -> (Vec<Rest>, Vec<Grpc>) {
        let (mut rests, mut grpcs) = (Vec::new(), Vec::new());
        for url in self.urls.iter().chain(&self.doors) {
            let rest = Rest::new(url).login("admin", "admin").await;
            grpcs.push(Grpc::connect(url, rest.token().map(str::to_owned)).await);
            rests.push(rest);
        }
        (rests, grpcs)
    }

    /// What a service wrote to stderr, over all its lives.
    pub fn log(&self, name: &str) -> String {
        let log = fs::read(self.folder().join(format!("{name}.log")));
        String::from_utf8_lossy(&log.unwrap_or_default()).into_owned()
    }
}

/// The database by this way.
fn by(postgres: &PostgresServer, link: &Link) -> String {
    postgres.url().replace(&format!(":{}/", postgres.port()), &format!(":{}/", link.port()))
}

fn url(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}

fn addresses(ports: &[u16]) -> String {
    ports.iter().map(|port| format!("127.0.0.1:{port}")).collect::<Vec<_>>().join(",")
}

/// The sections of each service.
const DISPATCHER: &[&str] =
    &["blobs", "dispatcher", "grace", "limits", "nats", "postgres", "process", "retention", "wasm"];
const API: &[&str] = &["blobs", "gateway", "grace", "limits", "nats", "postgres", "wasm"];
const GATEWAY: &[&str] = &["gateway", "grace", "limits"];

impl Ground {
    fn dispatcher(self: &Arc<Self>, number: usize, port: u16) -> Replica {
        let admin = free_port();
        let mut settings =
            vec![format!("listen=127.0.0.1:{port}"), format!("admin_listen=127.0.0.1:{admin}")];
        let database = self.links.get(number).unwrap_or(&self.database);
        settings.extend(self.of_a_record(&format!("dispatcher-{number}"), database));
        self.replica("dispatcher", number, DISPATCHER, settings, &url(admin))
    }

    fn api(self: &Arc<Self>, number: usize, port: u16, dispatchers: &[u16]) -> Replica {
        let mut settings = vec![
            format!("listen=127.0.0.1:{port}"),
            "admin_listen=127.0.0.1:0".to_owned(),
            format!("peers.dispatchers={}", addresses(dispatchers)),
        ];
        settings.extend(self.of_a_record(&format!("api-{number}"), &self.database));
        self.replica("api", number, API, settings, &url(port))
    }

    fn gateway(self: &Arc<Self>, number: usize, port: u16, apis: &[u16], dispatchers: &[u16]) -> Replica {
        let settings = vec![
            format!("listen=127.0.0.1:{port}"),
            "admin_listen=127.0.0.1:0".to_owned(),
            format!("peers.apis={}", addresses(apis)),
            format!("peers.dispatchers={}", addresses(dispatchers)),
        ];
        self.replica("gateway", number, GATEWAY, settings, &url(port))
    }

    fn replica(
        self: &Arc<Self>,
        service: &'static str,
        number: usize,
        known: &[&str],
        mut settings: Vec<String>,
        health: &str,
    ) -> Replica {
        let name = format!("{service}-{number}");
        let section = |setting: &str| setting.split(['.', '=']).next().unwrap_or_default().to_owned();
        settings.extend(self.settings.iter().filter(|it| known.contains(&section(it).as_str())).cloned());
        let (ground, log) = (Arc::clone(self), self.home.join(format!("{name}.log")));
        Replica::start(name, Rest::new(health), move || ground.command(service, &settings, &log))
    }

    /// What the services are told that keep a record; a gateway keeps none.
    fn of_a_record(&self, name: &str, database: &str) -> [String; 6] {
        [
            format!("data={}", self.files.join(name).display()),
            "runtimes=wasm,process".to_owned(),
            "auth.dev_login=cluster".to_owned(),
            format!("blobs.folder={}", self.files.join("blobs").display()),
            format!("postgres.url={database}"),
            format!("nats.servers={}", self.broker),
        ]
    }

    fn command(&self, service: &str, settings: &[String], log: &Path) -> Command {
        let mut command = match self.without {
            None => guarded(&crate::binary().with_file_name(format!("eventflow-{service}"))),
            Some(guard) => {
                let mut command = guarded(&unguarded());
                command.args([guard, service]);
                command
            }
        };
        cli::clean(&mut command, &self.home);
        command.args(["--set", &format!("auth.key_file={}", self.home.join("jwt.key").display())]);
        for setting in settings {
            command.args(["--set", setting]);
        }
        let log = File::options().create(true).append(true).open(log).unwrap();
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        command
    }
}

/// The services with one guard switched off.
fn unguarded() -> PathBuf {
    let found = crate::binary().with_file_name("examples").join("unguarded");
    assert!(
        found.is_file(),
        "{} is missing: cargo build -p eventflow-wiring --example unguarded",
        found.display()
    );
    found
}

/// The key of the installation.
fn write_key(home: &Path) {
    let key = home.join("jwt.key");
    fs::write(&key, format!("{:032x}{:032x}", rand::random::<u128>(), rand::random::<u128>())).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
}
