use crate::support::{eventually, pids, room, room_with, runs, sh, sh_with};
use eventflow_domain::logs::Stream;
use eventflow_domain::ports::{LogSink, Runtime as _};
use eventflow_domain::quantity::Memory;
use eventflow_domain::{ErrorKind, Reason};
use eventflow_testkit::FunctionBuilder;
use eventflow_testkit::contract::runtime::{CountingSink, call, output};
use pretty_assertions::assert_eq;
use std::fs;
use std::sync::Arc;
use std::time::Duration;

#[tokio::test]
async fn the_payload_is_a_file_and_stdin_and_the_result_file_is_the_result() {
    let room = room();
    let script = "cat $EVENTFLOW_PAYLOAD_FILE - > $EVENTFLOW_RESULT_FILE; echo printed; pwd";
    let (ran, logs) = room.run(call(&sh(script), "[1]")).await;
    let content = output(ran);
    assert_eq!(
        (content.bytes.as_ref(), content.content_type.as_deref()),
        (&b"[1][1]"[..], Some("text/plain; charset=utf-8"))
    );
    assert_eq!(logs.lines(Stream::Stdout)[0], "printed");
    assert!(logs.lines(Stream::Stdout)[1].contains("/work/scratch/"), "it runs in a folder of its own");
    assert_eq!((room.scratch_folders(), room.records()), (0, 0), "nothing is left");
}

#[tokio::test]
async fn a_json_result_says_so_and_an_empty_result_file_is_an_empty_result() {
    let room = room();
    let content = output(room.sh("echo '{\"a\": 1}'").await.0);
    assert_eq!(content.content_type.as_deref(), Some("application/json"));
    let content = output(room.sh("echo ignored; : > $EVENTFLOW_RESULT_FILE").await.0);
    assert_eq!((content.bytes.len(), content.content_type), (0, None));
}

#[tokio::test]
async fn a_result_over_the_limit_is_refused_and_not_cut() {
    let room = room_with(|config| config.bounds.result = 1000);
    let (ran, _) = room.sh("head -c 1001 /dev/zero > $EVENTFLOW_RESULT_FILE").await;
    assert_eq!((ran.output, ran.failure.expect("a failure").reason), (None, Reason::ResultTooLarge));
    assert_eq!(output(room.sh("head -c 1000 /dev/zero > $EVENTFLOW_RESULT_FILE").await.0).bytes.len(), 1000);
}

#[tokio::test]
async fn the_environment_holds_what_is_allowed_and_nothing_else() {
    let room = room_with(|config| {
        config.base_env = vec![("PATH".into(), "/usr/bin:/bin".into()), ("TZ".into(), "UTC".into())];
    });
    let mut call = call(&sh("env | cut -d= -f1 | sort | tr '\\n' ' '"), "");
    call.env = Arc::new([
        ("MINE".to_owned(), "1".to_owned()),
        ("EVENTFLOW_ATTEMPT".to_owned(), "forged".to_owned()),
    ]);
    let text = output(room.run(call).await.0).bytes;
    assert_eq!(
        String::from_utf8_lossy(&text).trim(),
        "EVENTFLOW_ATTEMPT EVENTFLOW_FUNCTION EVENTFLOW_INVOCATION_ID EVENTFLOW_PAYLOAD_FILE EVENTFLOW_RESULT_FILE \
         EVENTFLOW_VERSION HOME MINE PATH PWD TMPDIR TRACEPARENT TZ"
    );
}

#[tokio::test]
async fn no_secret_shows_in_the_command_line_or_the_environment_of_the_launcher() {
    let room = room();
    let script = "launcher=$(cut -d' ' -f4 /proc/$$/stat); cat /proc/$launcher/cmdline /proc/$launcher/environ | tr '\\0' '\\n'";
    let mut call = call(&sh(script), "");
    call.env = Arc::new([("PASSWORD".to_owned(), "canary-7d1".to_owned())]);
    let seen = String::from_utf8_lossy(&output(room.run(call).await.0).bytes).into_owned();
    assert!(seen.contains("eventflow-exec-child") && !seen.contains("canary-7d1"), "{seen}");
}

#[tokio::test]
async fn a_signal_that_we_did_not_send_is_told() {
    let (ran, _) = room().sh("kill -SEGV $$").await;
    let failure = ran.failure.expect("a failure");
    assert_eq!((failure.reason, ran.exit_code), (Reason::Signal, None));
    assert_eq!(failure.message, "ended by signal 11 (SIGSEGV)");
}

#[tokio::test]
async fn what_cannot_be_started_says_why() {
    let room = room();
    let broken = room.file("broken");
    fs::write(&broken, "#!/no/such/interpreter\n").expect("is written");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(&broken, mode).expect("is set");
    for (program, cause) in [
        ("no-such-program", "command not found on PATH"),
        ("/no/such/program", "no such file"),
        ("/etc/passwd", "permission denied"),
        (broken.to_str().expect("UTF-8"), "interpreter"),
    ] {
        let version = FunctionBuilder::new("job").command([program]).version();
        let (ran, _) = room.run(call(&version, "")).await;
        let failure = ran.failure.expect("a failure");
        assert_eq!(failure.reason, Reason::StartFailed, "{program}");
        assert!(failure.message.contains(cause), "{program}: {}", failure.message);
    }
    assert_eq!(room.scratch_folders(), 0);
}

#[tokio::test]
async fn at_the_timeout_the_whole_group_goes_even_where_it_ignores_sigterm() {
    let room = room();
    let file = room.file("pids");
    let script = format!(
        "trap '' TERM; sleep 100 & echo $$ > {0}; echo $! >> {0}; while :; do sleep 1; done",
        file.display()
    );
    let mut call = call(&sh(&script), "");
    call.timeout = Duration::from_millis(300);
    let (ran, _) = room.run(call).await;
    assert_eq!(ran.failure.expect("a failure").reason, Reason::Timeout);
    for pid in pids(&file, 2).await {
        assert!(!runs(pid), "{pid} still runs");
    }
}

#[tokio::test]
async fn sigterm_comes_first_and_leaves_time_to_say_goodbye() {
    let mut call =
        call(&sh("trap 'echo goodbye; exit 0' TERM; echo ready; while :; do sleep 0.01; done"), "");
    call.timeout = Duration::from_millis(300);
    let (ran, logs) = room().run(call).await;
    assert_eq!((ran.failure.expect("a failure").reason, ran.exit_code), (Reason::Timeout, None));
    assert_eq!(logs.lines(Stream::Stdout), ["ready", "goodbye"]);
}

#[tokio::test]
async fn a_grandchild_that_holds_the_pipes_does_not_hold_the_call() {
    let room = room();
    let file = room.file("pids");
    let script = format!(
        "setsid sleep 100 & (setsid sleep 100 & echo $! >> {0}); echo $! >> {0}; echo done",
        file.display()
    );
    let run = room.sh(&script);
    let (ran, _) =
        tokio::time::timeout(Duration::from_secs(5), run).await.expect("should not wait for the sleep");
    assert_eq!(output(ran).bytes, "done\n");
    for pid in pids(&file, 2).await {
        assert!(!runs(pid), "{pid} should have gone with its parent");
    }
}

#[tokio::test]
async fn a_memory_hog_is_ended_as_out_of_memory() {
    let hog = "x = []\nwhile True: x.append(bytearray(b'x' * (1 << 20)))";
    let version = FunctionBuilder::new("hog")
        .command(["python3", "-c", hog])
        .with(|spec| spec.resources.memory = Memory(64 << 20))
        .version();
    let (ran, _) = room().run(call(&version, "")).await;
    let failure = ran.failure.expect("a failure");
    assert_eq!(failure.reason, Reason::OutOfMemory, "{}", failure.message);
    assert!(failure.message.contains("64 MiB"), "{}", failure.message);
}

#[tokio::test]
async fn memory_is_counted_over_all_processes_of_a_call() {
    let hog = "import time\nx = bytearray(b'x' * (40 << 20))\ntime.sleep(100)";
    let script = format!("for i in 1 2 3; do python3 -c \"{hog}\" & done; wait");
    let version = sh_with(&script, |spec| spec.resources.memory = Memory(100 << 20));
    let (ran, _) = room().run(call(&version, "")).await;
    assert_eq!(ran.failure.expect("a failure").reason, Reason::OutOfMemory);
}

#[tokio::test]
async fn runtimes_that_reserve_much_address_space_still_start() {
    let version = FunctionBuilder::new("node").command(["node", "-e", "console.log('hello')"]).version();
    let room = room();
    if !room.runtime.prepare(&version).await.is_ready() {
        eprintln!("skipped: no node on PATH");
        return;
    }
    assert_eq!(output(room.run(call(&version, "")).await.0).bytes, "hello\n");
}

/// 100 MiB through a sink that keeps nothing: what this process holds stays what it was.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn printing_100_mib_keeps_memory_flat() {
    let room = room();
    let sink = Arc::new(CountingSink::default());
    let before = resident();
    let version = sh("head -c 104857600 /dev/zero");
    let ran = room.runtime.run(call(&version, ""), Arc::clone(&sink) as Arc<dyn LogSink>).await;
    assert_eq!(output(ran).bytes.len(), 1 << 20);
    assert_eq!(sink.bytes(), 100 << 20);
    let grown = resident().saturating_sub(before);
    assert!(grown < 48 << 20, "grew by {} MiB", grown >> 20);
}

fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("is readable");
    let kib = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("is there");
    kib.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") << 10
}

#[tokio::test]
async fn a_dropped_run_leaves_no_process_and_no_folder() {
    let room = room();
    let file = room.file("pids");
    let script = format!("sleep 100 & echo $$ > {0}; echo $! >> {0}; wait", file.display());
    let version = sh(&script);
    let pids = tokio::select! {
        _ = room.run(call(&version, "")) => panic!("should not end by itself"),
        pids = pids(&file, 2) => pids,
    };
    eventually("all processes are gone", || !pids.iter().any(|pid| runs(*pid))).await;
    eventually("the folder and the record are gone", || room.scratch_folders() + room.records() == 0).await;
}

#[tokio::test]
async fn a_killed_launcher_fails_the_call_and_the_command_goes_too() {
    let room = room();
    let file = room.file("pids");
    let script = format!("echo $$ > {}; sleep 0.2; kill -9 $PPID; exec sleep 100", file.display());
    let (ran, _) = room.sh(&script).await;
    assert_eq!(ran.failure.expect("a failure").reason, Reason::Internal);
    let pids = pids(&file, 1).await;
    eventually("the command is gone", || !runs(pids[0])).await;
}

#[tokio::test]
async fn a_spec_that_no_process_can_be_is_refused_with_its_field() {
    let room = room();
    for (command, field) in [(vec![], "command"), (vec!["./run.sh"], "command"), (vec!["a\0b"], "command")] {
        let version =
            sh_with("", |spec| spec.command = command.iter().map(|word| (*word).to_owned()).collect());
        let error = room.runtime.check(&version).await.expect_err("should be refused");
        assert_eq!(
            (error.kind(), error.field_violations()[0].field.as_str()),
            (ErrorKind::Invalid, field),
            "{command:?}"
        );
    }
    let image = sh_with("", |spec| spec.image = Some(eventflow_domain::spec::Image::Oci("nginx".to_owned())));
    assert_eq!(
        room.runtime.check(&image).await.expect_err("should be refused").field_violations()[0].field,
        "image"
    );
    room.runtime.check(&sh("true")).await.expect("is fine");
}

#[tokio::test]
async fn a_function_whose_command_is_missing_is_not_ready_and_says_what_to_do() {
    let version = FunctionBuilder::new("job").command(["no-such-program"]).version();
    let readiness = room().runtime.prepare(&version).await;
    let ready = &readiness.conditions[0];
    assert!(!readiness.is_ready());
    assert_eq!(ready.reason, "CommandNotFound");
    assert!(ready.message.contains("install it or give its full path"), "{}", ready.message);
}
