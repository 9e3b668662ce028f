//! `make chaos`: see docs/testing.md.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a runner of tests, with a terminal"
)]

use eventflow_e2e::chaos::{self, Fault, Plan, Size};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::process::{ExitCode, Stdio};
use std::time::Duration;
use tokio::process::Command;
use tokio::time::Instant;

const USAGE: &str = "\
usage: chaos [--seeds N] [--first SEED] [--accepted N] [--steps N | --faults LIST] [--clients N] [--gateways N]
             [--at-once N]
       chaos --seed SEED [--accepted N] [--steps N | --faults LIST] [--clients N] [--gateways N]

  --seeds N      runs, each of another seed (default 1)
  --first SEED   the seed of the first one (default: any); the others count on from it
  --seed SEED    one run, in this process
  --accepted N   calls that are accepted at least, in each run (default 5000)
  --steps N      faults in each run (default 12)
  --faults LIST  these instead, in this order and each alone: FillNats,CutOffNats
  --clients N    clients at once in each run (default 12)
  --gateways N   gateways that half of the calls go through, and that harm is done to (default 0)
  --at-once N    runs at once (default 2)";

#[derive(Debug, Clone)]
struct Wanted {
    seeds: u64,
    first: u64,
    only: Option<u64>,
    at_once: usize,
    /// Instead of what the seed decides.
    faults: Vec<Fault>,
    size: Size,
}

/// Faults by their names.
fn faults(list: &str) -> Result<Vec<Fault>, String> {
    let one = |name: &str| {
        let found = Fault::ALL.into_iter().find(|fault| fault.to_string() == name);
        let all = Fault::ALL.map(|fault| fault.to_string()).join(", ");
        found.ok_or_else(|| format!("{name} is no fault; those are {all}"))
    };
    list.split(',').map(one).collect()
}

fn wanted() -> Result<Wanted, String> {
    let size = Size::default();
    let mut wanted = Wanted {
        seeds: 1,
        first: u64::from(rand::random::<u32>()),
        only: None,
        at_once: 2,
        faults: Vec::new(),
        size,
    };
    let mut args = std::env::args().skip(1);
    while let Some(flag) = args.next() {
        let value = args.next();
        if flag == "--faults" {
            wanted.faults = faults(&value.unwrap_or_default())?;
            wanted.size.steps = wanted.faults.len();
            continue;
        }
        let value = value.and_then(|value| value.parse::<u64>().ok());
        let value = value.ok_or_else(|| format!("{flag} wants a number\n{USAGE}"))?;
        let small = usize::try_from(value).map_err(|_| format!("{flag} {value} is too much"))?;
        match flag.as_str() {
            "--seeds" => wanted.seeds = value,
            "--first" => wanted.first = value,
            "--seed" => wanted.only = Some(value),
            "--accepted" => wanted.size.accepted = small,
            "--steps" => wanted.size.steps = small,
            "--clients" => wanted.size.clients = value,
            "--gateways" => wanted.size.gateways = small,
            "--at-once" => wanted.at_once = small.max(1),
            _ => return Err(format!("unknown flag {flag}\n{USAGE}")),
        }
    }
    Ok(wanted)
}

fn main() -> ExitCode {
    let wanted = match wanted() {
        Ok(wanted) => wanted,
        Err(why) => {
            println!("{why}");
            return ExitCode::from(2);
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    match wanted.only {
        Some(seed) => runtime.block_on(one(seed, wanted)),
        None => runtime.block_on(all(wanted)),
    }
}

/// One run; its last line is its report.
async fn one(seed: u64, wanted: Wanted) -> ExitCode {
    let plan = match wanted.faults.as_slice() {
        [] => Plan::new(seed, wanted.size.steps, wanted.size.gateways > 0),
        faults => Plan::of(seed, faults),
    };
    eprintln_plan(&plan);
    let report = chaos::run(&plan, wanted.size).await;
    println!("{}", report.to_json());
    if report.wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn eprintln_plan(plan: &Plan) {
    use std::io::Write as _;
    let _seen = writeln!(std::io::stderr(), "{plan}");
}

/// Every run in a process, a network and mounts of its own, where this user may have those.
async fn all(wanted: Wanted) -> ExitCode {
    let begun = Instant::now();
    let own = own_namespaces().await;
    if own.is_none() {
        println!("without a network of its own: no packets are lost, nothing is cut off");
    }
    println!(
        "{} runs from seed {}, {} accepted calls and {} faults each",
        wanted.seeds, wanted.first, wanted.size.accepted, wanted.size.steps
    );
    let seeds: Vec<u64> = (0..wanted.seeds).map(|number| wanted.first + number).collect();
    let runs = seeds.into_iter().map(|seed| run_apart(seed, &wanted, own.clone()));
    let reports: Vec<(u64, Option<Value>)> = futures::StreamExt::collect(futures::StreamExt::buffered(
        futures::stream::iter(runs),
        wanted.at_once,
    ))
    .await;
    conclude(&reports, begun.elapsed())
}

/// The command before a command that gives it namespaces of its own.
async fn own_namespaces() -> Option<Vec<&'static str>> {
    let words =
        vec!["unshare", "--net", "--mount", "--", "sh", "-c", "ip link set lo up && exec \"$@\"", "sh"];
    let tried = Command::new(words[0]).args(&words[1..]).args(["nft", "list", "ruleset"]).output().await;
    tried.is_ok_and(|output| output.status.success()).then_some(words)
}

async fn run_apart(seed: u64, wanted: &Wanted, own: Option<Vec<&'static str>>) -> (u64, Option<Value>) {
    let this = std::env::current_exe().unwrap();
    let mut command = match &own {
        Some(words) => {
            let mut command = Command::new(words[0]);
            command.args(&words[1..]).arg(this).env(chaos::OWN_NET, "1");
            command
        }
        None => Command::new(this),
    };
    let Size { accepted, steps, clients, gateways, .. } = wanted.size;
    for (flag, value) in [
        ("--seed", seed),
        ("--accepted", accepted as u64),
        ("--steps", steps as u64),
        ("--clients", clients),
        ("--gateways", gateways as u64),
    ] {
        command.args([flag, &value.to_string()]);
    }
    if !wanted.faults.is_empty() {
        let names: Vec<String> = wanted.faults.iter().map(ToString::to_string).collect();
        command.args(["--faults", &names.join(",")]);
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit()).kill_on_drop(true);
    let output = command.spawn().unwrap().wait_with_output().await.unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let report = text.lines().last().and_then(|line| serde_json::from_str::<Value>(line).ok());
    match &report {
        Some(report) => println!(
            "seed {seed}: {} things do not hold; {} promised; {}; {} s, in which the machine stood still {} times, {} ms",
            report["wrong"].as_array().map_or(0, Vec::len),
            report["promised"],
            report["summary"].as_str().unwrap_or_default(),
            report["tookMs"].as_u64().unwrap_or_default() / 1000,
            report["stalls"],
            report["stalledMs"],
        ),
        None => println!("seed {seed}: BROKE ({})", output.status),
    }
    let wrong = report.as_ref().and_then(|report| report["wrong"].as_array());
    for what in wrong.into_iter().flatten().take(20) {
        let what: String = what.as_str().unwrap_or_default().chars().take(600).collect();
        println!("seed {seed}: {what}");
    }
    (seed, report)
}

fn conclude(reports: &[(u64, Option<Value>)], took: Duration) -> ExitCode {
    let (mut promised, mut lost_attempts, mut failed) = (0, 0, 0);
    let mut skipped = BTreeSet::new();
    let mut healing: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for (_, report) in reports {
        let Some(report) = report else {
            failed += 1;
            continue;
        };
        promised += report["promised"].as_u64().unwrap_or_default();
        lost_attempts += report["lostAttempts"].as_u64().unwrap_or_default();
        for step in report["inflicted"].as_array().into_iter().flatten() {
            let healed = step["healedMs"].as_u64().unwrap_or(u64::MAX);
            healing.entry(step["fault"].as_str().unwrap_or_default().to_owned()).or_default().push(healed);
        }
        skipped.extend(report["skipped"].as_array().into_iter().flatten().filter_map(Value::as_str));
        let wrong = report["wrong"].as_array().map_or(&[][..], Vec::as_slice);
        failed += usize::from(!wrong.is_empty());
    }
    println!("\nfault, times, ms until the first call came through again (least, median, most):");
    let mut all = Vec::new();
    for (fault, mut times) in healing {
        times.sort_unstable();
        println!(
            "  {fault:18} {:3} {:6} {:6} {:6}",
            times.len(),
            times[0],
            times[times.len() / 2],
            times[times.len() - 1]
        );
        all.extend(times);
    }
    all.sort_unstable();
    if let Some(most) = all.last() {
        println!(
            "{} faults; p50 {} ms, p99 {} ms, most {most} ms",
            all.len(),
            all[all.len() / 2],
            all[all.len() * 99 / 100]
        );
    }
    println!(
        "{promised} calls were promised; {lost_attempts} attempts were lost; {:.0} s",
        took.as_secs_f64()
    );
    for skipped in &skipped {
        println!("SKIPPED: {skipped}");
    }
    // scripts/test.sh takes what is skipped from what has passed, as it does for tests that return early.
    println!("{} passed, {failed} failed, 0 skipped", reports.len() - failed + skipped.len());
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
