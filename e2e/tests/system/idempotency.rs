//! One key is one call, however often, by whom and through which replica it is asked, and whoever dies meanwhile.
//!
//! `EVENTFLOW_IDEMPOTENCY_KEYS` (default 120) says how many keys there are; `make chaos` takes 1,000.

use eventflow_e2e::checker::{Ends, History, Program, Request, Urls, check, summary};
use eventflow_e2e::fleet::{Fleet, Options};
use eventflow_e2e::ledger::Ledger;
use eventflow_e2e::shape::only_cluster;
use eventflow_e2e::storm::functions::shell;
use eventflow_e2e::storm::readback::{drained, records};
use eventflow_e2e::storm::tries::{Clients, Told, Try, Way};
use eventflow_testkit::servers::nats::Store;
use futures::StreamExt as _;
use futures::future::join_all;
use futures::stream;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

const RETRIES: usize = 20;
/// Keys that are raced for at once.
const AT_ONCE: usize = 8;
const PAYS: Program = Program { name: "pays", notes: true, ends: Ends::Echoes };
/// A client goes on asking for so long.
const PATIENT: Duration = Duration::from_secs(60);

pub(crate) fn setting(name: &str, default: usize) -> usize {
    let text = std::env::var_os(name);
    text.map_or(default, |text| text.to_str().and_then(|text| text.parse().ok()).expect("a number"))
}

/// Twenty clients at once; each asks until it is answered.
async fn race(clients: &Clients, number: usize) -> Request {
    let way = if number.is_multiple_of(4) { Way::Sync(Duration::from_secs(10)) } else { Way::Async };
    let call = Try { function: PAYS.name, payload: format!("key-{number}"), way, keyed: true };
    let ask = async |client: usize| {
        loop {
            match clients.send(&call, client.is_multiple_of(2)).await {
                Told::Answer(answer) => return answer,
                Told::Later | Told::Broken => sleep(Duration::from_millis(20)).await,
                Told::Surprise(what) => panic!("{what}"),
            }
        }
    };
    let answers = timeout(PATIENT, join_all((0..RETRIES).map(ask))).await;
    let answers = answers.unwrap_or_else(|_| panic!("no answer to {call:?} within {PATIENT:?}"));
    Request {
        function: PAYS.name,
        payload: call.payload,
        keyed: true,
        sync: way != Way::Async,
        answers,
        ..Request::default()
    }
}

/// Kills one api after the other, for ever.
async fn kill_apis(fleet: &Fleet, seed: u64) -> std::convert::Infallible {
    let mut rng = StdRng::seed_from_u64(seed);
    loop {
        sleep(Duration::from_millis(rng.random_range(500..2500))).await;
        let api = &fleet.apis[rng.random_range(0..fleet.apis.len())];
        api.kill();
        api.ready(Duration::from_secs(60)).await;
    }
}

/// What does not hold after `keys` races while apis are killed and the broker forgets everything, and the executions.
pub(crate) async fn races(fleet: &mut Fleet, keys: usize, seed: u64) -> (Vec<String>, usize) {
    let ledger = Ledger::new(fleet.folder().join("ledger"));
    let (rests, grpcs) = fleet.clients().await;
    let rest = rests[0].clone();
    rest.apply(&shell(PAYS.name, &format!("{}; printf %s \"$payload\"", ledger.note()))).await;
    let clients = Clients::new(rests, grpcs).patient_for(Duration::from_secs(15));
    let begun = Instant::now();
    let mut requests: Vec<Request> = Vec::new();
    for half in [0..keys / 2, keys / 2..keys] {
        let racing =
            stream::iter(half).map(|number| race(&clients, number)).buffer_unordered(AT_ONCE).collect();
        let raced: Vec<Request> = tokio::select! {
            raced = racing => raced,
            never = kill_apis(fleet, seed) => match never {},
        };
        requests.extend(raced);
        // What the broker knew of message ids is gone.
        fleet.nats.restart(Store::Wiped).await;
    }
    let kills: u32 = fleet.apis.iter().map(|api| api.starts() - 1).sum();
    for api in &fleet.apis {
        api.ready(Duration::from_secs(60)).await;
    }
    // A key is kept beyond its call's end.
    requests.push(race(&clients, 0).await);
    let last = requests.pop().expect("the last one");
    let first = requests.iter_mut().find(|request| request.payload == last.payload).expect("the same key");
    first.answers.extend(last.answers);
    drained(&rest, Duration::from_secs(120)).await;
    let records = records(&rest).await;
    let starts = ledger.starts().expect("a whole ledger");
    let history = History {
        programs: &[PAYS],
        requests: &requests,
        records: &records,
        starts: &starts,
        kills: &[],
        harm: None,
        ended: &[],
        max_lost: 0,
        unwritten: Duration::ZERO,
        urls: Urls::default(),
    };
    println!("{keys} keys x {RETRIES} in {:?}, {kills} kills: {}", begun.elapsed(), summary(&history));
    (check(&history), starts.len())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_racing_retries_of_each_key_over_two_apis_that_are_killed_run_once() {
    if !only_cluster("one process has no replicas") {
        return;
    }
    let keys = setting("EVENTFLOW_IDEMPOTENCY_KEYS", 120);
    let seed = rand::random();
    println!("seed {seed}");
    let mut fleet = Fleet::start(Options::default()).await;
    let (wrong, executions) = races(&mut fleet, keys, seed).await;
    let first: Vec<&String> = wrong.iter().take(20).collect();
    assert!(wrong.is_empty(), "{} things do not hold: {first:#?}", wrong.len());
    assert_eq!(executions, keys, "one execution for each key");
}
