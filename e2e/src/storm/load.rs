//! Clients that ask for all kinds of calls, and try again only what was not answered.

use super::functions::{DOOMED, FLAKY, HANG, JOB, LATE, LEAN, QUEUED, SLOW};
use super::tries::{Asking, Clients, Told, Try, Way};
use crate::checker::{Answer, Program, Request, Visit};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::sleep;

const AFTER_A_BREAK: Duration = Duration::from_millis(25);
/// Answers to whom a client may come back.
const REMEMBERED: usize = 50;

/// What the clients do.
#[derive(Debug, Clone)]
pub struct Mix {
    pub clients: u64,
    /// Milliseconds between two calls of one client.
    pub pause: Range<u64>,
    /// Calls in a hundred whose payload and result are too large for the record itself.
    pub large: u32,
    /// Of a hundred calls that were accepted.
    pub cancels: u32,
    /// Of a hundred calls, those that repeat another one.
    pub replays: u32,
    /// Of a hundred calls, those that never come to an end of their own.
    pub hangs: u32,
    /// Of a hundred calls, those that answer the number of their attempt.
    pub late: u32,
    /// Of a hundred calls, those of a function's own URL.
    pub urls: u32,
}

impl Mix {
    /// Calls that come to an end of their own.
    pub fn plain(clients: u64) -> Self {
        Self { clients, pause: 20..80, large: 0, cancels: 0, replays: 0, hangs: 0, late: 0, urls: 0 }
    }
}

/// Load that goes on until it is told to stop.
#[derive(Debug)]
pub struct Load {
    shared: Arc<Shared>,
    clients: JoinSet<()>,
}

#[derive(Debug)]
struct Shared {
    clients: Clients,
    mix: Mix,
    over: AtomicBool,
    answered: AtomicUsize,
    requests: Mutex<Vec<Request>>,
    visits: Mutex<Vec<Visit>>,
    surprises: Mutex<Vec<String>>,
    accepted: Mutex<Vec<String>>,
}

/// Everything that was asked, and what should not have been answered.
#[derive(Debug)]
pub struct Asked {
    pub requests: Vec<Request>,
    pub visits: Vec<Visit>,
    pub surprises: Vec<String>,
}

impl Load {
    pub fn start(clients: Clients, mix: Mix, seed: u64) -> Self {
        let count = mix.clients;
        let shared = Arc::new(Shared {
            clients,
            mix,
            over: AtomicBool::new(false),
            answered: AtomicUsize::new(0),
            requests: Mutex::default(),
            visits: Mutex::default(),
            surprises: Mutex::default(),
            accepted: Mutex::default(),
        });
        let mut tasks = JoinSet::new();
        for number in 0..count {
            let rng = StdRng::seed_from_u64(seed ^ (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
            tasks.spawn(client(Arc::clone(&shared), number, rng));
        }
        Self { shared, clients: tasks }
    }

    /// Calls that were answered so far.
    pub fn answered(&self) -> usize {
        self.shared.answered.load(Ordering::Relaxed)
    }

    /// The ids of calls that were accepted so far, of which there must be a record.
    pub fn accepted(&self) -> Vec<String> {
        self.shared.accepted.lock().expect("no panic").clone()
    }

    /// Asks for `count` calls at once, so that there is a queue.
    pub async fn burst(&self, name: &str, count: usize) {
        self.burst_of(QUEUED, name, count).await;
    }

    /// The same of any function.
    pub async fn burst_of(&self, program: Program, name: &str, count: usize) {
        let calls = (0..count).map(|number| {
            let payload = format!("{name}-{number}");
            let call = Try { function: program.name, payload, way: Way::Async, keyed: true };
            async move {
                let mut request = asked(&call);
                for _ in 0..3 {
                    if let Told::Answer(answer) = self.shared.clients.send(&call, number % 2 == 0).await {
                        self.shared.note(&answer);
                        request.answers.push(answer);
                        break;
                    }
                }
                self.shared.keep(request);
            }
        });
        futures::future::join_all(calls).await;
    }

    /// Lets every client come to the end of what it asks for; the server must run.
    pub async fn stop(self) -> Asked {
        self.shared.over.store(true, Ordering::Relaxed);
        self.clients.join_all().await;
        let shared = Arc::try_unwrap(self.shared).expect("every client has ended");
        Asked {
            requests: shared.requests.into_inner().expect("no panic"),
            visits: shared.visits.into_inner().expect("no panic"),
            surprises: shared.surprises.into_inner().expect("no panic"),
        }
    }
}

async fn client(shared: Arc<Shared>, number: u64, mut rng: StdRng) {
    let (mut count, mut before) = (0, Vec::new());
    while !shared.over.load(Ordering::Relaxed) {
        count += 1;
        let name = format!("c{number}-{count}");
        if shared.mix.urls > 0 && rng.random_range(0..100) < shared.mix.urls {
            shared.visit(asking(&mut rng, name)).await;
        } else if rng.random_range(0..100) < shared.mix.replays && !before.is_empty() {
            let (function, id): &(&'static str, String) = &before[rng.random_range(0..before.len())];
            shared.replay(function, id, name).await;
        } else {
            let call = draw(&mut rng, name, &shared.mix);
            let (function, answer) = (call.function, shared.carry_out(call, &mut rng).await);
            if let Some(Answer::Accepted { id }) = answer
                && function == LEAN.name
            {
                before.push((function, id));
                before.truncate(REMEMBERED);
            }
        }
        sleep(Duration::from_millis(rng.random_range(shared.mix.pause.clone()))).await;
    }
}

fn draw(rng: &mut StdRng, mut payload: String, mix: &Mix) -> Try {
    let function = match rng.random_range(0..100) {
        _ if mix.hangs > 0 && rng.random_range(0..100) < mix.hangs => HANG,
        _ if mix.late > 0 && rng.random_range(0..100) < mix.late => LATE,
        0..65 => LEAN,
        65..82 => JOB,
        82..88 => SLOW,
        88..95 => FLAKY,
        _ => DOOMED,
    };
    let way = match rng.random_range(0..100) {
        // What fails at first is told as a failure to a caller who waits.
        _ if [FLAKY, DOOMED, HANG, LATE].contains(&function) => Way::Async,
        0..45 => Way::Async,
        45..70 => Way::Sync(Duration::from_secs(10)),
        // Most of these outlive their wait.
        70..85 => Way::Sync(Duration::from_millis(rng.random_range(1..60))),
        _ => Way::Delayed(Duration::from_millis(rng.random_range(1..600))),
    };
    let keyed = rng.random_bool(0.4);
    if function == LEAN && rng.random_range(0..100) < mix.large {
        payload = format!("{payload}-{}", "x".repeat(rng.random_range(8_000..60_000)));
    }
    Try { function: function.name, payload, way, keyed }
}

/// A request to a URL: small or large, answered at once or in pieces, with what is a success or is none.
fn asking(rng: &mut StdRng, name: String) -> Asking {
    let status = match rng.random_range(0..100) {
        0..90 => 200,
        90..95 => 404,
        _ => 503,
    };
    let size =
        if rng.random_bool(0.1) { rng.random_range(10_000..300_000) } else { rng.random_range(0..100) };
    let body = rng.random_bool(0.7).then(|| format!("{name} {}", "u".repeat(size)));
    Asking { name, status, body, streamed: rng.random_bool(0.3) }
}

impl Shared {
    fn note(&self, answer: &Answer) {
        self.answered.fetch_add(1, Ordering::Relaxed);
        if let Answer::Accepted { id } = answer {
            self.accepted.lock().expect("no panic").push(id.clone());
        }
    }

    fn surprise(&self, what: String) {
        self.surprises.lock().expect("no panic").push(what);
    }

    async fn visit(&self, asking: Asking) {
        match self.clients.visit(asking).await {
            Ok(visit) => self.visits.lock().expect("no panic").push(visit),
            Err(what) => self.surprise(what),
        }
    }

    async fn replay(&self, function: &'static str, id: &str, payload: String) {
        let mut request = Request { function, payload, ..Request::default() };
        match self.clients.replay(id, &request.payload).await {
            Told::Answer(answer) => {
                self.note(&answer);
                request.answers.push(answer);
            }
            // It has not ended yet, or nobody knows.
            Told::Later | Told::Broken => {}
            Told::Surprise(what) => self.surprise(what),
        }
        self.keep(request);
    }

    /// The last answer.
    async fn carry_out(&self, mut call: Try, rng: &mut StdRng) -> Option<Answer> {
        let first = call.payload.clone();
        let mut request = asked(&call);
        let mut tries = 1;
        loop {
            match self.clients.send(&call, rng.random_bool(0.3)).await {
                Told::Answer(answer) => {
                    self.note(&answer);
                    request.answers.push(answer);
                    break;
                }
                Told::Surprise(what) => {
                    self.surprise(what);
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
                Told::Surprise(what) => self.surprise(what),
                Told::Later | Told::Broken => {}
            }
        }
        if let Some(Answer::Accepted { id }) = request.answers.first()
            && rng.random_range(0..100) < self.mix.cancels
        {
            request.cancelled = true;
            let id = id.clone();
            sleep(Duration::from_millis(rng.random_range(0..200))).await;
            match self.clients.cancel(&id).await {
                Told::Answer(Answer::Cancelled { id }) => request.answers.push(Answer::Cancelled { id }),
                Told::Answer(_) | Told::Later | Told::Broken => {}
                Told::Surprise(what) => self.surprise(what),
            }
        }
        let last = request.answers.first().cloned();
        self.keep(request);
        last
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
        ..Request::default()
    }
}
