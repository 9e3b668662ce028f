use super::*;
use crate::{FunctionName, Namespace, StartKind};
use pretty_assertions::assert_eq;

fn cell(at: Timestamp, state: State, run: u64, count: u64) -> EndedCell {
    EndedCell {
        at: step_of(at, Window::STEP),
        state,
        start: Some(StartKind::Warm),
        run: Some(Duration::from_millis(run)),
        count,
        last: at,
    }
}

fn key() -> FunctionKey {
    FunctionKey::new(Namespace::default_namespace(), "f".parse::<FunctionName>().expect("a name"))
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn percentiles_count_each_call_of_a_cell() {
    let at = Timestamp::from_millis(0);
    let cells = [
        cell(at, State::Succeeded, 1, 98),
        cell(at, State::Failed, 50, 1),
        cell(at, State::Cancelled, 70, 1),
    ];
    let tally = Tally::of(&cells);
    assert_eq!((tally.window.calls, tally.window.failed, tally.cancelled, tally.cold), (100, 1, 1, 0));
    assert_eq!(tally.window.p50, Some(Duration::from_millis(1)));
    assert_eq!(tally.window.p99, Some(Duration::from_millis(50)));
    assert_eq!(Tally::of([]), Tally::default());
}

#[test]
fn every_step_has_its_point_and_calls_outside_have_none() {
    let at = |seconds: i64| Timestamp::from_millis(1_700_000_000_000 + seconds * 1000);
    let cells = [
        cell(at(5), State::Succeeded, 1, 2),
        cell(at(31), State::Failed, 1, 1),
        cell(at(-60), State::Failed, 1, 9),
    ];
    let found = steps(&cells, at(0), at(39), Window::STEP);
    let counts: Vec<_> =
        found.iter().map(|step| (step.at.since(at(0)).as_secs(), step.tally.window.calls)).collect();
    assert_eq!(counts, [(0, 2), (10, 0), (20, 0), (30, 1)]);
}

#[test]
fn a_window_forgets_what_is_old_but_for_when_the_last_call_was() {
    let now = Timestamp::from_millis(1_700_000_070_000);
    let mut window = Window::default();
    window.replace(Window::begin(now), vec![cell(now - SECOND, State::Succeeded, 3, 4)]);
    let told = window.activity(&key(), None, now);
    assert_eq!((told.calls.len(), told.calls.last(), told.window.calls), (30, Some(&4), 4));
    // Read again, the same call is there once.
    window.replace(step_of(now - SECOND, Window::STEP), vec![cell(now - SECOND, State::Failed, 3, 5)]);
    let told = window.activity(&key(), None, now);
    assert_eq!((told.window.calls, told.window.failed, told.failed.last()), (5, 5, Some(&5)));
    let told = window.activity(&key(), None, now + Window::STATS + SECOND * 60);
    assert_eq!((told.window.calls, told.window.p50, told.calls.iter().sum::<u32>()), (0, None, 5));
    let told = window.activity(&key(), None, now + SECOND * 3600);
    assert!(window.is_empty());
    assert_eq!((told.window.last_call, told.calls.iter().sum::<u32>()), (Some(now - SECOND), 0));
}
