//! Races and shortages: one key from many sides, a process that is stopped for a while, no descriptors left.

use eventflow_e2e::Server;
use eventflow_e2e::checker::{Answer, History, Request, Urls, check};
use eventflow_e2e::ledger::Ledger;
use eventflow_e2e::shape::only_local;
use eventflow_e2e::storm::children::Mark;
use eventflow_e2e::storm::functions::{JOB, deploy, shell};
use eventflow_e2e::storm::readback::{drained, list, records};
use eventflow_e2e::storm::tries::{Clients, Told, Try, Way};
use eventflow_e2e::wait::until;
use futures::future::join_all;
use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, prlimit};
use std::net::Ipv4Addr;
use std::time::Duration;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::sleep;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_key_from_twenty_clients_at_once_is_one_call() {
    let mark = Mark::new();
    let server = mark.on(Server::options()).start().await;
    let ledger = Ledger::new(server.folder().join("ledger"));
    let rest = server.rest().await;
    deploy(&rest, &ledger, &mark).await;
    let clients = Clients::new(vec![rest.clone()], vec![server.grpc().await]);
    let mut requests = Vec::new();
    for (round, way) in [Way::Async, Way::Sync(Duration::from_secs(10)), Way::Async].into_iter().enumerate() {
        let call = Try { function: JOB.name, payload: format!("round-{round}"), way, keyed: true };
        let told = join_all((0..20).map(|client| clients.send(&call, client % 2 == 0))).await;
        let mut answers: Vec<Answer> = Vec::new();
        for told in told {
            match told {
                Told::Answer(answer) => answers.push(answer),
                // A second sync call while the first one runs.
                Told::Later if way != Way::Async => {}
                told => panic!("{told:?}"),
            }
        }
        assert!(!answers.is_empty());
        let sync = way != Way::Async;
        requests.push(Request {
            function: JOB.name,
            payload: call.payload,
            keyed: true,
            sync,
            answers,
            ..Request::default()
        });
    }
    drained(&rest, Duration::from_secs(30)).await;
    let records = records(&rest).await;
    let starts = ledger.starts().expect("a whole ledger");
    let wrong = check(&History {
        programs: &[JOB],
        requests: &requests,
        records: &records,
        starts: &starts,
        kills: &[],
        harm: None,
        ended: &[],
        max_lost: 0,
        unwritten: Duration::ZERO,
        urls: Urls::default(),
    });
    assert_eq!(wrong, [""; 0]);
    assert_eq!((records.len(), starts.len()), (3, 3));
}

#[tokio::test]
async fn a_server_that_stood_still_for_a_while_goes_on_where_it_was() {
    let server = Server::start().await;
    let rest = server.rest().await;
    rest.apply(&shell("steady", "sleep 0.3; cat")).await;
    let mut ids = Vec::new();
    for number in 0..30 {
        ids.push(rest.invoke_async("steady", format!("{number}")).await);
    }
    server.signal(Signal::STOP);
    sleep(Duration::from_secs(3)).await;
    server.signal(Signal::CONT);
    for id in ids {
        let record = rest.ended(&id).await;
        assert_eq!(
            (record["state"].as_str(), record["attempt"].as_u64()),
            (Some("SUCCEEDED"), Some(1)),
            "{record}"
        );
    }
}

#[tokio::test]
async fn a_server_without_descriptors_refuses_and_recovers() {
    let server = Server::start().await;
    let rest = server.rest().await;
    rest.apply(&shell("echo", "cat")).await;
    assert_eq!(rest.invoke("echo", "before").await.text(), "before");
    let pid = Pid::from_raw(server.front_pid().cast_signed());
    let few = Rlimit { current: Some(64), maximum: getrlimit(Resource::Nofile).maximum };
    let before = prlimit(pid, Resource::Nofile, few).expect("a limit");

    // More than it can accept: the rest waits in the listen queue.
    let address = ("127.0.0.1", server.port());
    let crowd = join_all((0..100).map(|_| TcpStream::connect(address))).await;
    assert!(crowd.iter().all(Result::is_ok), "{crowd:?}");
    until("no descriptor is left", Duration::from_secs(10), async || {
        server.stderr().contains("failed to accept a connection").then_some(())
    })
    .await;
    // The client's own connection stands: calls that need descriptors fail politely or work.
    let squeezed = rest.request("POST", "/v1/functions/echo:invoke?wait=5s").body("squeezed").try_send();
    let squeezed = tokio::time::timeout(Duration::from_secs(10), squeezed).await;
    println!("without descriptors: {squeezed:?}");
    if let Ok(Ok(answer)) = squeezed {
        assert!(matches!(answer.status, 200 | 429 | 502 | 503), "{answer:?}");
    }
    drop(crowd);
    prlimit(pid, Resource::Nofile, before).expect("a limit");
    let healthy = async || {
        let answer = server.anonymous().request("GET", "/readyz").try_send();
        let answer = tokio::time::timeout(Duration::from_secs(1), answer).await.ok()?.ok()?;
        (answer.status == 200).then_some(())
    };
    until("it is well again", Duration::from_secs(15), healthy).await;
    assert_eq!(rest.invoke("echo", "after").await.text(), "after");
    until("both are recorded", Duration::from_secs(10), async || {
        (list(&rest, "state=SUCCEEDED").await.len() >= 2).then_some(())
    })
    .await;
}

/// A server that was killed may leave its port for a moment to a child that it was about to start.
#[tokio::test]
async fn a_port_that_becomes_free_soon_is_waited_for() {
    if !only_local("a cluster starts its pods again") {
        return;
    }
    let mut server = Server::start().await;
    let port = server.port();
    server.kill().await;
    let inherited = until("the port is free", Duration::from_secs(5), async || {
        let socket = TcpSocket::new_v4().ok()?;
        socket.set_reuseaddr(true).ok()?;
        socket.bind((Ipv4Addr::LOCALHOST, port).into()).ok()?;
        socket.listen(1).ok()
    });
    let inherited = inherited.await;
    let ended = async {
        sleep(Duration::from_millis(500)).await;
        drop(inherited);
    };
    futures::future::join(server.restart(), ended).await;
    assert_eq!(server.anonymous().get("/readyz").await.status, 200);
}
