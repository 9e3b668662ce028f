//! One function is flooded; another does not feel it.

use eventflow_e2e::storm::functions::shell;
use eventflow_e2e::storm::readback::list;
use eventflow_e2e::{Rest, Server};
use futures::{StreamExt as _, stream};
use serde_json::{Value, json};
use std::time::Duration;

const FLOOD: usize = 2000;
/// More than the flood's own concurrency takes of the slots, so that only turns can be fair.
const SLOTS: &str = "dispatcher.slots=8";
/// A turn of the flood takes 0.2 s; the rest is what a busy machine may take.
const START: Duration = Duration::from_secs(3);

fn seconds(duration: &Value) -> Duration {
    let text = duration.as_str().unwrap_or_else(|| panic!("{duration} is no duration"));
    Duration::from_secs_f64(text.trim_end_matches('s').parse().expect("seconds"))
}

async fn waiting(rest: &Rest, function: &str) -> usize {
    list(rest, &format!("function={function}&state=QUEUED")).await.len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_one_function_does_not_hold_up_another() {
    let server = Server::options().set(SLOTS).start().await;
    let rest = server.rest().await;
    let mut flooded = shell("flooded", "sleep 0.2");
    flooded["concurrency"] = json!(50);
    rest.apply(&flooded).await;
    rest.apply(&shell("neighbour", "cat")).await;
    let flood = stream::iter(0..FLOOD).map(|number| rest.invoke_async("flooded", format!("{number}")));
    let ids: Vec<String> = flood.buffer_unordered(32).collect().await;
    assert_eq!(ids.len(), FLOOD);

    let mut waits = Vec::new();
    for number in 0..20 {
        let id = rest.invoke_async("neighbour", format!("{number}")).await;
        waits.push(seconds(&rest.ended(&id).await["queueWait"]));
    }
    let left = waiting(&rest, "flooded").await;
    assert!(left > FLOOD / 4, "only {left} of the flood wait: this showed nothing");
    waits.sort();
    let longest = waits[waits.len() - 1];
    println!("the neighbour waited {:?} (median), {longest:?} (longest), {left} calls were ahead", waits[10]);
    assert!(longest < START, "the neighbour waited {waits:?}");

    let sync = rest.invoke("neighbour", "now").await;
    assert_eq!((sync.status, sync.text()), (200, "now".to_owned()));
}
