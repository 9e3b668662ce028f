//! Random walks against a model: what is accepted is conserved.

use super::{Callee, LEASE, Room, fail, failed, policy, worker};
use eventflow_domain::lifecycle::Verdict;
use eventflow_domain::ports::{Claim, ClaimRequest, InvocationFilter, NewInvocation, Settled};
use eventflow_domain::{Epoch, InvocationId, Reason, State};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use std::collections::BTreeMap;
use std::time::Duration;

#[derive(Debug, Clone)]
enum Step {
    Accept,
    Claim(prop::sample::Index),
    /// The run of a claim made before, however old.
    Settle(prop::sample::Index, u8),
    Cancel(prop::sample::Index),
    Wait(u16),
    Sweep,
    Expire,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let index = any::<prop::sample::Index>;
    let step = prop_oneof![
        4 => Just(Step::Accept),
        6 => index().prop_map(Step::Claim),
        6 => (index(), 0u8..5).prop_map(|(at, verdict)| Step::Settle(at, verdict)),
        1 => index().prop_map(Step::Cancel),
        3 => (0u16..40).prop_map(Step::Wait),
        2 => Just(Step::Sweep),
        1 => Just(Step::Expire),
    ];
    prop::collection::vec(step, 40..80)
}

/// What must hold of what was seen so far.
#[derive(Debug, Default)]
struct Model {
    accepted: Vec<InvocationId>,
    claims: Vec<(InvocationId, Epoch)>,
    ended: BTreeMap<InvocationId, State>,
}

/// accepted = queued + running + retrying + ended, and no end is ever another.
pub async fn no_call_is_lost_and_none_ends_twice(room: &Room) {
    // A fixed seed: a walk that fails once fails again.
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let mut before = 0;
    for walk in 0..8 {
        let steps = steps().new_tree(&mut runner).expect("a walk").current();
        let (callee, mut model) = (Callee::new("f"), Model::default());
        for step in steps {
            take(room, &callee, &mut model, &step).await;
        }
        check(room, &mut model).await;
        before += model.accepted.len() as u64;
        let total = room.store.count(&InvocationFilter::default()).await.expect("a count");
        assert_eq!(total, before, "walk {walk}: what was accepted is there");
    }
}

async fn take(room: &Room, callee: &Callee, model: &mut Model, step: &Step) {
    let age = Duration::from_secs(300);
    match step {
        Step::Accept => {
            let call = NewInvocation { queue_max: 8, ..room.call(callee) };
            let id = call.id;
            if room.store.accept(call).await.is_ok() {
                model.accepted.push(id);
            }
        }
        Step::Claim(at) if !model.accepted.is_empty() => {
            let request = ClaimRequest { invocation: *at.get(&model.accepted), max_age: age };
            let claims = room.store.claim(vec![request], &worker("a"), LEASE).await.expect("an answer");
            for claim in claims {
                if let Claim::Claimed(record) = claim {
                    let claim = (record.id, record.lifecycle.epoch);
                    assert!(!model.claims.contains(&claim), "an epoch is given once");
                    model.claims.push(claim);
                }
            }
        }
        Step::Settle(at, verdict) if !model.claims.is_empty() => {
            settle(room, model, *at.get(&model.claims), *verdict).await;
        }
        Step::Cancel(at) if !model.accepted.is_empty() => {
            let _ = room.store.cancel(*at.get(&model.accepted)).await;
        }
        Step::Wait(seconds) => room.clock.advance(Duration::from_secs(u64::from(*seconds))),
        Step::Sweep => {
            room.store.sweep(&worker("a"), false, policy(3), 100, &[]).await.expect("an answer");
        }
        Step::Expire => {
            room.store.expire(&callee.key, age, 100).await.expect("an answer");
        }
        Step::Claim(_) | Step::Settle(..) | Step::Cancel(_) => {}
    }
}

async fn settle(room: &Room, model: &Model, (id, epoch): (InvocationId, Epoch), verdict: u8) {
    let before = room.get(id).await;
    let verdict = match verdict {
        0 => Verdict::Released,
        1 => Verdict::Cancelled,
        2 => failed(Reason::ExitCode),
        3 => failed(Reason::ClientError),
        _ => Verdict::Succeeded,
    };
    match room.store.settle(room.end(id, epoch, verdict)).await.expect("an answer") {
        Settled::Done(after) => {
            assert_eq!(before.lifecycle.epoch, epoch, "only the current epoch decides");
            assert!(!model.ended.contains_key(&id), "an ended call ended again");
            assert_eq!(before.attempts.len(), after.attempts.len());
        }
        Settled::Refused(_) => assert_eq!(room.get(id).await, before, "a refusal changes nothing"),
        Settled::Unknown => fail("an accepted call is unknown"),
    }
}

async fn check(room: &Room, model: &mut Model) {
    for &id in &model.accepted {
        let record = room.get(id).await;
        let state = record.state();
        assert_eq!(record.ended_at.is_some(), state.is_terminal());
        assert_eq!(record.attempts.len(), record.lifecycle.attempts as usize, "every start is recorded");
        let open = record.attempts.iter().filter(|attempt| attempt.outcome.is_none()).count();
        assert_eq!(open, usize::from(state == State::Running), "{record:?}");
        let last = record.attempts.last().and_then(|attempt| attempt.outcome);
        if state == State::Succeeded {
            assert_eq!(last, Some(State::Succeeded));
        }
        if state.is_terminal() {
            assert_eq!(*model.ended.entry(id).or_insert(state), state);
        }
    }
    let mut sum = 0;
    for state in State::ALL {
        let filter = InvocationFilter { states: vec![state], ..InvocationFilter::default() };
        sum += room.store.count(&filter).await.expect("a count");
    }
    assert_eq!(sum, room.store.count(&InvocationFilter::default()).await.expect("a count"));
    let live = |state: State| !state.is_terminal();
    let waits = room.store.queue_stats().await.expect("stats");
    let states = State::ALL.into_iter().filter(|&state| live(state)).collect();
    let filter = InvocationFilter { states, ..InvocationFilter::default() };
    let live: u64 = waits.iter().map(|stats| stats.queued + stats.running + stats.retrying).sum();
    assert_eq!(live, room.store.count(&filter).await.expect("a count"));
}
