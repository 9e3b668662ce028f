//! Group commit.

use super::{setup, setup_with};
use eventflow_domain::ErrorKind;
use eventflow_domain::lifecycle::Verdict;
use eventflow_domain::ports::InvocationFilter;
use eventflow_store::Options;
use eventflow_testkit::contract::store::{Callee, worker};
use futures::future::join_all;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_of_all_kinds_share_commits_and_each_gets_its_own_answer() {
    let (_folder, room) = setup().await;
    let (room, callee) = (&room, &Callee::new("f"));
    let tasks = (0..40).map(|n| async move {
        let id = room.accepted(callee).await;
        let epoch = room.claimed(id, &worker("a")).await.lifecycle.epoch;
        if n % 2 == 0 {
            // Refused in the same groups: it must not take the others along.
            assert!(room.store.cancel(room.call(callee).id).await.is_err());
        }
        room.settled(room.end(id, epoch, Verdict::Succeeded)).await.id == id
    });
    for done in join_all(tasks).await {
        assert!(done);
    }
    assert_eq!(room.store.count(&InvocationFilter::default()).await.expect("a count"), 40);
}

#[tokio::test]
async fn a_caller_that_leaves_does_not_take_its_group_along() {
    let (_folder, room) = setup().await;
    let callee = Callee::new("f");
    let (left, stayed) = (room.call(&callee), room.call(&callee));
    let (left_id, stayed_id) = (left.id, stayed.id);
    let _ = tokio::time::timeout(Duration::ZERO, room.store.accept(left)).await;
    room.accepted_as(stayed).await;
    room.get(stayed_id).await;
    // Handed over before its caller left: kept or not, but never half.
    let kept = room.store.get(left_id).await.expect("should be read").is_some();
    let due = room.store.outbox_due(10).await.expect("rows").len();
    assert_eq!(due, 1 + usize::from(kept));
}

#[tokio::test]
async fn a_full_queue_of_commands_refuses_in_bounded_time() {
    let options = Options { queue: 1, wait: Duration::from_millis(1), ..Options::default() };
    let (_folder, room) = setup_with(options).await;
    let callee = Callee::new("f");
    let answers = join_all((0..2000).map(|_| room.store.accept(room.call(&callee)))).await;
    let refused: Vec<_> = answers.iter().filter_map(|answer| answer.as_ref().err()).collect();
    assert!(!refused.is_empty(), "2000 at once should not all find a place within 1 ms");
    assert!(
        refused.iter().all(|error| (error.kind(), error.reason()) == (ErrorKind::Exhausted, "StoreBusy"))
    );
    let kept = room.store.count(&InvocationFilter::default()).await.expect("a count");
    assert_eq!(kept as usize, answers.len() - refused.len());
}
