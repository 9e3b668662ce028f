//! Runs, one container each.

use crate::support::{call, eventually, podman, room, sh, sh_with};
use eventflow_domain::logs::Stream;
use eventflow_domain::ports::Runtime as _;
use eventflow_domain::quantity::Memory;
use eventflow_domain::spec::{Image, PodSecurity};
use eventflow_domain::{Reason, Timestamp};
use eventflow_testkit::contract::runtime::output;
use eventflow_testkit::servers::podman::Podman;
use pretty_assertions::assert_eq;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_mebibytes_go_in_as_a_file_and_come_out_as_one() {
    let Some(room) = room().await else { return };
    let payload: Vec<u8> = (0..=255u8).cycle().take(20 << 20).collect();
    let version = sh("cp $EVENTFLOW_PAYLOAD_FILE $EVENTFLOW_RESULT_FILE; echo done");
    let (ran, logs) = room.run(call(&version, payload.clone())).await;
    assert!(ran.started_at > Timestamp::from_micros(0));
    assert!(output(ran).bytes == payload, "the same bytes come back");
    assert_eq!(logs.lines(Stream::Stdout), ["done"]);
    assert_eq!(
        logs.lines(Stream::System),
        ["in a cluster a result file of 4 KiB or more needs `result: file`"]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_result_over_the_limit_is_never_cut() {
    let Some(podman) = podman() else { return };
    let mut config = crate::support::config(&podman.socket(), &crate::support::unique(), 1);
    config.bounds.result = 1000;
    let room = crate::support::room_on(config).await;
    let (ran, _) = room.sh("head -c 1001 /dev/zero > $EVENTFLOW_RESULT_FILE").await;
    assert_eq!(ran.failure.expect("a failure").reason, Reason::ResultTooLarge);
    let (ran, _) = room.sh("head -c 200000 /dev/zero > $EVENTFLOW_RESULT_FILE").await;
    assert_eq!(ran.failure.expect("a failure").reason, Reason::ResultTooLarge);
    let (ran, _) = room.sh("head -c 1000 /dev/zero > $EVENTFLOW_RESULT_FILE").await;
    assert_eq!(output(ran).bytes.len(), 1000);
    let (ran, _) = room.sh("ln -s /etc/passwd $EVENTFLOW_RESULT_FILE; mkfifo /eventflow/out/pipe").await;
    assert!(
        !ran.output.is_some_and(|output| output.content.bytes.starts_with(b"root:")),
        "a link leads nowhere"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_container_is_gone_once_its_run_has_ended_and_its_volume_with_it() {
    let Some(room) = room().await else { return };
    let podman = podman().expect("is there");
    let version = sh("echo hi");
    let first = call(&version, "");
    let tail = first.invocation.short();
    let (ran, _) = room.run(first).await;
    assert_eq!((ran.failure.clone(), ran.exit_code), (None, Some(0)));
    eventually("its container is gone", || !podman.containers().iter().any(|name| name.contains(&tail)))
        .await;
    let volumes = podman.podman(["volume", "ls", "--format", "{{.Labels}}"]);
    assert!(!volumes.contains(&tail), "{volumes}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_much_memory_ends_a_run_as_out_of_memory() {
    let Some(room) = room().await else { return };
    let version = sh_with("x=$(head -c 200m /dev/zero | tr '\\0' x); echo survived ${#x}", |spec| {
        spec.resources.memory = Memory(32 << 20);
    });
    let (ran, _) = room.run(call(&version, "")).await;
    let failure = ran.failure.expect("a failure");
    assert_eq!(failure.reason, Reason::OutOfMemory, "{}", failure.message);
    assert!(failure.message.contains("32Mi"), "{}", failure.message);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_processes_than_allowed_cannot_be_started() {
    let Some(podman) = podman() else { return };
    let mut config = crate::support::config(&podman.socket(), &crate::support::unique(), 1);
    config.pids = 16;
    let room = crate::support::room_on(config).await;
    let bomb = "i=0; while [ $i -lt 40 ]; do sleep 5 & i=$((i+1)); done; echo all started";
    let (ran, logs) = room.sh(bomb).await;
    let said = logs.lines(Stream::Stderr).join("\n");
    assert!(said.contains("can't fork") || ran.exit_code != Some(0), "{said}");
    assert!(!logs.lines(Stream::Stdout).contains(&"all started".to_owned()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_is_confined() {
    let Some(room) = room().await else { return };
    let script = "grep -E 'CapEff|NoNewPrivs' /proc/self/status; id -u; touch /x 2>/dev/null && echo root is writable; \
                  touch /tmp/x && echo tmp is writable; touch /eventflow/out/x && echo out is writable; \
                  touch /eventflow/in/payload 2>/dev/null && echo payload is writable; ls /sys/class/net";
    let restricted = sh_with(script, |spec| {
        spec.image = Some(Image::Oci(Podman::NOBODY.to_owned()));
        spec.pod.security = Some(PodSecurity::Restricted);
    });
    let (ran, logs) = room.run(call(&restricted, "")).await;
    assert_eq!(ran.failure.map(|failure| failure.message), None);
    let said = logs.lines(Stream::Stdout).join("\n");
    assert!(said.contains("CapEff:\t0000000000000000") && said.contains("NoNewPrivs:\t1"), "{said}");
    assert!(said.contains("65534\ntmp is writable\nout is writable\n"), "{said}");
    assert!(!said.contains("root is") && !said.contains("payload is"), "{said}");
    // A network of its own, not the machine's.
    let interfaces = std::fs::read_dir("/sys/class/net").expect("interfaces").count();
    assert!(
        said.lines().rev().take_while(|line| !line.contains(' ')).count() <= 2 || interfaces <= 2,
        "{said}"
    );

    let baseline = sh_with(script, |_| {});
    let (ran, logs) = room.run(call(&baseline, "")).await;
    assert_eq!(ran.failure.map(|failure| failure.message), None);
    let said = logs.lines(Stream::Stdout).join("\n");
    assert!(said.contains("NoNewPrivs:\t1") && said.contains("root is writable"), "{said}");
    // CAP_NET_RAW is bit 13.
    let caps = said.lines().find_map(|line| line.strip_prefix("CapEff:\t")).expect("capabilities");
    assert_eq!(u64::from_str_radix(caps.trim(), 16).expect("a number") & (1 << 13), 0, "{caps}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_image_that_runs_as_root_does_not_start_restricted() {
    let Some(room) = room().await else { return };
    let version = sh_with("id", |spec| spec.pod.security = Some(PodSecurity::Restricted));
    let readiness = room.runtime.prepare(&version).await;
    assert_eq!(readiness.condition("Ready").expect("a condition").reason, "ImageNeedsRoot");
    let (ran, _) = room.run(call(&version, "")).await;
    let failure = ran.failure.expect("a failure");
    assert_eq!(failure.reason, Reason::StartFailed);
    assert!(failure.message.contains("podSecurity: baseline"), "{}", failure.message);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_started_says_why() {
    let Some(room) = room().await else { return };
    let missing = eventflow_testkit::FunctionBuilder::new("missing").command(["no-such-program"]);
    let missing = missing.with(|spec| spec.image = Some(Image::Oci(Podman::IMAGE.to_owned()))).version();
    let (ran, _) = room.run(call(&missing, "")).await;
    let failure = ran.failure.expect("a failure");
    assert_eq!(failure.reason, Reason::StartFailed);
    assert!(failure.message.contains("no-such-program"), "{}", failure.message);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_image_that_cannot_be_had_is_told_by_the_call_and_by_the_condition() {
    let Some(room) = room().await else { return };
    // Nothing listens there: the engine asks nobody else.
    let image = "localhost:1/nobody/nothing:7";
    for policy in [None, Some("Always"), Some("Never")] {
        let version = sh_with("id", |spec| {
            spec.image = Some(Image::Oci(image.to_owned()));
            spec.pod.image_pull_policy = policy.map(str::to_owned);
        });
        let readiness = room.runtime.prepare(&version).await;
        let ready = readiness.condition("Ready").expect("a condition");
        assert_eq!(ready.reason, "ImagePullFailed", "{policy:?}: {}", ready.message);
        let (ran, _) = room.run(call(&version, "")).await;
        let failure = ran.failure.expect("a failure");
        assert_eq!(failure.reason, Reason::StartFailed);
        assert!(failure.message.starts_with("ImagePullFailed: "), "{}", failure.message);
        assert!(failure.message.contains(image), "{}", failure.message);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_that_takes_too_long_is_a_start_deadline() {
    let Some(room) = room().await else { return };
    let version = sh("echo never");
    let mut late = call(&version, "");
    late.start_deadline = Duration::from_millis(1);
    let (ran, logs) = room.run(late).await;
    let failure = ran.failure.expect("a failure");
    assert_eq!(failure.reason, Reason::StartDeadline, "{}", failure.message);
    assert!(logs.lines(Stream::Stdout).is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_is_asked_to_end_before_it_is_made_to() {
    let Some(room) = room().await else { return };
    let version = sh("trap 'echo goodbye; exit 0' TERM; echo up; while true; do sleep 0.05; done");
    let mut bounded = call(&version, "");
    bounded.timeout = Duration::from_secs(2);
    let (ran, logs) = room.run(bounded).await;
    assert_eq!(ran.failure.expect("a failure").reason, Reason::Timeout);
    assert_eq!(ran.exit_code, None);
    assert_eq!(logs.lines(Stream::Stdout), ["up", "goodbye"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_container_that_somebody_removes_is_no_fault_of_the_function() {
    let Some(room) = room().await else { return };
    let podman = podman().expect("is there");
    let version = sh("echo up; sleep 100");
    let call = call(&version, "");
    let tail = call.invocation.short();
    let run = room.run(call);
    let remove = async {
        let running = || podman.podman(["ps", "--filter", "status=running", "--format", "{{.Names}}"]);
        let name = || running().lines().find(|name| name.contains(&tail)).map(str::to_owned);
        eventually("it runs", || name().is_some()).await;
        podman.podman(["rm", "--force", "--time", "0", &name().expect("it runs")]);
    };
    let ((ran, _), ()) = tokio::join!(run, remove);
    let failure = ran.failure.expect("a failure");
    assert_eq!(failure.reason, Reason::Evicted, "{}", failure.message);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_artifact_or_nothing_is_no_image() {
    let Some(room) = room().await else { return };
    let digest = format!("sha256:{}", "0".repeat(64)).parse().expect("a digest");
    for image in [None, Some(Image::Artifact(digest))] {
        let version = sh_with("id", |spec| spec.image = image);
        let refused = room.runtime.check(&version).await.expect_err("is refused");
        assert!(refused.to_string().contains("image"), "{refused}");
    }
}
