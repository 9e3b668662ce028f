//! What a run stands on: disks, a network, a fleet.

use super::net::Net;
use crate::disk::{Disk, Image};
use crate::fleet::{self, Fleet};
use eventflow_testkit::servers::nats;
use eventflow_testkit::servers::postgres::PostgresOptions;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use tempfile::TempDir;

/// Short leases, small records and a broker that is looked at often: what takes minutes in production takes seconds.
const SETTINGS: [&str; 7] = [
    "dispatcher.lease=5s",
    "limits.inline=4Ki",
    "nats.check_every=3s",
    "postgres.deadline=6s",
    "grace=5s",
    "dispatcher.slots=64",
    "gateway.request_timeout=20s",
];

/// Mounted on this machine's own disk.
#[derive(Debug)]
pub struct Disks {
    pub database: Image,
    /// Blobs, and the services' own folders.
    pub files: Image,
}

/// Taken down in this order.
#[derive(Debug)]
pub struct Ground {
    pub fleet: Fleet,
    /// Where the broker keeps its streams.
    pub small: Option<Disk>,
    pub disks: Option<Disks>,
    pub net: Option<Net>,
    folder: TempDir,
}

impl Ground {
    /// With everything that this user may have. `without`: a guard that is switched off.
    pub async fn lay(gateways: usize, without: Option<&'static str>) -> Self {
        let folder = tempfile::Builder::new().prefix("eventflow-chaos-").tempdir().unwrap();
        // The database runs as another user.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let image = |name: &str, mib| {
            Image::mount(&folder.path().join(name), &folder.path().join(format!("{name}.img")), mib)
        };
        let disks = image("database", 2048)
            .and_then(|database| Some(Disks { database, files: image("files", 1024)? }));
        let small = Disk::mount(&folder.path().join("broker"), "64m");
        let mut settings: Vec<(&str, String)> = ["min_wal_size=32MB", "max_wal_size=128MB"]
            .iter()
            .filter_map(|it| it.split_once('='))
            .map(|(key, value)| (key, value.to_owned()))
            .collect();
        settings.push(("log_min_messages", "fatal".to_owned()));
        let options = fleet::Options {
            settings: SETTINGS.iter().map(|setting| (*setting).to_owned()).collect(),
            postgres: PostgresOptions {
                fsync: true,
                parent: disks.as_ref().map(|disks| disks.database.path().to_owned()),
                settings,
            },
            nats: nats::Options {
                parent: small.as_ref().map(|small| small.path().to_owned()),
                ..nats::Options::default()
            },
            files: disks.as_ref().map(|disks| disks.files.path().join("files")),
            gateways,
            without,
            ..fleet::Options::default()
        };
        let fleet = Fleet::start(options).await;
        if let Some(disks) = &disks {
            disks.database.sync();
            disks.files.sync();
        }
        Self { fleet, small, disks, net: Net::own(), folder }
    }

    /// A folder for files of the runner, on no disk that is harmed.
    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }
}
