//! The adapters of the cluster: what api and dispatcher both stand on.

use crate::cluster::Cluster;
use crate::sections::{Auth, Blobs, Kubernetes, Nats, Postgres, Registry, Unguarded};
use crate::service::StartError;
use eventflow_auth::{Authenticator, DevLogin, Key, PeerKey};
use eventflow_blobs::postgres::Options as BlobOptions;
use eventflow_blobs::{FolderBlobs, Options as FolderOptions, PostgresBlobs, S3Blobs, S3Config};
use eventflow_bus::JetStreamBus;
use eventflow_bus::jetstream::Config as NatsConfig;
use eventflow_domain::ids::WorkerId;
use eventflow_domain::ports::{self, Clock, FunctionRegistry, InvocationStore as _, SharedFunctionStore};
use eventflow_lifecycle::{Handle, OnExit, SystemClock};
use eventflow_registry::{Options as RegistryOptions, SharedRegistry};
use eventflow_store::{PostgresOptions, PostgresStore};
use eventflow_telemetry::Metrics;
use eventflow_telemetry::metrics::BusCounts;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// How often a dependency is asked whether it is there.
const ASK_EVERY: Duration = Duration::from_secs(2);
/// How long a bus may take to send what it still has.
const BUS_GRACE: Duration = Duration::from_secs(3);

/// What both kinds of service stand on.
#[derive(Debug)]
pub struct Adapters {
    pub clock: Arc<dyn Clock>,
    pub store: Arc<PostgresStore>,
    pub bus: Arc<JetStreamBus>,
    pub blobs: Arc<dyn ports::Blobs>,
    pub registry: Arc<dyn FunctionRegistry>,
    /// Where there is one.
    pub cluster: Option<Cluster>,
    pub key: Key,
    pub authenticator: Arc<Authenticator>,
    pub peer_key: Arc<PeerKey>,
}

/// The sections that they are built from.
#[derive(Debug, Clone, Copy)]
pub struct Sections<'a> {
    pub postgres: &'a Postgres,
    pub nats: &'a Nats,
    pub blobs: &'a Blobs,
    pub auth: &'a Auth,
    pub unguarded: Unguarded,
    pub registry: &'a Registry,
    pub kubernetes: &'a Kubernetes,
    /// Whether something beside the registry needs the cluster.
    pub in_cluster: bool,
}

impl Adapters {
    /// Opens all of them. `service` is the name of this process towards the servers.
    pub async fn open(of: Sections<'_>, service: &'static str, handle: &Handle) -> Result<Self, StartError> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let key = key(&of.auth.key_file)?;
        let login = if of.auth.dev_login == "cluster" { DevLogin::Enabled } else { DevLogin::Disabled };
        let users = crate::users::read(of.auth.users_file.as_deref(), login)?;
        let store = store(of.postgres, of.unguarded).await?;
        let bus = bus(of.nats, service).await?;
        let blobs = blobs(of.blobs, of.postgres, of.unguarded).await?;
        let cluster = if of.in_cluster || of.registry.is_kubernetes() {
            Some(Cluster::open(of.kubernetes, handle).await?)
        } else {
            None
        };
        let registry = match &cluster {
            Some(cluster) if of.registry.is_kubernetes() => cluster.registry(&store, &clock, handle).await,
            _ => shared(&store, &clock, service, handle).await?,
        };
        watch(&store, &bus, handle);
        Ok(Self {
            authenticator: Arc::new(Authenticator::new(&key, users, Arc::clone(&clock))),
            peer_key: Arc::new(PeerKey::new(&key, service, Arc::clone(&clock))),
            registry,
            cluster,
            key,
            clock,
            store,
            bus,
            blobs,
        })
    }
}

/// Functions that the replicas share over the database.
async fn shared(
    store: &Arc<PostgresStore>,
    clock: &Arc<dyn Clock>,
    service: &'static str,
    handle: &Handle,
) -> Result<Arc<dyn FunctionRegistry>, StartError> {
    let functions: Arc<dyn SharedFunctionStore> = store.clone();
    let options = RegistryOptions { worker: WorkerId::generate(service), ..RegistryOptions::default() };
    let registry = SharedRegistry::open(functions, Arc::clone(clock), options).await;
    let (registry, following) = registry.map_err(|error| StartError::of("read the functions", &error))?;
    let token = handle.token();
    handle.spawn("registry", OnExit::Shutdown, async move {
        token.run_until_cancelled(following).await;
    });
    Ok(Arc::new(registry))
}

/// What the bus counts, among the metrics of this process.
pub fn show(bus: &Arc<JetStreamBus>, metrics: &Metrics) {
    // Not kept alive by the metrics.
    let bus = Arc::downgrade(bus);
    metrics.show_bus(move || {
        let counts = bus.upgrade().map(|bus| bus.counts()).unwrap_or_default();
        BusCounts {
            published: counts.published,
            delivered: counts.delivered,
            redelivered: counts.redelivered,
            poison: counts.poison,
            dropped: counts.live_dropped + counts.events_dropped,
            disconnects: counts.disconnects,
            repairs: counts.repairs,
        }
    });
}

/// Closes what holds connections, after all tasks have ended.
pub async fn close(store: Arc<PostgresStore>, bus: Arc<JetStreamBus>) {
    bus.close(BUS_GRACE).await;
    store.close().await;
}

/// The installation's key. Never made anew: replicas that each had their own would refuse each other.
pub(crate) fn key(file: &Path) -> Result<Key, StartError> {
    if !file.exists() {
        let file = file.display();
        return Err(StartError::new(format!(
            "auth.key_file: there is no {file}; make one for the whole installation: \
             (umask 077 && openssl rand -hex 32 >{file})"
        )));
    }
    Key::load_or_create(file).map_err(|error| StartError::of("load the key", &error))
}

async fn store(postgres: &Postgres, off: Unguarded) -> Result<Arc<PostgresStore>, StartError> {
    let options = PostgresOptions {
        writers: postgres.writers,
        readers: postgres.readers,
        deadline: postgres.deadline,
        unfenced: off.fence,
        unkeyed: off.key,
        unboxed: off.outbox,
        ..PostgresOptions::default()
    };
    let store = PostgresStore::open(postgres.url.expose(), options).await;
    Ok(Arc::new(store.map_err(|error| StartError::of("open the database", &error))?))
}

async fn blobs(
    blobs: &Blobs,
    postgres: &Postgres,
    off: Unguarded,
) -> Result<Arc<dyn ports::Blobs>, StartError> {
    match blobs.kind.as_str() {
        "s3" => {
            let config = S3Config {
                endpoint: Some(blobs.endpoint.clone()).filter(|endpoint| !endpoint.is_empty()),
                bucket: blobs.bucket.clone(),
                region: blobs.region.clone(),
                prefix: blobs.prefix.clone(),
                access_key: blobs.access_key.expose().clone(),
                secret_key: blobs.secret_key.expose().clone(),
                allow_http: blobs.allow_http,
                virtual_hosted: blobs.virtual_hosted,
                ca_file: blobs.ca_file.clone(),
                timeout: blobs.timeout,
                retries: blobs.retries,
            };
            let opened = S3Blobs::open(config).await;
            Ok(Arc::new(opened.map_err(|error| StartError::of("open the blob storage", &error))?))
        }
        "postgres" => {
            let opened = PostgresBlobs::open(postgres.url.expose(), BlobOptions::default()).await;
            Ok(Arc::new(opened.map_err(|error| StartError::of("open the blobs in the database", &error))?))
        }
        _ => {
            let options = FolderOptions { fsync: !off.fsync };
            let opened = FolderBlobs::open_with(blobs.folder.clone(), options).await;
            Ok(Arc::new(opened.map_err(|error| StartError::of("open the blob folder", &error))?))
        }
    }
}

async fn bus(nats: &Nats, service: &'static str) -> Result<Arc<JetStreamBus>, StartError> {
    let config = NatsConfig {
        servers: nats.servers.expose().clone(),
        credentials_file: nats.credentials_file.clone(),
        ca_file: nats.ca_file.clone(),
        require_tls: nats.require_tls,
        client_name: service.to_owned(),
        replicas: nats.replicas,
        max_messages: nats.max_messages,
        ack_wait: nats.ack_wait,
        check_every: nats.check_every,
        ..NatsConfig::default()
    };
    let bus = JetStreamBus::connect(config).await;
    Ok(Arc::new(bus.map_err(|error| StartError::of("reach NATS", &error))?))
}

/// Readiness follows the database and the bus; liveness does not: a restart of ours mends neither.
fn watch(store: &Arc<PostgresStore>, bus: &Arc<JetStreamBus>, handle: &Handle) {
    let (store, health, token) = (Arc::clone(store), handle.health().check("postgres"), handle.token());
    health.ready();
    handle.spawn("database watch", OnExit::Shutdown, async move {
        loop {
            match store.ping().await {
                Ok(()) => health.ready(),
                Err(error) => health.not_ready(error.message()),
            }
            if token.run_until_cancelled(tokio::time::sleep(ASK_EVERY)).await.is_none() {
                return;
            }
        }
    });
    let (mut news, health, token) = (bus.health(), handle.health().check("nats"), handle.token());
    handle.spawn("bus watch", OnExit::Shutdown, async move {
        loop {
            match news.borrow_and_update().problem.clone() {
                None => health.ready(),
                Some(problem) => health.not_ready(problem),
            }
            match token.run_until_cancelled(news.changed()).await {
                Some(Ok(())) => {}
                _ => return,
            }
        }
    });
}
