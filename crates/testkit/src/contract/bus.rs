//! The contract of the port `Bus`. [`crate::bus_suite`] writes a test for each function of this module:
//!
//! ```ignore
//! async fn bus() -> (Arc<dyn Bus>, Guard) { … }
//! eventflow_testkit::bus_suite!(bus().await);
//! ```
//!
//! Waits are short and real, or virtual where the tests are written with `start_paused = true`.

use crate::key;
use eventflow_domain::logs::{FunctionLogLine, LogLine, LogPosition, Stream};
use eventflow_domain::ports::{Bus, Delivery, Live, Message, Topic};
use eventflow_domain::trace::TraceContext;
use eventflow_domain::{Epoch, FunctionKey, FunctionUid, InvocationId, State, Timestamp};
use futures::stream::{BoxStream, StreamExt};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// How long news may take.
const SOON: Duration = Duration::from_secs(5);
/// How long nothing must come to count as nothing.
const QUIET: Duration = Duration::from_millis(150);

/// A first message of a new call.
pub fn message(function: &FunctionKey) -> Message {
    Message {
        invocation: InvocationId::generate(),
        function: function.clone(),
        function_uid: FunctionUid::generate(),
        epoch: Epoch(0),
        publish: 1,
        trace: TraceContext::generate(),
    }
}

/// Messages of new calls, in their order.
pub fn messages(function: &FunctionKey, count: usize) -> Vec<Message> {
    (0..count).map(|_| message(function)).collect()
}

/// Fetches until `count` messages came.
async fn fetched(bus: &dyn Bus, function: &FunctionKey, count: usize) -> Vec<Delivery> {
    let mut deliveries = Vec::new();
    let all = async {
        while deliveries.len() < count {
            let more = bus.fetch(function, count - deliveries.len()).await.expect("should fetch");
            if more.is_empty() {
                sleep(Duration::from_millis(5)).await;
            }
            deliveries.extend(more);
        }
    };
    timeout(SOON, all).await.expect("messages should come");
    deliveries
}

async fn assert_nothing_waits(bus: &dyn Bus, function: &FunctionKey) {
    sleep(QUIET).await;
    assert_eq!(bus.fetch(function, 10).await.expect("should fetch"), []);
}

async fn next<T>(stream: &mut BoxStream<'static, T>) -> T {
    timeout(SOON, stream.next()).await.expect("should come soon").expect("should not end")
}

async fn assert_quiet<T>(stream: &mut BoxStream<'static, T>) {
    assert!(timeout(QUIET, stream.next()).await.is_err(), "nothing should come");
}

fn of(deliveries: &[Delivery]) -> Vec<Message> {
    deliveries.iter().map(|delivery| delivery.message.clone()).collect()
}

pub async fn messages_come_oldest_first_and_each_once(bus: Arc<dyn Bus>) {
    let function = key("f");
    let sent = messages(&function, 5);
    bus.publish(sent.clone()).await.expect("publish");
    let (first, rest) = (fetched(&*bus, &function, 2).await, fetched(&*bus, &function, 3).await);
    assert_eq!([of(&first), of(&rest)].concat(), sent);
    assert_nothing_waits(&*bus, &function).await;
}

pub async fn functions_do_not_see_each_others_messages(bus: Arc<dyn Bus>) {
    let (f, g) = (key("f"), key("g"));
    let (of_f, of_g) = (message(&f), message(&g));
    bus.publish(vec![of_f.clone(), of_g.clone()]).await.expect("publish");
    assert_eq!(of(&fetched(&*bus, &g, 1).await), [of_g]);
    assert_eq!(of(&fetched(&*bus, &f, 1).await), [of_f]);
    assert_nothing_waits(&*bus, &g).await;
}

pub async fn a_message_published_twice_comes_once(bus: Arc<dyn Bus>) {
    let function = key("f");
    let sent = message(&function);
    bus.publish(vec![sent.clone(), sent.clone()]).await.expect("publish");
    bus.publish(vec![sent.clone()]).await.expect("publish");
    let first = fetched(&*bus, &function, 1).await;
    bus.publish(vec![sent.clone()]).await.expect("publish again while it is in flight");
    assert_nothing_waits(&*bus, &function).await;
    let again = Message { publish: 2, ..sent.clone() };
    let later = Message { epoch: Epoch(1), ..sent };
    bus.publish(vec![again.clone(), later.clone()]).await.expect("publish");
    assert_eq!(of(&fetched(&*bus, &function, 2).await), [again, later], "another number is another message");
    bus.ack(first).await.expect("ack");
}

pub async fn an_acked_message_does_not_come_again(bus: Arc<dyn Bus>) {
    let function = key("f");
    bus.publish(messages(&function, 3)).await.expect("publish");
    let deliveries = fetched(&*bus, &function, 3).await;
    bus.ack(deliveries.clone()).await.expect("ack");
    bus.ack(deliveries).await.expect("a second ack is fine");
    assert_nothing_waits(&*bus, &function).await;
    assert!(matches!(bus.depth(&function).await, Ok(Some(0) | None)));
}

pub async fn a_message_not_now_comes_again_after_its_delay(bus: Arc<dyn Bus>) {
    let function = key("f");
    let sent = message(&function);
    bus.publish(vec![sent.clone()]).await.expect("publish");
    let delivery = fetched(&*bus, &function, 1).await.remove(0);
    bus.nak(delivery, QUIET * 2).await.expect("nak");
    assert_nothing_waits(&*bus, &function).await;
    let again = fetched(&*bus, &function, 1).await.remove(0);
    assert_eq!(again.message, sent);
    bus.nak(again, Duration::ZERO).await.expect("nak without a delay");
    assert_eq!(of(&fetched(&*bus, &function, 1).await), [sent]);
}

pub async fn who_listens_hears_of_functions_that_wait_already(bus: Arc<dyn Bus>) {
    let waiting = BTreeSet::from([key("f"), key("g")]);
    for function in &waiting {
        bus.publish(messages(function, 3)).await.expect("publish");
    }
    let mut active = bus.active();
    assert_eq!(BTreeSet::from([next(&mut active).await, next(&mut active).await]), waiting);
    assert_quiet(&mut active).await;
}

pub async fn every_listener_hears_of_new_messages(bus: Arc<dyn Bus>) {
    let (mut one, mut two) = (bus.active(), bus.active());
    for function in [key("f"), key("g"), key("f")] {
        bus.publish(vec![message(&function)]).await.expect("publish");
        assert_eq!(next(&mut one).await, function);
        assert_eq!(next(&mut two).await, function);
    }
    drop(one);
    bus.publish(vec![message(&key("h"))]).await.expect("publish");
    assert_eq!(next(&mut two).await, key("h"));
}

/// However much is published, a listener that was away hears of each function.
pub async fn a_slow_listener_misses_no_function(bus: Arc<dyn Bus>) {
    let functions: BTreeSet<FunctionKey> = (0..300).map(|number| key(&format!("f{number}"))).collect();
    let mut active = bus.active();
    for _ in 0..5 {
        for function in &functions {
            bus.publish(vec![message(function)]).await.expect("publish");
        }
    }
    let mut heard = BTreeSet::new();
    while heard != functions {
        heard.insert(next(&mut active).await);
    }
}

pub async fn a_listener_hears_when_a_delay_has_passed(bus: Arc<dyn Bus>) {
    let (slow, fast) = (key("slow"), key("fast"));
    bus.publish(vec![message(&slow), message(&fast)]).await.expect("publish");
    let (first, second) =
        (fetched(&*bus, &slow, 1).await.remove(0), fetched(&*bus, &fast, 1).await.remove(0));
    let mut active = bus.active();
    bus.nak(first, QUIET * 5).await.expect("nak");
    assert_quiet(&mut active).await;
    bus.nak(second, QUIET).await.expect("nak with a shorter delay");
    let in_time = timeout(QUIET * 3, active.next()).await;
    assert_eq!(in_time.expect("should not wait for the longer delay"), Some(fast));
    assert_eq!(next(&mut active).await, slow);
}

pub async fn a_purge_forgets_waiting_delayed_and_delivered_messages(bus: Arc<dyn Bus>) {
    let (function, other) = (key("f"), key("g"));
    bus.publish([messages(&function, 3), messages(&other, 1)].concat()).await.expect("publish");
    let mut deliveries = fetched(&*bus, &function, 2).await;
    bus.nak(deliveries.remove(0), Duration::from_millis(20)).await.expect("nak");
    bus.purge(&function).await.expect("purge");
    bus.nak(deliveries.remove(0), Duration::ZERO).await.expect("a nak after the purge is fine");
    assert_nothing_waits(&*bus, &function).await;
    assert!(matches!(bus.depth(&function).await, Ok(Some(0) | None)));
    assert_eq!(fetched(&*bus, &other, 1).await.len(), 1, "others are not touched");
    let sent = message(&function);
    bus.publish(vec![sent.clone()]).await.expect("publish");
    assert_eq!(of(&fetched(&*bus, &function, 1).await), [sent]);
}

pub async fn the_depth_counts_what_waits_and_what_is_in_flight(bus: Arc<dyn Bus>) {
    let function = key("f");
    bus.publish(messages(&function, 4)).await.expect("publish");
    let Some(depth) = bus.depth(&function).await.expect("depth") else { return };
    assert_eq!(depth, 4);
    let mut deliveries = fetched(&*bus, &function, 3).await;
    bus.nak(deliveries.remove(0), SOON).await.expect("nak");
    assert_eq!(bus.depth(&function).await.expect("depth"), Some(4));
    bus.ack(deliveries).await.expect("ack");
    assert_eq!(bus.depth(&function).await.expect("depth"), Some(2));
}

fn changed(invocation: InvocationId, function: &FunctionKey) -> Live {
    Live::Changed { invocation, function: function.clone(), state: State::Running }
}

fn printed(function: &FunctionKey, lines: &[(Option<InvocationId>, &str)]) -> Live {
    let lines = lines.iter().map(|(invocation, text)| FunctionLogLine {
        invocation: *invocation,
        approximate: false,
        line: LogLine {
            position: LogPosition { attempt: 1, seq: 1 },
            stream: Stream::Stdout,
            time: Timestamp::default(),
            text: (*text).into(),
        },
    });
    Live::LogLines { function: function.clone(), lines: lines.collect() }
}

fn text(live: &Live) -> String {
    match live {
        Live::LogLines { lines, .. } => {
            lines.iter().map(|line| line.line.text.as_ref()).collect::<Vec<_>>().join(",")
        }
        Live::CancelRequested { invocation } => format!("cancel {invocation}"),
        Live::Changed { invocation, state, .. } => format!("{invocation} {state}"),
    }
}

pub async fn live_news_reach_exactly_the_topics_they_belong_to(bus: Arc<dyn Bus>) {
    let (function, mine, other) = (key("f"), InvocationId::generate(), InvocationId::generate());
    let mut of_mine = bus.listen(Topic::Invocation(mine));
    let mut of_f = bus.listen(Topic::Function(function.clone()));
    let mut changes = bus.listen(Topic::Changes);
    let mut cancels = bus.listen(Topic::Cancels);

    let lines = [
        (Some(mine), "one"),
        (Some(mine), "two"),
        (Some(other), "three"),
        (None, "four"),
        (Some(mine), "five"),
    ];
    bus.announce(printed(&function, &lines));
    bus.announce(printed(&key("g"), &[(Some(other), "elsewhere")]));
    bus.announce(changed(other, &function));
    bus.announce(changed(mine, &function));
    bus.announce(Live::CancelRequested { invocation: mine });

    assert_eq!(text(&next(&mut of_mine).await), "one,two");
    assert_eq!(text(&next(&mut of_mine).await), "five");
    assert_eq!(text(&next(&mut of_mine).await), format!("{mine} RUNNING"));
    assert_eq!(text(&next(&mut of_f).await), "one,two,three,four,five");
    for stream in [&mut of_f, &mut changes] {
        assert_eq!(text(&next(stream).await), format!("{other} RUNNING"));
        assert_eq!(text(&next(stream).await), format!("{mine} RUNNING"));
    }
    assert_eq!(text(&next(&mut cancels).await), format!("cancel {mine}"));
    for stream in [&mut of_mine, &mut of_f, &mut changes, &mut cancels] {
        assert_quiet(stream).await;
    }
}

/// It misses some; it neither blocks who announces nor grows without bound nor ends.
pub async fn a_live_listener_that_is_too_slow_goes_on_with_the_newest(bus: Arc<dyn Bus>) {
    let (function, last) = (key("f"), InvocationId::generate());
    let mut changes = bus.listen(Topic::Changes);
    for _ in 0..20_000 {
        bus.announce(changed(InvocationId::generate(), &function));
    }
    bus.announce(changed(last, &function));
    let until_the_last = async {
        while !matches!(next(&mut changes).await, Live::Changed { invocation, .. } if invocation == last) {}
    };
    timeout(SOON * 2, until_the_last).await.expect("the newest should come");
}

pub async fn news_that_nobody_hears_are_dropped(bus: Arc<dyn Bus>) {
    let function = key("f");
    let id = InvocationId::generate();
    drop(bus.listen(Topic::Invocation(id)));
    bus.announce(changed(id, &function));
    let mut late = bus.listen(Topic::Invocation(id));
    assert_quiet(&mut late).await;
    bus.announce(changed(id, &function));
    assert_eq!(text(&next(&mut late).await), format!("{id} RUNNING"));
}

/// A test for each part of the contract of `Bus`. `$new` makes a new empty bus as `(Arc<dyn Bus>, guard)`; arguments
/// of `tokio::test` may follow it after `=>`.
#[macro_export]
macro_rules! bus_suite {
    ($new:expr $(=> $($options:tt)*)?) => {
        $crate::bus_suite!(@ $new, ($($($options)*)?);
            messages_come_oldest_first_and_each_once
            functions_do_not_see_each_others_messages
            a_message_published_twice_comes_once
            an_acked_message_does_not_come_again
            a_message_not_now_comes_again_after_its_delay
            who_listens_hears_of_functions_that_wait_already
            every_listener_hears_of_new_messages
            a_slow_listener_misses_no_function
            a_listener_hears_when_a_delay_has_passed
            a_purge_forgets_waiting_delayed_and_delivered_messages
            the_depth_counts_what_waits_and_what_is_in_flight
            live_news_reach_exactly_the_topics_they_belong_to
            a_live_listener_that_is_too_slow_goes_on_with_the_newest
            news_that_nobody_hears_are_dropped
        );
    };
    (@ $new:expr, $options:tt; $($name:ident)+) => {
        $($crate::bus_suite!(@one $new, $options, $name);)+
    };
    (@one $new:expr, ($($options:tt)*), $name:ident) => {
        #[tokio::test($($options)*)]
        async fn $name() {
            let (bus, _guard) = $new;
            $crate::contract::bus::$name(bus).await;
        }
    };
}
