//! One seed, from the empty disk to the last record read back.

use super::ground::Ground;
use super::plan::{Plan, Step};
use super::probe::Probe;
use super::report::{Inflicted, Report};
use super::stalls::Stalls;
use super::streams;
use super::watch::Watch;
use crate::Rest;
use crate::checker::{Harm, History, Program, Urls, check, summary};
use crate::fleet::Replica;
use crate::ledger::Ledger;
use crate::storm::children::Mark;
use crate::storm::functions;
use crate::storm::load::{Asked, Load, Mix};
use crate::storm::readback::{drains, records};
use crate::storm::tries::Clients;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use std::path::Path;
use std::time::{Duration, SystemTime};
use tokio::time::{Instant, sleep};

/// A client that waits longer goes away.
const PATIENCE: Duration = Duration::from_secs(8);
/// The same before the run is given up.
const HOPELESS: Duration = Duration::from_secs(90);
const READY: Duration = Duration::from_secs(60);
/// Leases that a stopped worker holds run out, and the next look comes.
const AFTERMATH: Duration = Duration::from_secs(8);
/// Records of calls without a key follow their answer; more on a machine that is busy.
const UNWRITTEN: Duration = Duration::from_secs(2);
const MAX_LOST: u32 = 5;
/// The least of outbox, queues and attempts that must fit the records, in one snapshot.
const BOOKS: &str = "SELECT (SELECT count(*) FROM invocations i FULL JOIN outbox o ON o.invocation = i.id \
    WHERE (coalesce(i.state, 9) IN (0, 2)) <> (o.invocation IS NOT NULL)), \
    (SELECT count(*) FROM invocations WHERE state IN (0, 2)) - (SELECT coalesce(sum(count), 0) FROM waiting), \
    (SELECT count(*) FROM invocations WHERE state = 1) - (SELECT count(*) FROM attempts WHERE ended_at IS NULL)";

/// Calls that wait or run, and what the outbox has of them, in microseconds.
const STUCK: &str = "SELECT i.name, i.id, i.state, i.epoch, i.attempts, i.created_at, i.lease_until, o.published_at, o.due_at, \
    o.free_at, o.publishes, o.seq FROM invocations i LEFT JOIN outbox o ON o.invocation = i.id WHERE i.state < 3 ORDER BY i.name";

/// How much a run is to do.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// Calls that are to be accepted at least.
    pub accepted: usize,
    pub steps: usize,
    pub clients: u64,
    pub gateways: usize,
    /// Until everything that was accepted has ended; a broker that forgot is told again after a minute.
    pub drained: Duration,
    /// Until the first call comes through after a repair.
    pub healed: Duration,
    /// A guard that is switched off: only to show that it is needed.
    pub without: Option<&'static str>,
}

impl Default for Size {
    fn default() -> Self {
        Self {
            accepted: 5000,
            steps: 12,
            clients: 12,
            gateways: 0,
            drained: Duration::from_secs(240),
            healed: healed(),
            without: None,
        }
    }
}

/// Ten seconds, or what `EVENTFLOW_CHAOS_HEALED` says, for a machine that others are busy on.
fn healed() -> Duration {
    let seconds = std::env::var_os("EVENTFLOW_CHAOS_HEALED");
    let seconds = seconds.map(|text| text.to_str().and_then(|text| text.parse().ok()).expect("seconds"));
    Duration::from_secs(seconds.unwrap_or(10))
}

/// Times by both clocks: that of the records, and that of the storm.
#[derive(Debug, Default)]
struct Harms {
    attempts: Vec<Harm>,
    writers: Vec<Harm>,
    /// Since when records may wait for the database.
    held_up: Option<(Duration, Duration)>,
}

/// The time since 1970, by the clock of the records.
pub fn wall() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap()
}

/// Carries out the plan and judges what became of it.
pub async fn run(plan: &Plan, size: Size) -> Report {
    let began = Instant::now();
    let mut report = Report { seed: plan.seed, ..Report::default() };
    let mut ground = Ground::lay(size.gateways, size.without).await;
    let (rests, grpcs) = ground.fleet.clients().await;
    let rest = rests[0].clone();
    let ledgers = Ledgers::deploy(&rest, ground.folder()).await;
    say(&format!("seed {}: ready after {:.0?}", plan.seed, began.elapsed()));

    let clients = Clients::new(rests, grpcs).patient_for(PATIENCE);
    let mut storm = Storm {
        load: Load::start(clients.clone(), mix(size.clients), plan.seed),
        probe: Probe::new(clients.clone().patient_for(Duration::from_secs(2))),
        watch: Watch::default(),
        harms: Harms::default(),
        stalls: Stalls::watch(ground.folder()),
        healed: size.healed,
        rng: StdRng::seed_from_u64(!plan.seed),
        clients,
    };
    for (number, step) in plan.steps.iter().enumerate() {
        if let Some(missing) = step.fault.missing(&ground) {
            report.skipped.push(format!("{}: {missing}", step.fault));
            continue;
        }
        let inflicted = storm.step(&mut ground, *step, number, &mut report.wrong).await;
        report.inflicted.push(inflicted);
        if report.inflicted.last().is_some_and(|last| last.healed.is_none()) {
            break;
        }
    }
    let Storm { load, watch, probe, mut harms, stalls, .. } = storm;
    let enough = began.elapsed() + Duration::from_secs(60);
    while load.answered() < size.accepted && began.elapsed() < enough {
        sleep(Duration::from_millis(200)).await;
    }
    for replica in ground.fleet.replicas() {
        replica.ready(READY).await;
    }
    let Asked { mut requests, visits, surprises } = load.stop().await;
    say(&format!("seed {}: the storm is over after {:.0?}", plan.seed, began.elapsed()));
    requests.extend(probe.requests);
    // What has not ended is found with the rest.
    let stuck = if drains(&rest, size.drained).await { String::new() } else { stuck(&ground).await };
    report.wrong.extend(books(&ground).await);
    report.stalls = stalls.seen();
    // A lease runs out some time later.
    let stalled = report.stalls.iter().map(|stall| Harm { to: stall.to + AFTERMATH, ..*stall });
    harms.attempts.extend(stalled);
    let records = records(&rest).await;
    let mut programs: Vec<Program> = functions::ALL.into();
    programs.extend(functions::FOR_FLEETS);
    let [starts, url_starts] =
        [&ledgers.calls, &ledgers.urls].map(|ledger| ledger.starts().expect("a whole ledger"));
    let history = History {
        programs: &programs,
        requests: &requests,
        records: &records,
        starts: &starts,
        kills: &harms.writers,
        harm: Some(&harms.attempts),
        ended: &watch.ended(),
        max_lost: MAX_LOST,
        unwritten: UNWRITTEN,
        urls: Urls { function: functions::URL, visits: &visits, starts: &url_starts },
    };
    report.summary = summary(&history);
    report.promised = requests.iter().filter(|request| !request.answers.is_empty()).count();
    report.promised += report.summary.answered_visits;
    report.wrong.extend(surprises.into_iter().map(|what| format!("should not be answered: {what}")));
    report.wrong.extend(watch.wrong);
    report.wrong.extend(check(&history));
    report.took = began.elapsed();
    if !report.wrong.is_empty() {
        keep_logs(&ground, plan, &report.wrong, &stuck);
    }
    report
}

fn mix(clients: u64) -> Mix {
    Mix { clients, pause: 20..80, large: 4, cancels: 5, replays: 4, hangs: 1, late: 4, urls: 20 }
}

/// What functions note.
struct Ledgers {
    calls: Ledger,
    /// Of the one that is asked by its URL.
    urls: Ledger,
}

impl Ledgers {
    /// Applies all functions.
    async fn deploy(rest: &Rest, folder: &Path) -> Self {
        let [calls, urls] = ["ledger", "urls"].map(|name| Ledger::new(folder.join(name)));
        functions::deploy(rest, &calls, &Mark::new()).await;
        functions::deploy_for_fleets(rest, &calls).await;
        functions::deploy_url(rest, &urls).await;
        Self { calls, urls }
    }
}

/// What record and broker know of calls that do not end.
async fn stuck(ground: &Ground) -> String {
    let rows = ground.fleet.postgres.sql("postgres", STUCK).await;
    format!("{}\n{rows}\n{}", wall().as_micros(), streams::look(&ground.fleet.nats.url()).await)
}

struct Storm {
    load: Load,
    clients: Clients,
    probe: Probe,
    watch: Watch,
    harms: Harms,
    stalls: Stalls,
    healed: Duration,
    rng: StdRng,
}

impl Storm {
    async fn step(
        &mut self,
        ground: &mut Ground,
        step: Step,
        number: usize,
        wrong: &mut Vec<String>,
    ) -> Inflicted {
        sleep(Duration::from_millis(step.pause)).await;
        self.watch.look(&self.clients, &self.load.accepted()).await;
        wrong.extend(books(ground).await);
        let (from, wall_from, begun) = (self.clients.begun.elapsed(), wall(), Instant::now());
        let also = step.also.map(|also| self.second(ground, also));
        step.fault.inflict(ground, &self.load, number, &mut self.rng).await;
        if let Some(also) = also {
            also.await.unwrap();
        }
        let lasted = begun.elapsed();
        let repaired = wall();
        let healed = self.probe.first_success(HOPELESS).await;
        let stalled = self.stalls.since(repaired);
        let (fault, bound) = (step.fault, self.healed);
        if healed.is_none_or(|healed| healed > bound + stalled) {
            wrong.push(format!("{fault}: after its repair a call came through in {healed:?}, not {bound:?}"));
        }
        self.harms.note(step, (from, self.clients.begun.elapsed()), (wall_from, wall() + AFTERMATH));
        wrong.extend(books(ground).await);
        self.watch.look(&self.clients, &self.load.accepted()).await;
        let healing =
            healed.map_or_else(|| "NOT HEALED".to_owned(), |healed| format!("healed in {healed:.1?}"));
        say(&format!(
            "  {}{} for {lasted:.1?}, {healing}",
            step.fault,
            step.also.map_or(String::new(), |also| format!("+{also}"))
        ));
        Inflicted { fault: step.fault, also: step.also, lasted, healed }
    }

    /// Another one in the middle of the first.
    fn second(&mut self, ground: &Ground, also: super::Fault) -> tokio::task::JoinHandle<()> {
        let replicas: &[Replica] = match also {
            super::Fault::KillApi => &ground.fleet.apis,
            _ => &ground.fleet.dispatchers,
        };
        let kill = replicas[self.rng.random_range(0..replicas.len())].killer();
        let after = Duration::from_millis(self.rng.random_range(50..1500));
        tokio::spawn(async move {
            sleep(after).await;
            kill();
        })
    }
}

impl Harms {
    fn note(&mut self, step: Step, storm: (Duration, Duration), wall: (Duration, Duration)) {
        let kinds = || [Some(step.fault), step.also].into_iter().flatten();
        if kinds().any(super::Fault::costs_attempts) {
            self.attempts.push(Harm { from: wall.0, to: wall.1 });
        }
        // What was held up by the step before may still be written when this one begins.
        let before =
            self.held_up.filter(|(_, to)| storm.0.saturating_sub(*to) < AFTERMATH).map(|(from, _)| from);
        if kinds().any(super::Fault::kills_a_writer) {
            self.writers.push(Harm { from: before.unwrap_or(storm.0), to: storm.1 });
        }
        if kinds().any(super::Fault::holds_up_records) {
            self.held_up = Some(storm);
        }
    }
}

/// Outbox, queues and attempts against the records, in one snapshot.
async fn books(ground: &Ground) -> Option<String> {
    let differences = ground.fleet.postgres.sql("postgres", BOOKS).await;
    (differences != "0|0|0").then(|| {
        format!("the books do not balance (outbox, waiting, attempts against records): {differences}")
    })
}

pub(super) fn say(what: &str) {
    eprintln!("{what}");
}

/// What the services said, for whoever looks for the cause.
fn keep_logs(ground: &Ground, plan: &Plan, wrong: &[String], stuck: &str) {
    let kept = crate::root().join(format!(".dev/chaos/{}", plan.seed));
    if std::fs::create_dir_all(&kept).is_err() {
        return;
    }
    for replica in ground.fleet.replicas() {
        let text = format!("{}\n{:#?}\n", ground.fleet.log(replica.name()), replica.ends());
        let _kept = std::fs::write(kept.join(format!("{}.log", replica.name())), text);
    }
    if !stuck.is_empty() {
        let _kept = std::fs::write(kept.join("stuck.txt"), stuck);
    }
    let _kept = std::fs::write(kept.join("nats.log"), ground.fleet.nats.log());
    let _kept = std::fs::write(kept.join("wrong.txt"), format!("{plan}\n{}\n", wrong.join("\n")));
    say(&format!("what does not hold, and what the services said, is in {}", kept.display()));
}
