//! The contract of the port `Store`: one function for each promise. An adapter's tests name a set-up and get all of
//! them: `eventflow_testkit::store_contract!(setup);`, where `setup().await` returns a guard that keeps the store's
//! place alive, and a [`Room`].
//!
//! The adapter is built with the [`ManualClock`] of the room: time goes only where a promise moves it.

pub mod accept;
pub mod claims;
pub mod ends;
pub mod functions;
pub mod logs;
pub mod model;
pub mod outbox;
pub mod reads;
pub mod retention;

use crate::{ManualClock, content, key};
use eventflow_domain::invocation::Stored;
use eventflow_domain::lifecycle::{Policy, Verdict};
use eventflow_domain::ports::{
    Accepted, Claim, ClaimRequest, Clock as _, IdempotencyKey, NewInvocation, Settled, Settlement, Start,
    Store,
};
use eventflow_domain::spec::{Backoff, RetryPolicy};
use eventflow_domain::trace::TraceContext;
use eventflow_domain::{
    Epoch, Failure, FunctionKey, FunctionUid, Invocation, InvocationId, Reason, Source, StartKind,
    VersionNumber, WorkerId,
};
use std::sync::Arc;
use std::time::Duration;

/// A store and the clock it goes by.
#[derive(Debug)]
pub struct Room {
    pub store: Arc<dyn Store>,
    pub clock: Arc<ManualClock>,
}

pub(crate) const LEASE: Duration = Duration::from_secs(30);
pub(crate) const DAY: Duration = Duration::from_secs(86_400);

/// A function that calls are made of.
#[derive(Debug, Clone)]
pub struct Callee {
    pub key: FunctionKey,
    pub uid: FunctionUid,
}

impl Callee {
    pub fn new(name: &str) -> Self {
        Self { key: key(name), uid: FunctionUid::generate() }
    }
}

/// Up to `attempts`, one second apart, without jitter.
pub fn policy(attempts: u32) -> Policy {
    let backoff = Backoff { jitter: 0.0, ..Backoff::default() };
    Policy { retry: RetryPolicy { max_attempts: attempts, backoff }, max_lost: 2 }
}

pub fn worker(name: &str) -> WorkerId {
    WorkerId(name.into())
}

pub(crate) fn failed(reason: Reason) -> Verdict {
    Verdict::Failed(Failure::new(reason, "it went wrong"))
}

impl Room {
    /// An asynchronous call, due at once.
    pub fn call(&self, callee: &Callee) -> NewInvocation {
        let now = self.clock.now();
        NewInvocation {
            id: InvocationId::generate(),
            function: callee.key.clone(),
            function_uid: callee.uid,
            version: VersionNumber(1),
            source: Source::Async,
            caller: "tester".into(),
            replay_of: None,
            trace: TraceContext { trace_id: 7, span_id: 9, sampled: true },
            payload: Stored::inline(content("payload")),
            created_at: now,
            idempotency: None,
            start: Start::Queued { not_before: now },
            queue_max: 10_000,
        }
    }

    pub fn keyed(&self, callee: &Callee, scope: &str, hash: u8) -> NewInvocation {
        let expires_at = self.clock.now() + DAY;
        let key = IdempotencyKey { scope: scope.into(), payload_hash: [hash; 32], expires_at };
        NewInvocation { idempotency: Some(key), ..self.call(callee) }
    }

    /// Accepts a call and returns its id.
    pub async fn accepted(&self, callee: &Callee) -> InvocationId {
        self.accepted_as(self.call(callee)).await
    }

    pub async fn accepted_as(&self, new: NewInvocation) -> InvocationId {
        let id = new.id;
        let accepted = self.store.accept(new).await.expect("should be accepted");
        assert!(matches!(accepted, Accepted::New), "{id} should be new");
        id
    }

    pub async fn claim(&self, id: InvocationId, by: &WorkerId) -> Claim {
        let request = ClaimRequest { invocation: id, max_age: 2 * DAY };
        let claims = self.store.claim(vec![request], by, LEASE).await.expect("should answer");
        let [claim] = <[Claim; 1]>::try_from(claims).expect("one answer for one request");
        claim
    }

    /// Claims a call that must be there to be claimed.
    pub async fn claimed(&self, id: InvocationId, by: &WorkerId) -> Invocation {
        match self.claim(id, by).await {
            Claim::Claimed(invocation) => *invocation,
            other => fail(&format!("should be claimed, is {other:?}")),
        }
    }

    /// The end of a run, with a result.
    pub fn end(&self, id: InvocationId, epoch: Epoch, verdict: Verdict) -> Settlement {
        Settlement {
            invocation: id,
            epoch,
            verdict,
            policy: policy(3),
            jitter: 500,
            start: Some(StartKind::Cold),
            started_at: self.clock.now(),
            exit_code: Some(0),
            result: Stored::inline(content("result")),
            http_status: None,
            drop_payload: false,
            logs_truncated: false,
        }
    }

    /// Settles a run that must still be decided by this epoch.
    pub async fn settled(&self, end: Settlement) -> Invocation {
        match self.store.settle(end).await.expect("should answer") {
            Settled::Done(invocation) => *invocation,
            other => fail(&format!("should be settled, is {other:?}")),
        }
    }

    /// Accepts a call and runs it to this end.
    pub async fn ran(&self, callee: &Callee, verdict: Verdict) -> Invocation {
        let id = self.accepted(callee).await;
        let epoch = self.claimed(id, &worker("a")).await.lifecycle.epoch;
        self.settled(self.end(id, epoch, verdict)).await
    }

    pub async fn get(&self, id: InvocationId) -> Invocation {
        self.store.get(id).await.expect("should be read").expect("should be there")
    }
}

/// Ends the test.
pub(crate) fn fail(why: &str) -> ! {
    assert!(why.is_empty(), "{why}");
    unreachable!("an empty reason");
}

/// Makes a test of each promise of the port. `$setup().await` returns a guard and a [`Room`].
#[macro_export]
macro_rules! store_contract {
    ($setup:ident) => {
        $crate::store_contract!(@each $setup,
            accept [
                an_accepted_call_is_seen_at_once_with_all_it_came_with
                a_bad_call_fails_alone_among_those_committed_together
                the_same_call_handed_over_twice_is_one_call
                an_id_of_another_call_is_refused
                a_full_queue_refuses_one_more_and_says_when_to_come_back
                places_in_the_queue_come_free_again
                the_queue_bound_holds_under_racing_accepts
                a_key_used_again_gives_the_first_call
                a_key_with_another_payload_names_the_first_call
                twenty_racing_calls_with_one_key_are_one_call
                an_expired_key_is_free_again
                a_call_accepted_as_running_is_held_by_its_worker
                large_and_empty_bodies_come_back_as_they_were
            ]
            claims [
                a_claim_raises_epoch_and_attempt
                a_call_is_claimed_once
                racing_workers_claim_each_call_once
                a_call_is_not_claimed_before_its_time
                a_call_that_waited_too_long_is_expired_instead
                a_delay_is_not_waiting
                claims_answer_in_order_and_know_what_is_unknown
                a_lease_is_renewed_by_its_holder_only
                an_expired_lease_is_swept_and_the_call_queued_again
                a_renewed_lease_is_not_swept
                a_run_whose_lease_ran_out_is_adopted_once_as_the_same_attempt
                a_lease_that_is_given_up_may_be_adopted_at_once
                what_is_spared_is_not_swept
                workers_known_to_be_dead_are_swept_at_once
                a_call_lost_too_often_fails
            ]
            ends [
                a_success_ends_the_call_with_its_result
                a_stale_settlement_is_refused_and_changes_nothing
                a_terminal_call_is_settled_once
                an_unknown_call_is_told_so
                a_failure_with_attempts_left_is_queued_again_when_it_is_due
                exhausted_attempts_make_a_dead_letter_until_it_is_cleared
                a_released_call_goes_back_without_counting_as_a_failure
                a_dropped_payload_is_forgotten_at_the_end
                a_waiting_call_is_cancelled_at_once
                a_running_call_is_cancelled_by_its_owner
                a_terminal_call_cannot_be_cancelled
                old_waiting_calls_expire
                deleting_a_function_ends_what_waits_and_marks_what_runs
            ]
            outbox [
                an_accepted_call_is_due_once
                a_delayed_call_is_due_at_its_time
                due_rows_come_oldest_first_and_bounded
                a_published_call_is_published_again_only_when_the_bus_lost_it
                a_late_done_does_not_take_away_a_newer_row
                a_cancelled_call_is_not_published
            ]
            reads [
                pages_are_whole_without_gaps_and_newest_first
                each_filter_finds_what_it_names
                queue_stats_tell_what_waits_and_what_is_dead
                window_stats_tell_of_the_last_calls
                ended_calls_are_counted_in_steps_of_time
                dead_letters_are_grouped_by_function_and_reason
                whole_records_are_kept_once
                a_recorded_call_that_waits_is_published
                a_ping_writes
            ]
            functions [
                a_function_comes_back_as_it_was_put
                a_function_changed_meanwhile_is_not_overwritten
                numbering_survives_the_function
                versions_stay_and_come_newest_first
                configs_are_kept_by_kind_namespace_and_name
            ]
            logs [
                lines_come_back_in_order_and_once
                reading_resumes_behind_a_position
                lines_of_a_function_come_by_time_and_by_tail
            ]
            retention [
                old_ended_calls_are_forgotten_with_all_that_belongs_to_them
                only_the_newest_ended_calls_are_kept
                live_calls_are_never_forgotten
                calls_of_live_keys_are_kept
                removal_is_in_batches
                versions_of_a_deleted_function_go_with_their_last_record
                blobs_named_by_records_and_versions_are_in_use
            ]
            model [
                no_call_is_lost_and_none_ends_twice
            ]
        );
    };
    (@each $setup:ident, $($module:ident [$($promise:ident)*])*) => {
        $(mod $module {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $promise() {
                let (guard, room) = super::$setup().await;
                $crate::contract::store::$module::$promise(&room).await;
                drop(guard);
            })*
        })*
    };
}
