//! SIGKILL at random moments under load: nothing accepted is lost, nothing ends twice, every extra start has a
//! recorded cause, no child process survives.
//!
//! `EVENTFLOW_CHAOS_SEED` repeats a storm, `EVENTFLOW_CHAOS_KILLS` (default 100) says how long it is.

use eventflow_e2e::Server;
use eventflow_e2e::checker::{Harm, History, Urls, check, summary};
use eventflow_e2e::ledger::Ledger;
use eventflow_e2e::storm::children::Mark;
use eventflow_e2e::storm::functions;
use eventflow_e2e::storm::load::{Asked, Load, Mix};
use eventflow_e2e::storm::readback::{drained, ends, records};
use eventflow_e2e::storm::tries::Clients;
use eventflow_e2e::wait::until;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use std::time::Duration;
use tokio::time::{Instant, sleep};

const CLIENTS: u64 = 8;
/// Records of calls without a key follow their answer within 100 ms; more on a machine that is busy.
const UNWRITTEN: Duration = Duration::from_secs(1);
const MAX_LOST: u32 = 5;

fn setting(name: &str) -> Option<u64> {
    let text = std::env::var_os(name)?;
    Some(text.to_str().and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("{name} is no number")))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_sigkills_under_load_lose_nothing() {
    let seed = setting("EVENTFLOW_CHAOS_SEED").unwrap_or_else(rand::random);
    let count = setting("EVENTFLOW_CHAOS_KILLS").unwrap_or(100);
    println!("EVENTFLOW_CHAOS_SEED={seed} EVENTFLOW_CHAOS_KILLS={count}");
    let mark = Mark::new();
    let mut server = mark.on(Server::options()).start().await;
    let ledger = Ledger::new(server.folder().join("ledger"));
    let rest = server.rest().await;
    functions::deploy(&rest, &ledger, &mark).await;

    let clients = Clients::new(vec![rest.clone()], vec![server.grpc().await]);
    let begun = clients.begun;
    let load = Load::start(clients, Mix::plain(CLIENTS), seed);
    let kills = kill_often(&mut server, &load, count, begun, StdRng::seed_from_u64(seed)).await;
    let Asked { requests, surprises, .. } = load.stop().await;
    let stormed = begun.elapsed();
    assert!(surprises.is_empty(), "seed {seed}: answers that should not be: {surprises:#?}");

    drained(&rest, Duration::from_secs(90)).await;
    let records = records(&rest).await;
    let starts = ledger.starts().expect("a whole ledger");
    let history = History {
        programs: &functions::ALL,
        requests: &requests,
        records: &records,
        starts: &starts,
        kills: &kills,
        harm: None,
        ended: &[],
        max_lost: MAX_LOST,
        unwritten: UNWRITTEN,
        urls: Urls::default(),
    };
    println!("{count} kills in {stormed:?}, read back after {:?}: {}", begun.elapsed(), summary(&history));
    let wrong = check(&history);
    let first: Vec<&String> = wrong.iter().take(20).collect();
    assert!(wrong.is_empty(), "seed {seed}: {} things do not hold: {first:#?}", wrong.len());
    assert!(records.len() as u64 > 2 * count, "there was hardly any load");

    let before = ends(&rest).await;
    server.kill().await;
    mark.nothing_left().await;
    server.restart().await;
    assert_eq!(ends(&rest).await, before, "what has ended changed");
    assert_eq!(ledger.starts().expect("a whole ledger").len(), starts.len(), "something ran again");
}

/// Kills and restarts; says when, by the clock that began at `begun`.
async fn kill_often(
    server: &mut Server,
    load: &Load,
    count: u64,
    begun: Instant,
    mut rng: StdRng,
) -> Vec<Harm> {
    let mut kills = Vec::new();
    for _ in 0..count {
        sleep(Duration::from_millis(rng.random_range(20..=400))).await;
        kills.push(Harm::at(begun.elapsed()));
        server.kill().await;
        if rng.random_bool(0.15) {
            server.doomed_start(Duration::from_millis(rng.random_range(0..250))).await;
            kills.push(Harm::at(begun.elapsed()));
        }
        let before = load.answered();
        server.restart().await;
        // However busy the machine: a kill of a server that nobody asked shows nothing.
        let answered = async || (load.answered() > before + 1).then_some(());
        until("answers between two kills", Duration::from_secs(30), answered).await;
    }
    kills
}
