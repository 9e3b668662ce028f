//! Harm to what the processes run on: the network and the disks.

use super::servers::pause;
use crate::chaos::ground::Ground;
use crate::storm::load::Load;
use eventflow_testkit::servers::Signal;
use eventflow_testkit::servers::nats::Store;
use rand::rngs::StdRng;
use std::time::Duration;
use tokio::time::sleep;

pub(super) async fn cut_off_nats(ground: &Ground, rng: &mut StdRng) {
    let Some(net) = &ground.net else { return };
    net.cut_off(ground.fleet.nats.port());
    pause(rng, 4_000..14_000).await;
    net.heal();
}

pub(super) async fn cut_off_postgres(ground: &Ground, rng: &mut StdRng) {
    let Some(net) = &ground.net else { return };
    net.cut_off(ground.fleet.postgres.port());
    pause(rng, 4_000..10_000).await;
    net.heal();
}

pub(super) async fn lose_packets(ground: &Ground, rng: &mut StdRng) {
    let Some(net) = &ground.net else { return };
    let fleet = &ground.fleet;
    let mut ports = vec![fleet.nats.port(), fleet.postgres.port()];
    ports.extend(fleet.dispatcher_ports());
    net.lose(&ports, 30);
    pause(rng, 4_000..8_000).await;
    net.heal();
}

/// The database's machine alone: it stands still, its disk is as it was synced, and another one is started on that.
pub(super) async fn power_cut_postgres(ground: &mut Ground) {
    let (Some(disks), postgres) = (&mut ground.disks, &mut ground.fleet.postgres) else { return };
    postgres.signal(Signal::Stop);
    let cut = disks.database.cut();
    postgres.kill();
    disks.database.replace(cut);
    postgres.restart().await;
}

/// All machines at once, with large payloads on their way. The broker keeps nothing.
pub(super) async fn power_cut(ground: &mut Ground, load: &Load, number: usize) {
    load.burst(&format!("cut-{number}"), 50).await;
    let (Some(disks), fleet) = (&mut ground.disks, &mut ground.fleet) else { return };
    for replica in fleet.replicas() {
        replica.signal(rustix::process::Signal::STOP);
    }
    fleet.postgres.signal(Signal::Stop);
    // A system call on its way ends before its process stands still.
    sleep(Duration::from_millis(20)).await;
    let (database, files) = (disks.database.cut(), disks.files.cut());
    for replica in fleet.replicas() {
        replica.take_away().await;
    }
    fleet.nats.kill().await;
    fleet.postgres.kill();
    disks.database.replace(database);
    disks.files.replace(files);
    fleet.postgres.restart().await;
    fleet.nats.restart(Store::Wiped).await;
    for replica in fleet.replicas() {
        replica.release();
    }
}
