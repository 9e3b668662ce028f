//! The process ends at any of its writes, before it or before its answer: the next one brings the same objects about.

use crate::support::{Audit, Cut, Room, Running, children, within};
use eventflow_testkit::servers::kubernetes::Mode;
use pretty_assertions::assert_eq;
use serde_json::{Value, json};
use std::time::Duration;

fn first() -> Value {
    json!({"image": "a", "port": 80, "scaling": {"min": 1, "max": 4, "cpu": 50}})
}

/// Another version, no autoscaler, other copies.
fn second() -> Value {
    json!({"image": "b", "port": 81, "replicas": 2})
}

async fn until_done(room: &Room, name: &str) {
    room.until(name, "Ready=Starting").await;
}

/// Ends an operator at `cut` while it carries out `spec`; whether it got that far.
async fn cut(room: &Room, name: &str, spec: &Value, cut: Cut) -> bool {
    let audit = Audit::new(Some(cut));
    let dying = Running::with(room, "dying", audit, crate::support::times()).await;
    room.declare(name, spec).await.expect("taken");
    let ended = within(Duration::from_secs(20), || async {
        if dying.audit.is_dead() {
            return Some(true);
        }
        let found = room.functions().get(name).await.ok()?;
        // The event after the status is the last write.
        (crate::support::is_settled(&found) && dying.operator.queue.depth() == 0).then_some(false)
    })
    .await
    .expect("it ends one way or the other");
    if !ended {
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    ended || dying.audit.is_dead()
}

/// Ends an operator at each of the writes that it takes, and lets the next one finish.
async fn sweep(before: Option<Value>, spec: Value, end: fn(usize) -> Cut) {
    let room = Room::new(Mode::Api).await;
    let reference = {
        let _operator = Running::start(&room).await;
        if let Some(before) = &before {
            room.declare("whole", before).await.expect("taken");
            until_done(&room, "whole").await;
        }
        room.declare("whole", &spec).await.expect("taken");
        until_done(&room, "whole").await;
        children(&room, "whole").await
    };
    for at in 0..40 {
        let name = format!("f{at}x");
        if let Some(before) = &before {
            let _operator = Running::start(&room).await;
            room.declare(&name, before).await.expect("taken");
            until_done(&room, &name).await;
        }
        let reached = cut(&room, &name, &spec, end(at)).await;
        let _operator = Running::start(&room).await;
        until_done(&room, &name).await;
        assert_eq!(children(&room, &name).await, reference, "ended at {:?}", end(at));
        if !reached {
            assert!(at >= 4, "only {at} writes");
            return;
        }
    }
    panic!("a reconcile never comes to its end");
}

#[tokio::test]
async fn ended_at_any_write_of_a_creation_the_next_operator_makes_the_same_objects() {
    tokio::join!(Box::pin(sweep(None, first(), Cut::Before)), Box::pin(sweep(None, first(), Cut::After)));
}

#[tokio::test]
async fn ended_at_any_write_of_a_change_the_next_operator_makes_the_same_objects() {
    tokio::join!(
        Box::pin(sweep(Some(first()), second(), Cut::Before)),
        Box::pin(sweep(Some(first()), second(), Cut::After))
    );
}
