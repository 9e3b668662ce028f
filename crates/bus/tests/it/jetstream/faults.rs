//! A server that is absent, old, killed, stopped or wiped.

use super::support::{client, config, connect, shared_config, until};
use eventflow_bus::JetStreamBus;
use eventflow_bus::jetstream::{Config, StartError};
use eventflow_domain::ports::{Bus, Live, Topic};
use eventflow_domain::{ErrorKind, InvocationId};
use eventflow_testkit::contract::bus::messages;
use eventflow_testkit::key;
use eventflow_testkit::servers::nats::{NatsServer, Options, Store};
use eventflow_testkit::servers::{Signal, free_port};
use futures::StreamExt as _;
use parking_lot::Mutex;
use std::collections::BTreeSet;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

/// How soon work must go on after a server is back.
const RESUME: Duration = Duration::from_secs(10);
/// The same where probes are hasty.
const SOON: Duration = Duration::from_secs(5);

#[tokio::test]
async fn an_absent_server_is_named_without_its_password() {
    let port = free_port();
    let absent = Config {
        start_timeout: Duration::from_millis(300),
        ..config(format!("nats://me:hunter2@127.0.0.1:{port}"))
    };
    let error = JetStreamBus::connect(absent).await.expect_err("nobody is there");
    assert!(matches!(error, StartError::Unreachable { .. }), "{error:?}");
    assert_eq!(error.to_string(), format!("failed to reach NATS at nats://127.0.0.1:{port} within 300ms"));
    assert!(!eventflow_domain::error::Chain(&error).to_string().contains("hunter2"));
}

#[tokio::test]
async fn wrong_credentials_are_refused_at_once() {
    let user = Some(("me".to_owned(), "right".to_owned()));
    let server = NatsServer::start_with(Options { user, ..Options::default() }).await;
    connect(&config(server.url())).await.probe().await.expect("the right ones are fine");
    let error = JetStreamBus::connect(config(server.url().replace("right", "wrong"))).await;
    assert!(matches!(error, Err(StartError::Refused { .. })), "{error:?}");
}

#[tokio::test]
async fn the_start_waits_for_a_server_that_is_late() {
    let mut server = NatsServer::start().await;
    server.kill().await;
    let config = config(server.url());
    let late = async {
        sleep(Duration::from_millis(700)).await;
        server.restart(Store::Kept).await;
    };
    let (bus, ()) = tokio::join!(JetStreamBus::connect(config), late);
    bus.expect("it came in time").probe().await.expect("and works");
}

/// Speaks as much of the protocol as a client wants to hear before it believes that it is connected.
async fn pretend(listener: TcpListener, info: String) {
    while let Ok((mut stream, _)) = listener.accept().await {
        stream.write_all(info.as_bytes()).await.expect("INFO");
        let mut heard = [0; 4096];
        let mut text = String::new();
        while !text.contains("PING") {
            let count = stream.read(&mut heard).await.expect("CONNECT");
            if count == 0 {
                break;
            }
            text += &String::from_utf8_lossy(&heard[..count]);
        }
        let _late = stream.write_all(b"PONG\r\n").await;
        let _ended = stream.read(&mut heard).await;
    }
}

#[tokio::test]
async fn an_old_server_and_one_without_jetstream_are_refused() {
    for (version, jetstream, said) in [
        ("2.10.22", true, "has version 2.10.22, needed is 2.10.23 or newer"),
        ("2.9.25", true, "has version 2.9.25, needed is 2.10.23 or newer"),
        ("2.15.2", false, "has JetStream switched off"),
    ] {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let info = format!(
            "INFO {{\"server_id\":\"x\",\"version\":\"{version}\",\"max_payload\":1048576,\"proto\":1,\
             \"headers\":true,\"jetstream\":{jetstream}}}\r\n"
        );
        let mut server = JoinSet::new();
        server.spawn(pretend(listener, info));
        let error =
            JetStreamBus::connect(config(format!("nats://127.0.0.1:{port}"))).await.expect_err(version);
        assert_eq!(error.to_string(), format!("NATS at nats://127.0.0.1:{port} {said}"));
    }
}

/// Publishes until told to end, each batch until it is confirmed, as the relay does. What was confirmed.
async fn publish_until(
    bus: Arc<JetStreamBus>,
    confirmed: Arc<Mutex<BTreeSet<InvocationId>>>,
    stop: Arc<AtomicBool>,
) {
    let function = key("f");
    while !stop.load(Ordering::Relaxed) {
        let batch = messages(&function, 50);
        while bus.publish(batch.clone()).await.is_err() {
            sleep(Duration::from_millis(50)).await;
        }
        confirmed.lock().extend(batch.iter().map(|message| message.invocation));
        sleep(Duration::from_millis(5)).await;
    }
}

/// Fetches and acks for ever, as dispatchers do. What came, and when the last did.
async fn consume(bus: Arc<JetStreamBus>, came: Arc<Mutex<(BTreeSet<InvocationId>, Option<Instant>)>>) {
    let function = key("f");
    loop {
        let Ok(deliveries) = bus.fetch(&function, 100).await else {
            sleep(Duration::from_millis(50)).await;
            continue;
        };
        if deliveries.is_empty() {
            sleep(Duration::from_millis(5)).await;
            continue;
        }
        {
            let mut came = came.lock();
            came.0.extend(deliveries.iter().map(|delivery| delivery.message.invocation));
            came.1 = Some(Instant::now());
        }
        let _comes_again = bus.ack(deliveries).await;
    }
}

#[tokio::test]
async fn a_server_killed_ten_times_loses_nothing_that_was_confirmed() {
    let mut server = NatsServer::start().await;
    let bus = connect(&Config { ack_wait: Duration::from_secs(2), ..config(server.url()) }).await;
    let (confirmed, came) = (Arc::<Mutex<BTreeSet<_>>>::default(), Arc::<Mutex<(BTreeSet<_>, _)>>::default());
    let stop = Arc::new(AtomicBool::new(false));
    let mut publisher = JoinSet::new();
    publisher.spawn(publish_until(Arc::clone(&bus), Arc::clone(&confirmed), Arc::clone(&stop)));
    let mut consumer = JoinSet::new();
    consumer.spawn(consume(Arc::clone(&bus), Arc::clone(&came)));
    for round in 0..10 {
        sleep(Duration::from_millis(100 + round * 13)).await;
        server.restart(Store::Kept).await;
        let back = Instant::now();
        until("work goes on", RESUME, async || came.lock().1.is_some_and(|last: Instant| last > back)).await;
    }
    stop.store(true, Ordering::Relaxed);
    publisher.join_next().await.expect("the publisher").expect("ends");
    until("all that was confirmed comes", RESUME, async || {
        let (confirmed, came) = (confirmed.lock(), came.lock());
        confirmed.is_subset(&came.0)
    })
    .await;
    assert!(confirmed.lock().len() >= 500 && bus.counts().disconnects >= 10, "{:?}", bus.counts());
    until("the stream is empty", RESUME, async || {
        bus.depth(&key("f")).await.is_ok_and(|depth| depth == Some(0))
    })
    .await;
}

#[tokio::test]
async fn an_idle_bus_hears_of_work_and_news_after_the_server_was_gone() {
    let mut server = NatsServer::start().await;
    let config = config(server.url());
    let (bus, other) = (connect(&config).await, connect(&config).await);
    let (mut active, mut cancels) = (bus.active(), bus.listen(Topic::Cancels));
    server.kill().await;
    let error = bus.publish(messages(&key("f"), 1)).await.expect_err("it is gone");
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    until("it is noticed", RESUME, async || bus.fetch(&key("f"), 1).await.is_err()).await;
    server.restart(Store::Kept).await;
    let back = Instant::now();
    until("it is reached again", RESUME, async || other.publish(messages(&key("g"), 1)).await.is_ok()).await;
    let heard = async { while active.next().await != Some(key("g")) {} };
    timeout(RESUME, heard).await.expect("to hear of work");
    let invocation = InvocationId::generate();
    let heard = async {
        loop {
            other.announce(Live::CancelRequested { invocation });
            if timeout(Duration::from_millis(50), cancels.next()).await.is_ok() {
                break;
            }
        }
    };
    timeout(RESUME, heard).await.expect("to hear live news");
    assert_eq!(bus.fetch(&key("g"), 1).await.expect("fetch").len(), 1);
    assert!(back.elapsed() < RESUME);
}

/// What was confirmed is gone with the disk: the store publishes it again.
#[tokio::test]
async fn messages_that_their_consumer_has_passed_do_not_hide_what_is_missing() {
    let config = shared_config().await;
    let bus = connect(&config).await;
    let function = key("f");
    bus.publish(messages(&function, 3)).await.expect("published");
    assert_eq!(bus.depth(&function).await.expect("counted"), Some(3), "whoever asks first is given all");
    // As after a kill: the stream has what its consumer is done with, here because it delivers nothing twice.
    let jetstream = async_nats::jetstream::new(client(&config).await);
    let passes = async_nats::jetstream::consumer::pull::Config {
        durable_name: Some(format!("{}_{}", function.namespace, function.name)),
        filter_subject: format!(
            "{}.events.invoke.{}.{}",
            config.subject_prefix, function.namespace, function.name
        ),
        max_deliver: 1,
        ack_wait: Duration::from_millis(200),
        ..Default::default()
    };
    let passes = jetstream.create_consumer_on_stream(passes, &config.events_stream).await;
    let passes = passes.expect("a consumer");
    let two = passes.fetch().max_messages(2).messages().await.expect("messages");
    assert_eq!(two.count().await, 2);
    assert_eq!(bus.depth(&function).await.expect("counted"), Some(3), "two may still be acked");
    let passed = async {
        while bus.depth(&function).await.expect("counted") != Some(1) {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_secs(20), passed).await.expect("two are never delivered again");
}

#[tokio::test]
async fn a_wiped_server_gets_its_streams_again_and_is_used() {
    let mut server = NatsServer::start().await;
    let bus = connect(&config(server.url())).await;
    let function = key("f");
    bus.publish(messages(&function, 10)).await.expect("publish");
    let held = bus.fetch(&function, 2).await.expect("fetch");
    server.restart(Store::Wiped).await;
    let again = messages(&function, 3);
    until("it takes messages again", RESUME, async || bus.publish(again.clone()).await.is_ok()).await;
    bus.ack(held).await.expect("acks of what is gone take nothing away");
    let mut came = Vec::new();
    until("they come", RESUME, async || {
        came.extend(bus.fetch(&function, 10).await.unwrap_or_default());
        came.len() >= 3
    })
    .await;
    assert_eq!(came.iter().map(|delivery| delivery.message.clone()).collect::<Vec<_>>(), again);
    let mut health = bus.health();
    let ready = health.wait_for(eventflow_bus::jetstream::BusHealth::is_ready);
    timeout(RESUME, ready).await.expect("ready again").expect("the bus lives");
}

/// What the whole server may store is used up, not what one stream may.
#[tokio::test]
async fn a_server_without_room_refuses_and_says_so() {
    let server = NatsServer::start_with(Options { max_file: Some(256 << 10), ..Options::default() }).await;
    let bus = connect(&config(server.url())).await;
    let error = loop {
        if let Err(error) = bus.publish(messages(&key("f"), 100)).await {
            break error;
        }
        assert!(bus.counts().published < 10_000, "it never becomes full");
    };
    assert_eq!((error.kind(), error.reason()), (ErrorKind::Unavailable, "BusFull"), "{error:?}");
    assert_eq!(bus.probe().await.expect_err("nor does the probe fit").reason(), "BusFull");
    bus.purge(&key("f")).await.expect("purge");
    bus.probe().await.expect("there is room again");
}

/// From outside, without rights: files of the server cannot grow beyond `bytes` (`unlimited`).
fn limit_files(server: &NatsServer, bytes: &str) {
    let pid = server.pid().to_string();
    let limit =
        Command::new("prlimit").args(["--pid", &pid]).arg(format!("--fsize={bytes}:unlimited")).status();
    assert!(limit.expect("prlimit runs").success());
}

/// Asks often, and is not patient.
fn hasty(url: String) -> Config {
    Config {
        check_every: Duration::from_millis(200),
        request_timeout: Duration::from_millis(500),
        ..config(url)
    }
}

/// Once a write failed, the server writes nothing to that stream any more, room or not.
#[tokio::test]
async fn a_stream_whose_disk_failed_is_made_anew_as_soon_as_there_is_room_and_not_before() {
    let server = NatsServer::start().await;
    let (bus, function) = (connect(&hasty(server.url())).await, key("f"));
    let (mut health, mut forgot) = (bus.health(), bus.forgot());
    bus.publish(messages(&function, 10)).await.expect("publish");
    limit_files(&server, "0");
    // Each waits longer than a check takes.
    for _ in 0..6 {
        bus.publish(messages(&function, 20)).await.expect_err("nothing can be written");
    }
    assert!(!health.borrow_and_update().is_ready());
    assert_eq!(bus.counts().repairs, 0, "another stream would not help");
    assert_eq!(bus.depth(&function).await.expect("a count"), Some(10), "what is there stays there");

    limit_files(&server, "unlimited");
    let rebuilt = health
        .wait_for(|health| health.is_ready() && health.last_drift.iter().any(|it| it.field == "writes"));
    timeout(SOON, rebuilt).await.expect("made anew").expect("the bus lives");
    timeout(SOON, forgot.next()).await.expect("it says that it forgot").expect("the bus lives");
    let again = messages(&function, 2);
    bus.publish(again.clone()).await.expect("publish");
    let came = bus.fetch(&function, 10).await.expect("fetch");
    assert_eq!(came.into_iter().map(|delivery| delivery.message).collect::<Vec<_>>(), again);
}

/// Two processes find the same: one of them makes it anew, and what the other one publishes then is not thrown away.
#[tokio::test]
async fn only_one_of_several_makes_a_stream_anew() {
    let server = NatsServer::start().await;
    let config = hasty(server.url());
    let buses = [connect(&config).await, connect(&config).await, connect(&config).await];
    let function = key("f");
    limit_files(&server, "0");
    for bus in &buses {
        bus.publish(messages(&function, 1)).await.expect_err("nothing can be written");
    }
    limit_files(&server, "unlimited");
    for bus in &buses {
        timeout(SOON, bus.health().wait_for(eventflow_bus::jetstream::BusHealth::is_ready))
            .await
            .expect("ready again")
            .expect("the bus lives");
        bus.publish(messages(&function, 5)).await.expect("publish");
    }
    assert_eq!(buses.iter().map(|bus| bus.counts().repairs).sum::<u64>(), 1);
    assert_eq!(buses[0].depth(&function).await.expect("a count"), Some(15));
}

/// Nothing is thrown away because of a server that answers late.
#[tokio::test]
async fn a_server_that_stands_still_for_longer_than_a_probe_keeps_its_stream() {
    let server = NatsServer::start().await;
    let (bus, function) = (connect(&hasty(server.url())).await, key("f"));
    bus.publish(messages(&function, 10)).await.expect("publish");
    let mut health = bus.health();
    for _ in 0..4 {
        server.signal(Signal::Stop);
        timeout(RESUME, health.wait_for(|health| !health.is_ready()))
            .await
            .expect("noticed")
            .expect("it lives");
        server.signal(Signal::Continue);
        timeout(RESUME, health.wait_for(eventflow_bus::jetstream::BusHealth::is_ready))
            .await
            .expect("ready again")
            .expect("the bus lives");
    }
    assert_eq!(bus.counts().repairs, 0);
    assert_eq!(bus.fetch(&function, 20).await.expect("fetch").len(), 10);
}

/// No packet says that the other side is gone.
#[tokio::test]
async fn a_server_that_stands_still_is_noticed_and_used_again() {
    let server = NatsServer::start().await;
    let ping_interval = Duration::from_secs(1);
    let bus = connect(&Config { ping_interval, ..config(server.url()) }).await;
    let function = key("f");
    bus.publish(messages(&function, 1)).await.expect("publish");
    server.signal(Signal::Stop);
    let stopped = Instant::now();
    // Its threads stop one after the other.
    until("nobody confirms", ping_interval * 4, async || bus.publish(messages(&function, 1)).await.is_err())
        .await;
    until("it is noticed by three pings", ping_interval * 4, async || bus.counts().disconnects > 0).await;
    assert!(stopped.elapsed() < ping_interval * 6);
    let asked = Instant::now();
    bus.fetch(&function, 1).await.expect_err("not connected");
    assert!(
        asked.elapsed() < Duration::from_millis(100),
        "nobody waits for a connection that is known to be gone"
    );
    server.signal(Signal::Continue);
    let back = Instant::now();
    let mut came = 0;
    until("work goes on", RESUME, async || {
        came += bus.fetch(&function, 10).await.map_or(0, |deliveries| deliveries.len());
        came > 0
    })
    .await;
    assert!(back.elapsed() < RESUME);
}

#[tokio::test]
async fn a_closed_bus_has_sent_what_it_was_told() {
    let server = NatsServer::start().await;
    let config = config(server.url());
    let listener = connect(&config).await;
    let mut changes = listener.listen(Topic::Cancels);
    let bus = JetStreamBus::connect(config.clone()).await.expect("should connect");
    // The listener's subscription is with the server before the other one speaks.
    listener.probe().await.expect("probe");
    let told: Vec<InvocationId> = (0..2_500).map(|_| InvocationId::generate()).collect();
    for invocation in &told {
        bus.announce(Live::CancelRequested { invocation: *invocation });
    }
    bus.close(Duration::from_secs(5)).await;
    for invocation in told {
        let heard = timeout(RESUME, changes.next()).await.expect("to hear of all");
        assert!(matches!(heard, Some(Live::CancelRequested { invocation: it }) if it == invocation));
    }
}
