//! The invariants of an invocation's life, over generated histories.

use super::*;
use proptest::prelude::*;

const NOW: Timestamp = Timestamp::from_millis(1_000_000);

fn policy(max_attempts: u32, max_lost: u32) -> Policy {
    Policy { retry: RetryPolicy { max_attempts, ..RetryPolicy::default() }, max_lost }
}

fn failed(reason: Reason) -> Verdict {
    Verdict::Failed(Failure::new(reason, "test"))
}

fn settle(epoch: i64, verdict: Verdict) -> Event {
    Event::Settle { epoch: Epoch(epoch), verdict, jitter: 500 }
}

/// Applies events in turn, each a minute after the one before, so that no backoff is in the way.
fn run(policy: &Policy, events: impl IntoIterator<Item = Event>) -> Lifecycle {
    let mut life = Lifecycle::accepted(NOW);
    for (minute, event) in events.into_iter().enumerate() {
        let now = NOW + Duration::from_secs(3600 * (minute as u64 + 1));
        life = step(life, event, policy, now).expect("an allowed event").0;
    }
    life
}

#[test]
fn a_call_runs_and_succeeds() {
    let life = run(&policy(1, 5), [Event::Claim, settle(1, Verdict::Succeeded)]);
    assert_eq!((life.state, life.attempts, life.epoch), (State::Succeeded, 1, Epoch(1)));
    assert!(!life.dead_letter);
}

#[test]
fn exhausted_attempts_make_a_dead_letter() {
    let policy = policy(2, 5);
    let life = run(&policy, [Event::Claim, settle(1, failed(Reason::ExitCode))]);
    assert_eq!(life.state, State::Retrying);
    let life = run(
        &policy,
        [
            Event::Claim,
            settle(1, failed(Reason::ExitCode)),
            Event::Claim,
            settle(2, failed(Reason::ExitCode)),
        ],
    );
    assert_eq!((life.state, life.attempts, life.dead_letter), (State::Failed, 2, true));
}

#[test]
fn a_client_error_is_not_retried() {
    let life = run(&policy(5, 5), [Event::Claim, settle(1, failed(Reason::ClientError))]);
    assert_eq!((life.state, life.attempts), (State::Failed, 1));
}

#[test]
fn retry_after_lengthens_the_wait_and_is_bounded() {
    let wait = |seconds| {
        let failure = Failure {
            retry_after: Some(Duration::from_secs(seconds)),
            ..Failure::new(Reason::TooManyRequests, "busy")
        };
        let life = step(Lifecycle::started(NOW), settle(1, Verdict::Failed(failure)), &policy(3, 5), NOW)
            .expect("allowed")
            .0;
        life.not_before.since(NOW)
    };
    assert_eq!(wait(60), Duration::from_secs(60));
    assert_eq!(wait(0), Duration::from_secs(1));
    assert_eq!(wait(u64::from(u32::MAX)), MAX_RETRY_AFTER);
}

#[test]
fn a_lost_attempt_is_queued_again_without_using_up_a_retry() {
    let policy = policy(1, 1);
    let life = run(&policy, [Event::Claim, Event::LeaseLost { epoch: Epoch(1) }]);
    assert_eq!((life.state, life.attempts, life.lost), (State::Queued, 1, 1));
    let life = run(
        &policy,
        [Event::Claim, Event::LeaseLost { epoch: Epoch(1) }, Event::Claim, settle(2, Verdict::Succeeded)],
    );
    assert_eq!(life.state, State::Succeeded);
    let lost_twice = [
        Event::Claim,
        Event::LeaseLost { epoch: Epoch(1) },
        Event::Claim,
        Event::LeaseLost { epoch: Epoch(2) },
    ];
    let life = run(&policy, lost_twice);
    assert_eq!((life.state, life.dead_letter), (State::Failed, true));
}

#[test]
fn a_zombie_decides_nothing() {
    let policy = policy(1, 5);
    let life = run(&policy, [Event::Claim, Event::LeaseLost { epoch: Epoch(1) }, Event::Claim]);
    for event in [settle(1, Verdict::Succeeded), Event::LeaseLost { epoch: Epoch(1) }] {
        let refused = step(life, event, &policy, NOW + Duration::from_secs(9)).expect_err("stale");
        assert_eq!(refused, Refused::StaleEpoch { given: Epoch(1), current: Epoch(2) });
    }
}

#[test]
fn cancelling_tells_the_owner_once_and_ends_what_waits() {
    let policy = policy(3, 5);
    let (life, effects) = step(Lifecycle::started(NOW), Event::Cancel, &policy, NOW).expect("allowed");
    assert_eq!((life.state, effects), (State::Running, vec![Effect::TellOwner]));
    let (again, effects) = step(life, Event::Cancel, &policy, NOW).expect("repeating is fine");
    assert_eq!((again, effects), (life, vec![]));
    assert_eq!(run(&policy, [Event::Cancel]).state, State::Cancelled);
    // A success that settles first stays; a failure after the wish is not retried.
    let settled = |verdict| step(life, settle(1, verdict), &policy, NOW).expect("allowed").0.state;
    assert_eq!(settled(Verdict::Succeeded), State::Succeeded);
    assert_eq!(settled(failed(Reason::ExitCode)), State::Failed);
    assert_eq!(settled(Verdict::Cancelled), State::Cancelled);
    assert_eq!(settled(Verdict::FunctionDeleted), State::Cancelled);
    assert_eq!(settled(Verdict::Released), State::Cancelled);
}

#[test]
fn a_delayed_call_is_not_started_early() {
    let later = NOW + Duration::from_secs(60);
    let life = Lifecycle::accepted(later);
    assert_eq!(step(life, Event::Claim, &policy(1, 5), NOW), Err(Refused::TooEarly(later)));
    assert!(step(life, Event::Claim, &policy(1, 5), later).is_ok());
}

fn any_event() -> impl Strategy<Value = Event> {
    let verdict = prop_oneof![
        Just(Verdict::Succeeded),
        Just(failed(Reason::ExitCode)),
        Just(failed(Reason::ClientError)),
        Just(failed(Reason::Evicted)),
        Just(Verdict::Cancelled),
        Just(Verdict::FunctionDeleted),
        Just(Verdict::Released),
    ];
    prop_oneof![
        2 => (0i64..12).prop_map(|epoch| Event::Adopt { epoch: Epoch(epoch) }),
        4 => Just(Event::Claim),
        4 => (0i64..12, verdict, 0u16..1000)
            .prop_map(|(epoch, verdict, jitter)| Event::Settle { epoch: Epoch(epoch), verdict, jitter }),
        2 => (0i64..12).prop_map(|epoch| Event::LeaseLost { epoch: Epoch(epoch) }),
        1 => Just(Event::Cancel),
        1 => Just(Event::Expire),
        1 => Just(Event::FunctionDeleted),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn every_history_keeps_the_invariants(
        events in prop::collection::vec((any_event(), 0u64..600), 0..60),
        max_attempts in 1u32..5,
        max_lost in 0u32..4,
    ) {
        let policy = policy(max_attempts, max_lost);
        let mut now = NOW;
        let mut life = Lifecycle::accepted(now);
        let (mut opened, mut closed, mut finished, mut published) = (0u32, 0u32, 0u32, 1u32);
        for (event, pause) in events {
            now = now + Duration::from_secs(pause);
            let given = match &event {
                Event::Settle { epoch, .. } | Event::LeaseLost { epoch } | Event::Adopt { epoch } => Some(*epoch),
                _ => None,
            };
            let before = life;
            let Ok((next, effects)) = step(life, event, &policy, now) else { continue };
            // Exactly one terminal state: nothing leaves one.
            prop_assert!(!before.state.is_terminal());
            // The current epoch decides, and only a running record has anything to decide.
            if let Some(given) = given {
                prop_assert_eq!(given, before.epoch);
                prop_assert_eq!(before.state, State::Running);
            }
            prop_assert!(next.epoch >= before.epoch);
            for effect in &effects {
                match effect {
                    Effect::OpenAttempt { number, epoch } => {
                        opened += 1;
                        prop_assert_eq!((*number, *epoch), (opened, next.epoch));
                    }
                    // The same attempt goes on; whoever had it before decides nothing any more.
                    Effect::ResumeAttempt { epoch } => {
                        prop_assert_eq!((*epoch, next.attempts), (before.epoch.next(), before.attempts));
                        prop_assert_eq!((next.epoch, next.state), (*epoch, State::Running));
                    }
                    Effect::CloseAttempt { .. } => closed += 1,
                    Effect::Finish { .. } => finished += 1,
                    Effect::Publish { at } => {
                        published += 1;
                        prop_assert_eq!(*at, next.not_before);
                    }
                    Effect::Unpublish | Effect::TellOwner => {}
                }
            }
            // A record that waits is always published, or it would wait for ever.
            if next.state != before.state && matches!(next.state, State::Queued | State::Retrying) {
                let published_again = effects.iter().any(|effect| matches!(effect, Effect::Publish { .. }));
                prop_assert!(published_again);
            }
            // An attempt is open exactly while the record runs.
            prop_assert_eq!(opened - closed, u32::from(next.state == State::Running));
            prop_assert_eq!(finished, u32::from(next.state.is_terminal()));
            prop_assert!(!next.dead_letter || next.state == State::Failed);
            // Every retry is bounded, and every start has a cause.
            prop_assert!(next.attempts - next.lost.min(next.attempts) <= max_attempts);
            prop_assert!(next.lost <= max_lost + 1);
            prop_assert!(next.attempts <= published);
            life = next;
        }
    }
}
