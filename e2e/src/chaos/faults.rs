//! What is done to a fleet.

mod machines;
mod servers;
mod services;

use super::ground::Ground;
use crate::storm::load::Load;
use rand::rngs::StdRng;
use std::fmt;

/// One kind of harm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    KillApi,
    StopApi,
    KillDispatcher,
    /// Stands still for longer than its leases, and goes on as if nothing had been.
    ZombieDispatcher,
    /// SIGTERM to one after the other.
    RollingRestart,
    KillNats,
    StopNats,
    /// Its store is gone, with work queued.
    WipeNats,
    /// No byte is left on its disk.
    FillNats,
    /// No packet comes through, and nobody says so.
    CutOffNats,
    DeleteStream,
    EditStream,
    PurgeStream,
    KillPostgres,
    StopPostgres,
    CutOffPostgres,
    /// Its connections are ended by hand.
    EndConnections,
    /// Three packets of ten are lost, to and from everything.
    LosePackets,
    /// Of the database alone.
    PowerCutPostgres,
    /// Of everything at once: only what was synced is there afterwards.
    PowerCut,
    KillGateway,
    StopGateway,
}

impl Fault {
    pub const ALL: [Self; 22] = [
        Self::KillApi,
        Self::StopApi,
        Self::KillDispatcher,
        Self::ZombieDispatcher,
        Self::RollingRestart,
        Self::KillNats,
        Self::StopNats,
        Self::WipeNats,
        Self::FillNats,
        Self::CutOffNats,
        Self::DeleteStream,
        Self::EditStream,
        Self::PurgeStream,
        Self::KillPostgres,
        Self::StopPostgres,
        Self::CutOffPostgres,
        Self::EndConnections,
        Self::LosePackets,
        Self::PowerCutPostgres,
        Self::PowerCut,
        Self::KillGateway,
        Self::StopGateway,
    ];

    /// Whether it is done to a gateway.
    pub fn is_of_gateways(self) -> bool {
        matches!(self, Self::KillGateway | Self::StopGateway)
    }

    /// Whether the broker forgets what waits in it, which takes a minute to be told again.
    pub fn forgets(self) -> bool {
        matches!(
            self,
            Self::WipeNats
                | Self::FillNats
                | Self::DeleteStream
                | Self::EditStream
                | Self::PurgeStream
                | Self::PowerCut
        )
    }

    /// Whether a running attempt may lose its worker: what happens to the broker never costs one.
    pub fn costs_attempts(self) -> bool {
        !matches!(
            self,
            Self::KillNats
                | Self::StopNats
                | Self::WipeNats
                | Self::FillNats
                | Self::CutOffNats
                | Self::DeleteStream
                | Self::EditStream
                | Self::PurgeStream
        )
    }

    /// Whether records may be in the memory of a process that dies.
    pub fn kills_a_writer(self) -> bool {
        matches!(self, Self::KillDispatcher | Self::PowerCut)
    }

    /// Whether records cannot be written meanwhile.
    pub fn holds_up_records(self) -> bool {
        matches!(
            self,
            Self::KillPostgres
                | Self::StopPostgres
                | Self::CutOffPostgres
                | Self::LosePackets
                | Self::PowerCutPostgres
                | Self::PowerCut
        )
    }

    /// What it takes that not every user and machine has; `None` = it can be done.
    pub fn missing(self, ground: &Ground) -> Option<&'static str> {
        match self {
            Self::FillNats if ground.small.is_none() => Some("a small file system cannot be mounted"),
            Self::CutOffNats | Self::CutOffPostgres | Self::LosePackets if ground.net.is_none() => {
                Some("there is no network of its own with nft")
            }
            Self::PowerCut | Self::PowerCutPostgres if ground.disks.is_none() => {
                Some("a file system in a file cannot be mounted")
            }
            fault if fault.is_of_gateways() && ground.fleet.gateways.is_empty() => {
                Some("there is no gateway")
            }
            _ => None,
        }
    }

    /// Does it and repairs it: what would not come back by itself is there again when this returns.
    pub async fn inflict(self, ground: &mut Ground, load: &Load, number: usize, rng: &mut StdRng) {
        match self {
            Self::KillApi => services::kill(&ground.fleet.apis, rng),
            Self::KillDispatcher => services::kill(&ground.fleet.dispatchers, rng),
            Self::StopApi => services::stop(&ground.fleet.apis, rng, 3..6).await,
            Self::KillGateway => services::kill(&ground.fleet.gateways, rng),
            Self::StopGateway => services::stop(&ground.fleet.gateways, rng, 3..6).await,
            Self::ZombieDispatcher => services::zombie(ground, load, number, rng).await,
            Self::RollingRestart => services::roll(&ground.fleet).await,
            Self::KillNats => servers::kill_nats(ground, rng).await,
            Self::StopNats => servers::stop_nats(ground, rng).await,
            Self::WipeNats => servers::wipe_nats(ground, load, number).await,
            Self::FillNats => servers::fill_nats(ground, rng).await,
            Self::CutOffNats => machines::cut_off_nats(ground, rng).await,
            Self::DeleteStream | Self::EditStream | Self::PurgeStream => {
                servers::handle_stream(self, ground, load, number).await;
            }
            Self::KillPostgres => servers::kill_postgres(ground, rng).await,
            Self::StopPostgres => servers::stop_postgres(ground, rng).await,
            Self::CutOffPostgres => machines::cut_off_postgres(ground, rng).await,
            Self::EndConnections => servers::end_connections(ground).await,
            Self::LosePackets => machines::lose_packets(ground, rng).await,
            Self::PowerCutPostgres => machines::power_cut_postgres(ground).await,
            Self::PowerCut => machines::power_cut(ground, load, number).await,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}
