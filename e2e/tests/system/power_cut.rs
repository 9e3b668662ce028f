//! Power cuts under load: what was answered is there afterwards. The disk is a file system in a file; a copy of that file
//! has what was synced, and nothing else.
//!
//! `EVENTFLOW_POWER_CUTS` (default 4) says how often; `make chaos` takes 50. The services have theirs in the chaos runner.

use crate::idempotency::setting;
use eventflow_e2e::checker::{Harm, History, Urls, check, summary};
use eventflow_e2e::disk::Image;
use eventflow_e2e::ledger::Ledger;
use eventflow_e2e::shape::only_local;
use eventflow_e2e::storm::children::Mark;
use eventflow_e2e::storm::functions;
use eventflow_e2e::storm::load::{Asked, Load, Mix};
use eventflow_e2e::storm::readback::{drained, records};
use eventflow_e2e::storm::tries::Clients;
use eventflow_e2e::wait::until;
use eventflow_e2e::{Server, skipped};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use rustix::process::Signal;
use std::time::Duration;
use tokio::time::sleep;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn power_cuts_under_load_take_nothing_that_was_answered() {
    if !only_local("the services' power is cut by the chaos runner") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let Some(mut disk) = Image::mount(&folder.path().join("disk"), &folder.path().join("disk.img"), 512)
    else {
        skipped("a file system in a file cannot be mounted without privileges", false);
        return;
    };
    let (seed, cuts) = (rand::random(), setting("EVENTFLOW_POWER_CUTS", 4));
    println!("seed {seed}");
    let mut rng = StdRng::seed_from_u64(seed);
    let mark = Mark::new();
    let options = mark.on(Server::options()).set("limits.inline=4Ki").data(&disk.path().join("data"));
    let mut server = options.start().await;
    let ledger = Ledger::new(server.folder().join("ledger"));
    let rest = server.rest().await;
    functions::deploy(&rest, &ledger, &mark).await;
    let clients = Clients::new(vec![rest.clone()], vec![server.grpc().await]);
    let clients = clients.patient_for(Duration::from_secs(10));
    let begun = clients.begun;
    let load = Load::start(clients, Mix { large: 15, ..Mix::plain(8) }, seed);
    let mut kills = Vec::new();
    for _ in 0..cuts {
        let before = load.answered();
        // However busy the machine: a cut that nothing was answered before shows nothing.
        let answers = async || (load.answered() > before + 20).then_some(());
        until("answers between two cuts", Duration::from_secs(60), answers).await;
        sleep(Duration::from_millis(rng.random_range(100..1500))).await;
        let from = begun.elapsed();
        server.signal(Signal::STOP);
        // A system call on its way ends before its process stands still.
        sleep(Duration::from_millis(20)).await;
        let cut = disk.cut();
        server.kill().await;
        disk.replace(cut);
        server.restart().await;
        kills.push(Harm { from, to: begun.elapsed() });
    }
    let Asked { requests, surprises, .. } = load.stop().await;
    assert!(surprises.is_empty(), "seed {seed}: {surprises:#?}");
    drained(&rest, Duration::from_secs(90)).await;
    let (records, starts) = (records(&rest).await, ledger.starts().expect("a whole ledger"));
    let history = History {
        programs: &functions::ALL,
        requests: &requests,
        records: &records,
        starts: &starts,
        kills: &kills,
        harm: None,
        ended: &[],
        max_lost: 5,
        unwritten: Duration::from_secs(1),
        urls: Urls::default(),
    };
    println!("{cuts} power cuts in {:?}: {}", begun.elapsed(), summary(&history));
    let wrong = check(&history);
    let first: Vec<&String> = wrong.iter().take(20).collect();
    assert!(wrong.is_empty(), "seed {seed}: {} things do not hold: {first:#?}", wrong.len());
    drop(server);
}
