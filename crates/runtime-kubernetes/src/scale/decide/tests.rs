use super::*;
use proptest::prelude::*;

const CONFIG: ScalerConfig = ScalerConfig {
    every: Duration::from_secs(2),
    window: Duration::from_secs(60),
    zero_after: Duration::from_secs(120),
};

fn auto(min: u32, max: u32, concurrency: u32) -> Scale {
    Scale::Auto { min, max, concurrency, cpu: None }
}

/// A function, its copies, and a clock that nobody waits for.
struct World {
    scale: Scale,
    trend: Trend,
    now: Duration,
    copies: u32,
    changes: Vec<u32>,
}

impl World {
    fn new(scale: Scale, copies: u32) -> Self {
        Self { scale, trend: Trend::default(), now: Duration::ZERO, copies, changes: Vec::new() }
    }

    fn look(&mut self, in_flight: u32) {
        let load = Load { in_flight, waiting: 0 };
        if let Decision::Set(copies) =
            decide(&mut self.trend, self.now, self.scale, self.copies, load, &CONFIG)
        {
            self.copies = copies;
            self.changes.push(copies);
        }
        self.now += CONFIG.every;
    }

    fn looks(&mut self, seconds: u64, in_flight: impl Fn(u64) -> u32) {
        for at in (0..seconds).step_by(2) {
            self.look(in_flight(at));
        }
    }
}

#[test]
fn more_work_gets_more_copies_at_the_next_look() {
    let mut world = World::new(auto(1, 20, 10), 1);
    world.look(40);
    assert_eq!(world.copies, 5, "40 / (10 · 0.8)");
    world.look(400);
    assert_eq!(world.copies, 10, "at most doubled");
    world.looks(4, |_| 400);
    assert_eq!(world.copies, 20, "and never more than max");
}

#[test]
fn what_waits_counts_like_what_runs() {
    let mut trend = Trend::default();
    let load = Load { in_flight: 8, waiting: 24 };
    assert_eq!(decide(&mut trend, Duration::ZERO, auto(1, 20, 10), 1, load, &CONFIG), Decision::Set(4));
}

#[test]
fn load_that_goes_up_and_down_within_the_window_changes_nothing() {
    let mut world = World::new(auto(1, 20, 10), 1);
    world.looks(20, |_| 80);
    assert_eq!(world.copies, 10);
    world.changes.clear();
    world.looks(600, |at| if at % 40 == 0 { 80 } else { 3 });
    assert!(world.changes.is_empty(), "no flapping: {:?}", world.changes);
    world.looks(70, |_| 3);
    assert_eq!(world.changes, [1], "down in one step once a whole window needed no more");
}

#[test]
fn the_last_copy_goes_after_its_silence_and_comes_back_with_the_next_call() {
    let mut world = World::new(auto(0, 5, 10), 1);
    world.looks(10, |_| 5);
    world.changes.clear();
    world.looks(110, |_| 0);
    assert_eq!(world.copies, 1);
    world.looks(30, |_| 0);
    assert_eq!((world.copies, world.changes.as_slice()), (0, [0].as_slice()));
    world.looks(600, |_| 0);
    assert_eq!(world.changes.len(), 1);
    world.look(1);
    assert_eq!(world.copies, 1);
}

#[test]
fn a_new_holder_takes_nothing_away_before_it_has_seen_a_window() {
    let mut world = World::new(auto(0, 20, 10), 12);
    world.looks(58, |_| 0);
    assert!(world.changes.is_empty(), "{:?}", world.changes);
    world.looks(10, |_| 0);
    assert_eq!(world.copies, 1, "the last one stays for its own time");
    world.looks(60, |_| 0);
    assert_eq!(world.copies, 0);
}

#[test]
fn bounds_hold_whatever_is_there() {
    let mut world = World::new(auto(3, 6, 10), 0);
    world.look(0);
    assert_eq!(world.copies, 3);
    let mut world = World::new(auto(0, 6, 10), 9);
    world.look(1000);
    assert_eq!(world.copies, 6);
    let mut world = World::new(Scale::Fixed(0), 0);
    world.look(50);
    assert_eq!(world.copies, 1, "replicas: 0 serves by one copy");
}

proptest! {
    #[test]
    fn copies_stay_within_bounds_and_settle_under_a_steady_load(
        min in 0u32..5, more in 0u32..20, concurrency in 1u32..50, load in 0u32..2000, begin in 0u32..30,
    ) {
        let scale = auto(min, min + more.max(1), concurrency);
        let mut world = World::new(scale, begin);
        world.looks(400, |_| load);
        prop_assert!((scale.min()..=scale.max()).contains(&world.copies));
        world.changes.clear();
        world.looks(400, |_| load);
        prop_assert!(world.changes.is_empty(), "{:?}", world.changes);
    }
}
