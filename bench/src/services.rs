//! The services as they run in a cluster: `eventflow-api` and `eventflow-dispatcher` over a real PostgreSQL, whose
//! commits are durable, and a real nats-server.

use crate::eventflow::EventFlow;
use crate::process::Process;
use anyhow::{Context as _, Result, ensure};
use eventflow_testkit::servers::free_port;
use eventflow_testkit::servers::nats::NatsServer;
use eventflow_testkit::servers::postgres::{PostgresOptions, PostgresServer};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use tokio::process::Command;

/// What stands behind the services. Dropping it ends the servers.
#[derive(Debug)]
pub(crate) struct Behind {
    pub(crate) postgres: PostgresServer,
    pub(crate) nats: NatsServer,
    /// Of the services; made by them.
    pub(crate) database: String,
    data: TempDir,
    /// Where the one dispatcher listens.
    dispatcher: u16,
    programs: PathBuf,
}

impl Behind {
    /// `binary`: the services are in the same folder.
    pub(crate) async fn start(binary: &Path) -> Result<Self> {
        let programs = binary.parent().context("a binary lies in a folder")?.to_owned();
        for name in ["eventflow-api", "eventflow-dispatcher"] {
            let program = programs.join(name);
            ensure!(program.is_file(), "{} is not there: `make bench` builds it", program.display());
        }
        // As a database server of this size is set up: its memory for data, and commits that are on the disk.
        let settings = vec![("shared_buffers", "512MB".to_owned()), ("max_wal_size", "4GB".to_owned())];
        let postgres =
            PostgresServer::start(PostgresOptions { fsync: true, settings, ..Default::default() }).await;
        let database = postgres.url_of(&postgres.fresh_database(None).await);
        let data = tempfile::tempdir()?;
        let mut key = std::fs::File::options()
            .create_new(true)
            .write(true)
            .mode(0o600)
            .open(data.path().join("jwt.key"))?;
        key.write_all("eventflow-bench ".repeat(4).as_bytes())?;
        let nats = NatsServer::start().await;
        Ok(Self { postgres, nats, database, data, dispatcher: free_port(), programs })
    }

    /// A database of its own on the same server, for a peer.
    pub(crate) async fn another_database(&self) -> String {
        self.postgres.url_of(&self.postgres.fresh_database(None).await)
    }

    pub(crate) async fn api(&self) -> Result<EventFlow> {
        let mut api = self.service("eventflow-api", "127.0.0.1:0");
        api.args(["--set", &format!("peers.dispatchers=127.0.0.1:{}", self.dispatcher)]);
        EventFlow::log_in(Process::start(api, false).await?).await
    }

    pub(crate) async fn dispatcher(&self) -> Result<Process> {
        let dispatcher = self.service("eventflow-dispatcher", &format!("127.0.0.1:{}", self.dispatcher));
        Process::start(dispatcher, false).await
    }

    fn service(&self, name: &str, listen: &str) -> Command {
        let mut command = Command::new(self.programs.join(name));
        let folder = |name: &str| self.data.path().join(name).display().to_string();
        for setting in [
            format!("listen={listen}"),
            "admin_listen=127.0.0.1:0".to_owned(),
            format!("data={}", folder(name)),
            format!("blobs.folder={}", folder("blobs")),
            format!("auth.key_file={}", folder("jwt.key")),
            "auth.dev_login=cluster".to_owned(),
            format!("postgres.url={}", self.database),
            format!("nats.servers={}", self.nats.url()),
        ] {
            command.args(["--set", &setting]);
        }
        command
    }
}
