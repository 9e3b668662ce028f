use super::*;

#[derive(Debug, PartialEq)]
struct W(u32);

impl Waiter for W {
    fn is_gone(&self) -> bool {
        self.0 == 0
    }
}

type TestRing = Ring<&'static str, W>;

fn ring(slots: usize, quantum: usize, functions: &[(&'static str, usize)]) -> TestRing {
    let mut ring = Ring::new(slots, quantum, 64);
    for (name, limit) in functions {
        ring.declare(name, *limit, false, None);
    }
    ring
}

/// Serves a turn at once: as many messages as `left` has are run and end.
fn serve(ring: &mut TestRing, left: &mut HashMap<&'static str, usize>) -> Option<(&'static str, usize)> {
    let turn = ring.turn()?;
    let word = ring.word(&turn.function);
    let left = left.entry(turn.function).or_default();
    let got = turn.fetch.min(*left);
    *left -= got;
    ring.fetched(&turn.function, word, got < turn.fetch);
    ring.give_back(&turn.function, turn.fetch);
    Some((turn.function, got))
}

#[test]
fn a_flood_of_one_function_delays_another_by_one_quantum_at_most() {
    let mut ring = ring(4, 8, &[("a", 50), ("b", 50)]);
    let mut left = HashMap::from([("a", 10_000), ("b", 10)]);
    ring.queued(&"a");
    for _ in 0..10 {
        serve(&mut ring, &mut left);
    }
    ring.queued(&"b");
    let mut before_b = 0;
    while left["b"] > 0 {
        let (function, started) = serve(&mut ring, &mut left).expect("work is left");
        before_b += if function == "a" { started } else { 0 };
    }
    assert!(before_b <= 3 * 8, "{before_b} starts of a before all of b");
}

#[test]
fn the_bounds_of_function_and_process_hold() {
    let mut ring = ring(5, 8, &[("a", 3), ("b", 9)]);
    ring.queued(&"a");
    ring.queued(&"b");
    let (a, b) = (ring.turn().expect("a's turn"), ring.turn().expect("b's turn"));
    assert_eq!((a.fetch, b.fetch), (3, 2));
    assert_eq!(ring.free(), 0);
    assert!(ring.turn().is_none() && !ring.try_take(&"b"));
}

#[test]
fn a_turn_cut_short_by_a_full_process_goes_on_before_the_next() {
    let mut ring = ring(1, 3, &[("a", 9), ("b", 9)]);
    let mut left = HashMap::from([("a", 9), ("b", 9)]);
    ring.queued(&"a");
    ring.queued(&"b");
    let served: Vec<_> = (0..8).filter_map(|_| serve(&mut ring, &mut left)).map(|(name, _)| name).collect();
    let a_share = served.iter().filter(|name| **name == "a").count();
    assert_eq!(a_share, 4, "{served:?}");
}

#[test]
fn nothing_of_a_paused_function_starts_until_it_is_resumed() {
    let mut ring = ring(4, 8, &[("a", 4)]);
    ring.declare(&"a", 4, true, None);
    ring.queued(&"a");
    ring.wait(&"a", W(1));
    assert!(ring.turn().is_none() && !ring.try_take(&"a"));
    ring.declare(&"a", 4, false, None);
    let turn = ring.turn().expect("a's turn");
    assert_eq!((turn.waiting, turn.fetch), (vec![W(1)], 3));
}

#[test]
fn a_word_of_the_bus_during_a_fetch_is_not_forgotten() {
    let mut ring = ring(4, 8, &[("a", 4)]);
    ring.queued(&"a");
    let turn = ring.turn().expect("a's turn");
    let word = ring.word(&"a");
    ring.queued(&"a");
    ring.fetched(&"a", word, true);
    ring.give_back(&"a", turn.fetch);
    let again = ring.turn().expect("another turn");
    ring.fetched(&"a", ring.word(&"a"), true);
    ring.give_back(&"a", again.fetch);
    assert!(ring.turn().is_none());
    assert!(!ring.knows(&"a"), "an idle function is forgotten");
    assert_eq!(ring.free(), 4);
}

#[test]
fn waiters_that_gave_up_take_no_slot() {
    let mut ring = ring(2, 8, &[("a", 4)]);
    ring.wait(&"a", W(0));
    assert!(ring.turn().is_none());
    assert_eq!(ring.free(), 2);
}

#[test]
fn a_single_slot_goes_to_waiting_calls_and_to_the_bus_in_turn() {
    let mut ring = ring(1, 1, &[("a", 4)]);
    for n in 1..=4 {
        ring.wait(&"a", W(n));
    }
    ring.queued(&"a");
    let mut kinds = Vec::new();
    for _ in 0..4 {
        let turn = ring.turn().expect("a turn");
        kinds.push(turn.fetch);
        if turn.fetch > 0 {
            ring.fetched(&"a", ring.word(&"a"), false);
        }
        ring.give_back(&"a", 1);
    }
    assert_eq!(kinds, [0, 1, 0, 1]);
}
