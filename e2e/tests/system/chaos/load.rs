//! Clients that ask for all kinds of calls, and try again only what was not answered.

use super::functions::{DOOMED, FLAKY, JOB, LEAN, SLOW};
use super::tries::{Clients, Told, Try, Way};
use eventflow_e2e::checker::Request;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::sleep;

const AFTER_A_BREAK: Duration = Duration::from_millis(25);

/// Load that goes on until it is told to stop.
#[derive(Debug)]
pub(crate) struct Load {
    shared: Arc<Shared>,
    clients: JoinSet<()>,
}

#[derive(Debug)]
struct Shared {
    clients: Clients,
    over: AtomicBool,
    requests: Mutex<Vec<Request>>,
    surprises: Mutex<Vec<String>>,
}

/// Everything that was asked, and what should not have been answered.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) requests: Vec<Request>,
    pub(crate) surprises: Vec<String>,
}

impl Load {
    pub(crate) fn start(clients: Clients, count: u64, seed: u64) -> Self {
        let shared = Arc::new(Shared {
            clients,
            over: AtomicBool::new(false),
            requests: Mutex::default(),
            surprises: Mutex::default(),
        });
        let mut tasks = JoinSet::new();
        for number in 0..count {
            let rng = StdRng::seed_from_u64(seed ^ (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
            tasks.spawn(client(Arc::clone(&shared), number, rng));
        }
        Self { shared, clients: tasks }
    }

    /// Lets every client come to the end of what it asks for; the server must run.
    pub(crate) async fn stop(self) -> Asked {
        self.shared.over.store(true, Ordering::Relaxed);
        self.clients.join_all().await;
        let shared = Arc::try_unwrap(self.shared).expect("every client has ended");
        Asked {
            requests: shared.requests.into_inner().expect("no panic"),
            surprises: shared.surprises.into_inner().expect("no panic"),
        }
    }
}

async fn client(shared: Arc<Shared>, number: u64, mut rng: StdRng) {
    let mut count = 0;
    while !shared.over.load(Ordering::Relaxed) {
        count += 1;
        let call = draw(&mut rng, format!("c{number}-{count}"));
        shared.carry_out(call, &mut rng).await;
        sleep(Duration::from_millis(rng.random_range(20..80))).await;
    }
}

fn draw(rng: &mut StdRng, payload: String) -> Try {
    let function = match rng.random_range(0..100) {
        0..65 => LEAN,
        65..82 => JOB,
        82..88 => SLOW,
        88..95 => FLAKY,
        _ => DOOMED,
    };
    let way = match rng.random_range(0..100) {
        // What fails at first is told as a failure to a caller who waits.
        _ if function == FLAKY || function == DOOMED => Way::Async,
        0..45 => Way::Async,
        45..70 => Way::Sync(Duration::from_secs(10)),
        // Most of these outlive their wait.
        70..85 => Way::Sync(Duration::from_millis(rng.random_range(1..60))),
        _ => Way::Delayed(Duration::from_millis(rng.random_range(1..600))),
    };
    Try { function: function.name, payload, way, keyed: rng.random_bool(0.4) }
}

impl Shared {
    async fn carry_out(&self, mut call: Try, rng: &mut StdRng) {
        let first = call.payload.clone();
        let mut request = asked(&call);
        let mut tries = 1;
        loop {
            match self.clients.send(&call, rng.random_bool(0.3)).await {
                Told::Answer(answer) => {
                    request.answers.push(answer);
                    break;
                }
                Told::Surprise(what) => {
                    self.surprises.lock().expect("no panic").push(what);
                    break;
                }
                Told::Later => {}
                Told::Broken if call.keyed => {}
                // It may have been accepted: another try is another request.
                Told::Broken => {
                    self.keep(request);
                    tries += 1;
                    call.payload = format!("{first}-try{tries}");
                    request = asked(&call);
                }
            }
            sleep(AFTER_A_BREAK).await;
        }
        // Some ask again under their key, over whatever protocol comes to hand.
        if call.keyed && rng.random_bool(0.3) {
            sleep(Duration::from_millis(rng.random_range(0..300))).await;
            match self.clients.send(&call, rng.random_bool(0.5)).await {
                Told::Answer(answer) => request.answers.push(answer),
                Told::Surprise(what) => self.surprises.lock().expect("no panic").push(what),
                Told::Later | Told::Broken => {}
            }
        }
        self.keep(request);
    }

    fn keep(&self, request: Request) {
        self.requests.lock().expect("no panic").push(request);
    }
}

fn asked(call: &Try) -> Request {
    Request {
        function: call.function,
        payload: call.payload.clone(),
        keyed: call.keyed,
        sync: matches!(call.way, Way::Sync(_)),
        answers: Vec::new(),
    }
}
