//! The sections of the configurations. The comments of their fields are the text of `docs/configuration.md`.

use eventflow_gateway::GatewayConfig;
use eventflow_lifecycle::config::{Secret, bytes, duration};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::time::Duration;

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct Gateway {
    /// Host names that a request may carry besides loopback ones.
    pub hosts: Vec<String>,
    /// Origins (`https://console.example`) of pages that may call besides the own one.
    pub origins: Vec<String>,
    /// How long a request that is no stream may take, its `wait` not counted.
    #[serde(with = "duration")]
    pub request_timeout: Duration,
    /// How long a body may take to arrive whole; over it, 408.
    #[serde(with = "duration")]
    pub body_timeout: Duration,
    /// How long a body may pause; over it, 408.
    #[serde(with = "duration")]
    pub body_idle: Duration,
    /// After so long a silence a stream says that it is alive; proxies give up after 20s or more.
    #[serde(with = "duration")]
    pub keep_alive: Duration,
}

impl Default for Gateway {
    fn default() -> Self {
        let GatewayConfig { request_timeout, body_timeout, body_idle, keep_alive, .. } =
            GatewayConfig::default();
        let (hosts, origins) = (Vec::new(), Vec::new());
        Self { hosts, origins, request_timeout, body_timeout, body_idle, keep_alive }
    }
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Ui {
    /// Where a trace is to be seen: a URL in which `{trace_id}` stands for the trace's id, such as
    /// `https://jaeger.example/trace/{trace_id}`. The UI links to it; empty: no links.
    pub trace_link: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// Bytes of a payload or a result; 1Ki to 2Gi.
    #[serde(with = "bytes")]
    pub payload: u64,
    /// Payloads and results up to this are kept in the record itself, larger ones in the blob store; at most 1Mi.
    #[serde(with = "bytes")]
    pub inline: u64,
    /// Bytes of stdout that are the result of a job that writes no result file: the last ones.
    #[serde(with = "bytes")]
    pub stdout_result: u64,
    /// Bytes of captured logs per call.
    #[serde(with = "bytes")]
    pub logs: u64,
    /// Bytes of an uploaded artifact.
    #[serde(with = "bytes")]
    pub artifact: u64,
    /// Bytes of bodies in memory at once, over all requests; over it, 429. At least `limits.payload`.
    #[serde(with = "bytes")]
    pub buffered: u64,
    /// The longest `wait` of a call or a read.
    #[serde(with = "duration")]
    pub max_wait: Duration,
    /// The longest `delay` of a call.
    #[serde(with = "duration")]
    pub max_delay: Duration,
    /// How long an Idempotency-Key is kept.
    #[serde(with = "duration")]
    pub idempotency: Duration,
    /// Attempts of a call that may be lost with their worker before the call fails.
    pub max_lost: u32,
}

impl Default for Limits {
    fn default() -> Self {
        let limits = eventflow_domain::limits::Limits::default();
        Self {
            payload: limits.payload,
            inline: limits.inline,
            stdout_result: limits.stdout_result,
            logs: limits.logs,
            artifact: limits.artifact,
            buffered: limits.buffered,
            max_wait: limits.max_wait,
            max_delay: limits.max_delay,
            idempotency: limits.idempotency,
            max_lost: limits.max_lost,
        }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct Dispatcher {
    /// Most runs at once, over all functions. Within it the bound follows the work that waits and how busy the machine is.
    pub slots: usize,
    /// The bound of runs at once is not lowered below this; where `slots` is less, that.
    pub min_slots: usize,
    /// Runs at once of a function that declares no `concurrency`.
    pub default_concurrency: u32,
    /// Calls whose callers wait for a slot, over all functions; one more gets 429.
    pub max_waiting: usize,
    /// How long a run is its worker's without a renewal; renewed every third of it. 3s to 10m.
    #[serde(with = "duration")]
    pub lease: Duration,
    /// The longest time between the end of a sync call and its record; at most 100ms.
    #[serde(with = "duration")]
    pub record_flush: Duration,
    /// Records of ended sync calls that may wait to be written; more calls get 429.
    pub record_buffer: usize,
    /// The longest time that captured lines are in memory only; at most 5s.
    #[serde(with = "duration")]
    pub log_flush: Duration,
    /// Bytes of captured lines kept while the record cannot be written; over it, lines are dropped with a marker.
    #[serde(with = "bytes")]
    pub log_buffer: u64,
}

impl Default for Dispatcher {
    fn default() -> Self {
        let config = eventflow_dispatcher::Config::default();
        Self {
            slots: config.slots,
            min_slots: config.min_slots,
            default_concurrency: config.default_concurrency,
            max_waiting: config.max_waiting,
            lease: config.lease,
            record_flush: config.record_flush,
            record_buffer: config.record_buffer,
            log_flush: config.log_flush,
            log_buffer: config.log_buffer as u64,
        }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct Retention {
    /// Ended calls older than this are removed; at least 1m.
    #[serde(with = "duration")]
    pub max_age: Duration,
    /// Ended calls kept per function; older ones are removed.
    pub max_count: u64,
    /// How often old records and unused blobs are looked for; at least 1s.
    #[serde(with = "duration")]
    pub every: Duration,
    /// A blob that nothing names is kept for so long; at least 1m.
    #[serde(with = "duration")]
    pub blob_min_age: Duration,
}

impl Default for Retention {
    fn default() -> Self {
        let config = eventflow_dispatcher::Config::default();
        Self {
            max_age: config.retention.max_age,
            max_count: config.retention.max_count,
            every: config.retain_every,
            blob_min_age: config.blob_min_age,
        }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct Process {
    /// A warm process that nobody called for so long is stopped, down to the function's `scaling.min`.
    #[serde(with = "duration")]
    pub idle_stop: Duration,
    /// Between SIGTERM and SIGKILL, at most 4s.
    #[serde(with = "duration")]
    pub kill_grace: Duration,
}

impl Default for Process {
    fn default() -> Self {
        Self { idle_stop: Duration::from_secs(300), kill_grace: Duration::from_secs(2) }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct Container {
    /// The socket of Docker or Podman: `unix:///run/user/1000/podman/podman.sock`, or `tcp://` and a loopback address.
    /// Empty = `$DOCKER_HOST`, else where they usually listen.
    pub socket: String,
    /// A network of the engine for functions; empty = the engine's default. Never the host's.
    pub network: String,
    /// What containers may do whose function says nothing of it: `restricted` or `baseline`.
    pub pod_security: String,
    /// Processes and threads of one container.
    pub pids: u32,
    /// A warm container that nobody called for so long is stopped, down to the function's `scaling.min`.
    #[serde(with = "duration")]
    pub idle_stop: Duration,
    /// Between SIGTERM and SIGKILL, at most 4s.
    #[serde(with = "duration")]
    pub kill_grace: Duration,
}

impl Default for Container {
    fn default() -> Self {
        Self {
            socket: String::new(),
            network: String::new(),
            pod_security: "baseline".to_owned(),
            pids: 512,
            idle_stop: Duration::from_secs(300),
            kill_grace: Duration::from_secs(2),
        }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct Wasm {
    /// Instances that run at once; more calls wait.
    pub max_instances: u32,
    /// Bytes of a module or a component.
    #[serde(with = "bytes")]
    pub max_code: u64,
    /// Bytes of compiled code kept on disk; the oldest goes first.
    #[serde(with = "bytes")]
    pub cache: u64,
    /// How long one compilation may take.
    #[serde(with = "duration")]
    pub compile_timeout: Duration,
}

impl Default for Wasm {
    fn default() -> Self {
        let defaults = eventflow_runtime_wasm::WasmConfig::new("");
        Self {
            max_instances: defaults.max_instances,
            max_code: defaults.max_code,
            cache: defaults.cache_bytes,
            compile_timeout: defaults.compile_timeout,
        }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct Postgres {
    /// `postgres://user:password@host:5432/database?sslmode=verify-full`, with the parameters of libpq.
    pub url: Secret<String>,
    /// Connections for writing; each commits a group of what waits at a time.
    pub writers: u32,
    /// Connections for reading, opened when first needed.
    pub readers: u32,
    /// From a request to its answer at the latest, whatever the database does; over it, 503. 1s to 5m.
    #[serde(with = "duration")]
    pub deadline: Duration,
}

impl Default for Postgres {
    fn default() -> Self {
        let options = eventflow_store::PostgresOptions::default();
        Self {
            url: Secret::default(),
            writers: options.writers,
            readers: options.readers,
            deadline: options.deadline,
        }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct Nats {
    /// `nats://user:password@host:4222`, of any servers of one cluster.
    pub servers: Secret<Vec<String>>,
    /// A `.creds` file; without one, what the servers' URLs say.
    pub credentials_file: Option<PathBuf>,
    /// Certificates of the authorities to trust beside those of the system.
    pub ca_file: Option<PathBuf>,
    /// Whether a connection without TLS is refused.
    pub require_tls: bool,
    /// Copies of each stream: 1, 3 or 5.
    pub replicas: usize,
    /// Messages that wait at most; over it the outbox holds them back.
    pub max_messages: i64,
    /// A message that nobody speaks of for so long is delivered again; kept alive every third of it.
    #[serde(with = "duration")]
    pub ack_wait: Duration,
    /// How often the streams are compared with what they must be, and repaired; at most 30s.
    #[serde(with = "duration")]
    pub check_every: Duration,
}

impl Default for Nats {
    fn default() -> Self {
        let config = eventflow_bus::jetstream::Config::default();
        Self {
            servers: Secret::new(config.servers),
            credentials_file: None,
            ca_file: None,
            require_tls: config.require_tls,
            replicas: config.replicas,
            max_messages: config.max_messages,
            ack_wait: config.ack_wait,
            check_every: config.check_every,
        }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct Blobs {
    /// Where artifacts and large payloads and results are: `folder`, `s3`, or `postgres` for small installations.
    pub kind: String,
    /// The folder, which all replicas share.
    pub folder: PathBuf,
    /// `https://host[:port]` of an S3-compatible storage; empty = that of AWS in `region`.
    pub endpoint: String,
    /// The bucket.
    pub bucket: String,
    /// The bucket's region.
    pub region: String,
    /// Segments before all keys in the bucket; what lies under them is EventFlow's alone.
    pub prefix: String,
    /// The access key of the storage.
    pub access_key: Secret<String>,
    /// The secret key of the storage.
    pub secret_key: Secret<String>,
    /// Whether `endpoint` may be `http://`: payloads would be readable on the way.
    pub allow_http: bool,
    /// Whether the bucket is a part of the host name, not of the path.
    pub virtual_hosted: bool,
    /// Certificates of the authorities to trust beside those of the system.
    pub ca_file: Option<PathBuf>,
    /// For a connection to the storage, for an answer, and for the next bytes of one; 1s to 5m.
    #[serde(with = "duration")]
    pub timeout: Duration,
    /// How often a request is sent again at most, within `timeout` of the first.
    pub retries: usize,
}

impl Default for Blobs {
    fn default() -> Self {
        let s3 = eventflow_blobs::S3Config::default();
        Self {
            kind: "folder".to_owned(),
            folder: PathBuf::new(),
            endpoint: String::new(),
            bucket: s3.bucket,
            region: s3.region,
            prefix: s3.prefix,
            access_key: Secret::default(),
            secret_key: Secret::default(),
            allow_http: s3.allow_http,
            virtual_hosted: s3.virtual_hosted,
            ca_file: s3.ca_file,
            timeout: s3.timeout,
            retries: s3.retries,
        }
    }
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Auth {
    /// The file with the installation's key, mode 600, the same for all replicas: it signs tokens.
    pub key_file: PathBuf,
    /// The file of those who log in with a password: entries as `eventflow user` prints them. Read at start.
    pub users_file: Option<PathBuf>,
    /// `cluster` lets admin/admin log in: for tests and clusters on one's own machine. Else empty.
    pub dev_login: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct Registry {
    /// Where functions are declared: `postgres`, or `kubernetes` for custom resources that an operator numbers.
    pub kind: String,
}

impl Default for Registry {
    fn default() -> Self {
        Self { kind: "postgres".to_owned() }
    }
}

impl Registry {
    pub fn is_kubernetes(&self) -> bool {
        self.kind == "kubernetes"
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct Kubernetes {
    /// A kubeconfig; without one, the service account of this pod.
    pub kubeconfig: Option<PathBuf>,
    /// Where EventFlow's own objects are.
    pub namespace: String,
    /// Where functions may be; empty = in every namespace with the label `eventflow.io/enabled=true`.
    pub namespaces: Vec<String>,
    /// The image with `eventflow-job-agent`: for payloads over 64 KiB or of bytes, and for `result: file`.
    pub agent_image: String,
    /// How pods reach `transfer_listen` of this dispatcher, or of any: `http://host:port`.
    pub transfer_url: String,
    /// Where pods of Jobs fetch payloads and upload results.
    pub transfer_listen: String,
    /// What pods of functions may do that say nothing of it: `restricted` or `baseline`.
    pub pod_security: String,
    /// How long Jobs stay after their end; 1m to 7d.
    #[serde(with = "duration")]
    pub job_ttl: Duration,
    /// How long one dispatcher is the one that scales without a renewal; 3s to 5m.
    #[serde(with = "duration")]
    pub lease: Duration,
    /// How often the load is looked at; 1s to 1m.
    #[serde(with = "duration")]
    pub scale_every: Duration,
    /// Warm copies go when none of this time needed them; at most 1h.
    #[serde(with = "duration")]
    pub scale_window: Duration,
    /// The last warm copy goes when nothing was called for so long; at most 1d.
    #[serde(with = "duration")]
    pub scale_to_zero_after: Duration,
}

impl Default for Kubernetes {
    fn default() -> Self {
        Self {
            kubeconfig: None,
            namespace: "eventflow".to_owned(),
            namespaces: Vec::new(),
            agent_image: String::new(),
            transfer_url: String::new(),
            transfer_listen: "0.0.0.0:9091".to_owned(),
            pod_security: "restricted".to_owned(),
            job_ttl: Duration::from_secs(3600),
            lease: Duration::from_secs(15),
            scale_every: Duration::from_secs(2),
            scale_window: Duration::from_secs(60),
            scale_to_zero_after: Duration::from_secs(120),
        }
    }
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Peers {
    /// The internal addresses of the dispatchers, `host:port`.
    pub dispatchers: Vec<String>,
    /// The addresses of the apis, `host:port`. Only a gateway asks for them.
    pub apis: Vec<String>,
    /// In a cluster instead: the Service of the dispatchers, in `kubernetes.namespace`, and the name of its port:
    /// `eventflow-dispatcher:internal`. Each of its ready endpoints is asked, so no DNS and no kube-proxy are needed.
    pub dispatchers_service: String,
    /// Likewise the Service of the apis, and its port for HTTP. Only a gateway asks for it.
    pub apis_service: String,
}

/// Guards that are switched off, only to show that they are needed. No file, variable or flag reaches this: it is never
/// part of a configuration, and the programs that people get leave it as it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Unguarded {
    /// The epoch that a settlement carries.
    pub fence: bool,
    /// The time for which a run is its worker's.
    pub lease: bool,
    /// That a key is one call's alone.
    pub key: bool,
    /// That a call is in the outbox until it is claimed.
    pub outbox: bool,
    /// That a blob is on the disk before anything names it.
    pub fsync: bool,
}
