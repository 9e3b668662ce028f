use super::super::{Ring, Waiter};
use super::Round;
use crate::virtual_time::SlotTable;
use eventflow_domain::ports::SlotWant;
use eventflow_domain::{FunctionUid, Timestamp, WorkerId};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use std::collections::VecDeque;

const LIMIT: usize = 5;
const BEGIN: Timestamp = Timestamp::from_micros(0);
const END: Timestamp = Timestamp::from_micros(i64::MAX);

#[derive(Debug)]
struct Patient;

impl Waiter for Patient {
    fn is_gone(&self) -> bool {
        false
    }
}

/// A question on its way.
enum Way {
    There(Vec<(&'static str, SlotWant)>),
    Back(Vec<(&'static str, SlotWant)>, Vec<u32>),
}

struct Process {
    ring: Ring<&'static str, Patient>,
    worker: WorkerId,
    way: Option<Way>,
    running: usize,
    /// Messages that its fetches find.
    on_bus: usize,
}

impl Process {
    fn new(function: FunctionUid) -> Self {
        let mut ring = Ring::new(16, 8, 4);
        ring.declare(&"f", LIMIT, false, Some(function));
        Self { ring, worker: WorkerId::generate("p"), way: None, running: 0, on_bus: 0 }
    }

    fn turn(&mut self) {
        let Some(turn) = self.ring.turn() else { return };
        let got = turn.fetch.min(self.on_bus);
        self.on_bus -= got;
        self.running += turn.waiting.len() + got;
        let word = self.ring.word(&"f");
        if turn.fetch > 0 {
            self.ring.fetched(&"f", word, got < turn.fetch);
            self.ring.give_back(&"f", turn.fetch - got);
        }
    }

    /// A step of its question; `lost` = it or its answer does not arrive.
    fn ask(&mut self, table: &mut SlotTable, round: Round, lost: bool) {
        self.way = match self.way.take() {
            None => {
                let wants = self.ring.wants(round);
                (!wants.is_empty()).then_some(Way::There(wants))
            }
            Some(Way::There(wants)) if !lost => {
                let grant = |(_, want): &(_, SlotWant)| table.lease(want, &self.worker, BEGIN, END);
                let grants = wants.iter().map(grant).collect();
                Some(Way::Back(wants, grants))
            }
            Some(Way::Back(wants, grants)) if !lost => {
                for ((key, want), granted) in wants.iter().zip(grants) {
                    self.ring.granted(key, want, granted);
                }
                None
            }
            Some(_) => {
                self.ring.not_answered();
                None
            }
        };
    }

    fn step(&mut self, table: &mut SlotTable, function: FunctionUid, rng: &mut StdRng) {
        let lost = rng.random_range(0..20) == 0;
        match rng.random_range(0..9) {
            0 => {
                self.ring.declare(&"f", LIMIT, false, Some(function));
                self.ring.wait(&"f", Patient);
            }
            1 => {
                self.ring.declare(&"f", LIMIT, false, Some(function));
                self.on_bus += rng.random_range(0..3);
                self.ring.queued(&"f");
            }
            2 if self.running > 0 => {
                self.running -= 1;
                self.ring.give_back(&"f", 1);
            }
            3 if self.ring.try_take(&"f") => self.running += 1,
            4 => self.ask(table, Round::Now, lost),
            5 => self.ask(table, Round::Look, lost),
            6 => self.ask(table, Round::Renewal, lost),
            7 => self.ask(table, Round::Retry, lost),
            _ => self.turn(),
        }
    }
}

#[test]
fn whatever_is_lost_or_late_no_more_run_than_may_and_all_is_run_and_given_back() {
    for seed in 0..400 {
        let mut rng = StdRng::seed_from_u64(seed);
        let (mut table, function) = (SlotTable::default(), FunctionUid::generate());
        let mut all: VecDeque<Process> = (0..3).map(|_| Process::new(function)).collect();
        for _ in 0..600 {
            let one = rng.random_range(0..3);
            all[one].step(&mut table, function, &mut rng);
            let running: usize = all.iter().map(|process| process.running).sum();
            assert!(running <= LIMIT, "{running} run, seed {seed}");
        }
        for step in 0..6000 {
            let process = &mut all[step % 3];
            process.turn();
            process.ask(&mut table, Round::Look, false);
            if process.running > 0 {
                process.running -= 1;
                process.ring.give_back(&"f", 1);
            }
        }
        for process in &all {
            assert!(!process.ring.knows(&"f"), "all is done and forgotten, seed {seed}: {:?}", process.ring);
        }
        assert_eq!(table.granted(function, BEGIN), 0, "seed {seed}");
    }
}

#[test]
fn a_function_made_anew_under_its_name_begins_with_no_grant() {
    let (old, new) = (FunctionUid::generate(), FunctionUid::generate());
    let mut process = Process::new(old);
    let mut table = SlotTable::default();
    process.ring.wait(&"f", Patient);
    for _ in 0..3 {
        process.ask(&mut table, Round::Now, false);
    }
    process.ring.declare(&"f", LIMIT, false, Some(new));
    assert!(process.ring.turn().is_none());
    for _ in 0..3 {
        process.ask(&mut table, Round::Now, false);
    }
    assert_eq!((process.ring.turn().map(|turn| turn.waiting.len()), table.granted(new, BEGIN)), (Some(1), 1));
}
