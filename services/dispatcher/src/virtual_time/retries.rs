use super::world::World;
use eventflow_domain::spec::{Backoff, RetryPolicy};
use eventflow_domain::{Reason, State};
use std::time::Duration;
use tokio::time::Instant;

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn retry(max_attempts: u32, jitter: f64) -> RetryPolicy {
    RetryPolicy { max_attempts, backoff: Backoff { initial: s(1), max: s(5), factor: 2.0, jitter } }
}

/// The pauses between starts, of which each takes no time.
fn pauses(starts: &[Instant]) -> Vec<Duration> {
    starts.windows(2).map(|pair| pair[1] - pair[0]).collect()
}

#[track_caller]
fn assert_about(found: &[Duration], wanted: &[Duration]) {
    // The relay, the bus and their timers of 1 ms.
    let late = Duration::from_millis(20);
    let good = found.len() == wanted.len()
        && found.iter().zip(wanted).all(|(found, wanted)| (*wanted..*wanted + late).contains(found));
    assert!(good, "{found:?}, wanted {wanted:?}");
}

#[tokio::test(start_paused = true)]
async fn retries_come_after_pauses_that_double_up_to_their_longest() {
    let (world, member) = World::alone(|_| ()).await;
    let function = world.apply("bad", |spec| spec.retry = retry(6, 0.0)).await;
    let id = world.call(&member, &function, "fail").await;
    let record = world.ended(id).await;
    assert_about(&pauses(&world.starts_of(id)), &[s(1), s(2), s(4), s(5), s(5)]);
    assert_eq!((record.state(), record.attempts.len()), (State::Failed, 6));
    assert!(record.lifecycle.dead_letter);
}

#[tokio::test(start_paused = true)]
async fn jitter_spreads_the_retries_of_calls_that_failed_together() {
    let (world, member) = World::alone(|_| ()).await;
    let function = world.apply("bad", |spec| spec.retry = retry(2, 0.2)).await;
    let mut waits = Vec::new();
    for _ in 0..40 {
        let id = world.call(&member, &function, "fail").await;
        world.ended(id).await;
        waits.push(pauses(&world.starts_of(id))[0]);
    }
    let (least, most) = (waits.iter().min().expect("some"), waits.iter().max().expect("some"));
    assert!(
        *least >= s(1).mul_f64(0.8) && *most <= s(1).mul_f64(1.2) + Duration::from_millis(20),
        "{waits:?}"
    );
    assert!(*most > *least + Duration::from_millis(100), "{waits:?}");
}

#[tokio::test(start_paused = true)]
async fn a_function_that_asks_for_a_longer_pause_gets_it() {
    let (world, member) = World::alone(|_| ()).await;
    let function = world.apply("busy", |spec| spec.retry = retry(3, 0.0)).await;
    let id = world.call(&member, &function, "retry-after 90").await;
    world.until(s(5), || world.record(id).state() == State::Retrying).await;
    world.ended(id).await;
    assert_about(&pauses(&world.starts_of(id)), &[s(90), s(90)]);
}

#[tokio::test(start_paused = true)]
async fn a_runtime_that_does_not_keep_the_timeout_is_given_up_after_a_grace() {
    let (world, member) = World::alone(|config| config.backstop = s(10)).await;
    let function = world.apply("deaf", |spec| (spec.start_deadline, spec.timeout) = (s(120), s(30))).await;
    let id = world.call(&member, &function, "hang").await;
    world.until(s(1), || world.running() == 1).await;
    let begun = world.starts_of(id)[0];
    world.until(s(200), || world.running() == 0).await;
    assert_about(&[Instant::now() - begun], &[s(120 + 30 + 10)]);
    assert_eq!(world.ended(id).await.failure.expect("why").reason, Reason::Timeout);
}

#[tokio::test(start_paused = true)]
async fn a_timeout_is_retried_like_any_failure() {
    let (world, member) = World::alone(|config| config.backstop = s(1)).await;
    let function = world
        .apply("deaf", |spec| {
            (spec.start_deadline, spec.timeout) = (Duration::ZERO, s(9));
            spec.retry = retry(2, 0.0);
        })
        .await;
    let id = world.call(&member, &function, "hang").await;
    let record = world.ended(id).await;
    assert_about(&pauses(&world.starts_of(id)), &[s(9 + 1 + 1)]);
    let reasons: Vec<_> =
        record.attempts.iter().filter_map(|attempt| Some(attempt.failure.as_ref()?.reason)).collect();
    assert_eq!(reasons, [Reason::Timeout, Reason::Timeout]);
}
