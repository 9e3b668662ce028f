use super::*;

const WELL: Seen = Seen {
    starved: false,
    backlog: 0,
    oldest: Duration::ZERO,
    lag: Duration::from_millis(2),
    memory_left: 0.5,
};
const STARVED: Seen = Seen { starved: true, ..WELL };
const BEHIND: Seen = Seen { starved: true, backlog: 100_000, oldest: Duration::from_secs(5), ..WELL };
const LATE_TIMERS: Seen = Seen { lag: Duration::from_millis(150), ..BEHIND };

/// How often the rule is asked before the bound is `wanted`; `None` = not within a minute.
fn until(adapt: &mut Adapt, seen: &Seen, wanted: impl Fn(usize) -> bool) -> Option<Duration> {
    let decisions = Duration::from_secs(60).as_millis() / EVERY.as_millis();
    (1..=decisions as u32).find(|_| wanted(adapt.decide(seen))).map(|times| EVERY * times)
}

#[test]
fn a_backlog_opens_the_bound_within_seconds_and_never_beyond_its_most() {
    let mut adapt = Adapt::new(32, 256);
    assert_eq!(adapt.bound(), 64);
    let opened = until(&mut adapt, &BEHIND, |bound| bound == 256).expect("it opens");
    assert!(opened <= Duration::from_secs(2), "{opened:?}");
    assert_eq!(until(&mut adapt, &BEHIND, |bound| bound > 256), None);
    let mut slower = Adapt::new(32, 256);
    let without = until(&mut slower, &STARVED, |bound| bound == 256).expect("it opens");
    assert!(without > opened, "a queue makes the steps larger: {without:?}, {opened:?}");
}

#[test]
fn without_need_nothing_changes() {
    let mut adapt = Adapt::new(32, 256);
    assert_eq!(until(&mut adapt, &WELL, |bound| bound != 64), None);
    let waits_elsewhere = Seen { starved: false, ..BEHIND };
    assert_eq!(until(&mut adapt, &waits_elsewhere, |bound| bound != 64), None, "slots are free here");
}

#[test]
fn overload_closes_the_bound_and_never_below_its_least() {
    let mut adapt = Adapt::new(32, 256);
    until(&mut adapt, &BEHIND, |bound| bound == 256).expect("it opens");
    let closed = until(&mut adapt, &LATE_TIMERS, |bound| bound == 32).expect("it closes");
    assert!(closed <= Duration::from_secs(8), "{closed:?}");
    assert_eq!(until(&mut adapt, &LATE_TIMERS, |bound| bound < 32), None);
}

#[test]
fn little_memory_is_overload_too() {
    let mut adapt = Adapt::new(32, 256);
    let full = Seen { memory_left: 0.05, ..BEHIND };
    assert!(until(&mut adapt, &full, |bound| bound == 32).is_some());
}

#[test]
fn one_late_timer_is_no_overload() {
    let mut adapt = Adapt::new(32, 256);
    for _ in 0..100 {
        adapt.decide(&LATE_TIMERS);
        adapt.decide(&LATE_TIMERS);
        adapt.decide(&WELL);
    }
    assert_eq!(adapt.bound(), 64);
}

#[test]
fn between_calm_and_late_it_stays() {
    let mut adapt = Adapt::new(32, 256);
    let busy = Seen { lag: Duration::from_millis(60), ..BEHIND };
    assert_eq!(until(&mut adapt, &busy, |bound| bound != 64), None);
}

/// A machine that can run so many at once, and is late beyond it.
fn machine(capacity: usize, bound: usize) -> Seen {
    let lag = if bound > capacity { 150 } else { 5 };
    Seen { lag: Duration::from_millis(lag), ..BEHIND }
}

#[test]
fn it_stays_near_what_the_machine_can_do_and_does_not_swing() {
    let capacity = 100;
    let mut adapt = Adapt::new(8, 512);
    let mut bounds = Vec::new();
    for _ in 0..4 * 600 {
        let seen = machine(capacity, adapt.bound());
        bounds.push(adapt.decide(&seen));
    }
    // The first half minute is for finding out.
    let settled = &bounds[120..];
    let (least, most) = (settled.iter().min().expect("some"), settled.iter().max().expect("some"));
    assert!(*least >= capacity / 2 && *most <= capacity * 3 / 2, "{least} to {most}");
    let shrinks = settled.windows(2).filter(|pair| pair[1] < pair[0]).count();
    assert!(shrinks <= 600 / 3, "at most one in three seconds: {shrinks}");
    let mean = settled.iter().sum::<usize>() / settled.len();
    assert!(mean >= capacity * 3 / 4, "{mean}");
}

#[test]
fn a_bound_of_one_number_is_fixed() {
    let mut adapt = Adapt::new(32, 4);
    assert_eq!(adapt.bound(), 4);
    for seen in [BEHIND, LATE_TIMERS, LATE_TIMERS, LATE_TIMERS, WELL] {
        assert_eq!(adapt.decide(&seen), 4);
    }
}
