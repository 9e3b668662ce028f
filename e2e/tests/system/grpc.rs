use eventflow_e2e::Server;
use eventflow_e2e::grpc::web;
use eventflow_e2e::support::{ECHO_WAT, echo, shell, shell_with};
use eventflow_e2e::wait::{SOON, within};
use eventflow_proto::api::HttpBody;
use eventflow_proto::prost_types::Duration;
use eventflow_proto::v1::{self, InvocationState, WatchEventType};
use serde_json::json;
use tonic::Code;

fn function(name: &str, script: &str) -> v1::Function {
    v1::Function {
        name: name.to_owned(),
        runtime: v1::Runtime::Process.into(),
        command: ["/bin/sh", "-c", script].map(str::to_owned).to_vec(),
        ..v1::Function::default()
    }
}

fn apply(function: v1::Function) -> v1::ApplyFunctionRequest {
    v1::ApplyFunctionRequest { function: Some(function), ..Default::default() }
}

fn invoke(name: &str, payload: &str, wait: Option<i64>) -> v1::InvokeFunctionRequest {
    v1::InvokeFunctionRequest {
        name: name.to_owned(),
        payload: Some(HttpBody {
            content_type: "text/plain".to_owned(),
            data: payload.to_owned().into(),
            extensions: Vec::new(),
        }),
        wait: wait.map(|seconds| Duration { seconds, nanos: 0 }),
        ..Default::default()
    }
}

fn named(name: &str) -> v1::GetFunctionRequest {
    v1::GetFunctionRequest { name: name.to_owned(), ..Default::default() }
}

#[tokio::test]
async fn every_rpc_of_functions_works_for_a_generated_client() {
    let server = Server::start().await;
    let mut functions = server.grpc().await.functions();
    let made = functions.apply_function(apply(function("a", "exec cat"))).await.unwrap().into_inner();
    assert!(made.created && made.changed && made.function.unwrap().version() == 1);
    let same = functions.apply_function(apply(function("a", "exec cat"))).await.unwrap().into_inner();
    assert!(!same.created && !same.changed, "{same:?}");
    let twice = v1::ApplyFunctionRequest { create_only: true, ..apply(function("a", "exec cat")) };
    assert_eq!(functions.apply_function(twice).await.unwrap_err().code(), Code::AlreadyExists);
    let stale = v1::ApplyFunctionRequest { etag: "stale".to_owned(), ..apply(function("a", "exec cat")) };
    assert_eq!(functions.apply_function(stale).await.unwrap_err().code(), Code::Aborted);

    let list = functions.list_functions(v1::ListFunctionsRequest::default()).await.unwrap().into_inner();
    assert_eq!(list.functions.len(), 1);
    let called = functions.invoke_function(invoke("a", "by gRPC", Some(30))).await.unwrap().into_inner();
    assert_eq!(
        (called.state(), called.result.unwrap().data.as_ref()),
        (InvocationState::Succeeded, &b"by gRPC"[..])
    );
    let accepted = functions.invoke_function(invoke("a", "", None)).await.unwrap().into_inner();
    assert!(accepted.state() == InvocationState::Queued && accepted.id.len() == 36, "{accepted:?}");

    let pause = v1::PauseFunctionRequest { name: "a".to_owned(), ..Default::default() };
    let paused = functions.pause_function(pause).await.unwrap().into_inner().function.unwrap();
    assert_eq!(paused.state(), v1::FunctionState::Paused);
    let refused = functions.invoke_function(invoke("a", "", None)).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition, "{refused:?}");
    let resume = v1::ResumeFunctionRequest { name: "a".to_owned(), ..Default::default() };
    functions.resume_function(resume).await.unwrap();

    functions.apply_function(apply(function("a", "echo two"))).await.unwrap();
    let rollback = v1::RollbackFunctionRequest { name: "a".to_owned(), version: 1, ..Default::default() };
    let back = functions.rollback_function(rollback).await.unwrap().into_inner().function.unwrap();
    assert_eq!(back.version(), 3);
    let versions = v1::ListVersionsRequest { name: "a".to_owned(), ..Default::default() };
    let versions = functions.list_versions(versions).await.unwrap().into_inner().versions;
    assert_eq!(versions.iter().map(|v| v.version).collect::<Vec<_>>(), [3, 2, 1]);
    let read = functions.get_function(named("a")).await.unwrap().into_inner().function.unwrap();
    assert!(read.stats.is_some(), "{read:?}");

    let delete = v1::DeleteFunctionRequest { name: "a".to_owned(), ..Default::default() };
    functions.delete_function(delete).await.unwrap();
    let gone = functions.get_function(named("a")).await.unwrap_err();
    assert_eq!(gone.code(), Code::NotFound);
}

#[tokio::test]
async fn a_functions_own_failure_is_ok_with_its_state() {
    let server = Server::start().await;
    server.rest().await.apply(&shell("fails", "exit 9")).await;
    let mut functions = server.grpc().await.functions();
    let answer =
        functions.invoke_function(invoke("fails", "", Some(30))).await.expect("no Status").into_inner();
    assert_eq!(answer.state(), InvocationState::Failed);
    let record = answer.invocation.expect("the record");
    assert_eq!(
        (record.reason.as_str(), record.attempts.first().and_then(|a| a.exit_code)),
        ("ExitCode", Some(9))
    );
}

#[tokio::test]
async fn every_rpc_of_invocations_works_for_a_generated_client() {
    let server = Server::start().await;
    let grpc = server.grpc().await;
    let rest = server.rest().await;
    rest.apply(&shell("a", "echo said >&2; exec cat")).await;
    rest.apply(&shell("dead", "exit 1")).await;
    let mut calls = grpc.invocations();
    let accepted = grpc.functions().invoke_function(invoke("a", "payload", None)).await.unwrap().into_inner();
    let id = accepted.id;
    let get = v1::GetInvocationRequest {
        id: id.clone(),
        wait: Some(Duration { seconds: 20, nanos: 0 }),
        ..Default::default()
    };
    let record = calls.get_invocation(get).await.unwrap().into_inner().invocation.unwrap();
    assert_eq!((record.state(), record.result_text.as_str()), (InvocationState::Succeeded, "payload"));
    let result = v1::GetInvocationResultRequest { id: id.clone(), ..Default::default() };
    assert_eq!(
        calls.get_invocation_result(result).await.unwrap().into_inner().result.unwrap().data,
        "payload"
    );
    let payload = v1::GetInvocationPayloadRequest { id: id.clone(), ..Default::default() };
    assert_eq!(
        calls.get_invocation_payload(payload).await.unwrap().into_inner().payload.unwrap().data,
        "payload"
    );
    let logs = v1::StreamInvocationLogsRequest { id: id.clone(), follow: true, ..Default::default() };
    let mut logs = calls.stream_invocation_logs(logs).await.unwrap().into_inner();
    let line = within("a line", SOON, logs.message()).await.unwrap().unwrap().line.unwrap();
    assert_eq!((line.text.as_str(), line.stream()), ("said", v1::LogStream::Stderr));

    let replay = v1::ReplayInvocationRequest { id: id.clone(), ..Default::default() };
    let replayed = calls.replay_invocation(replay).await.unwrap().into_inner().invocation.unwrap();
    assert_eq!(replayed.replay_of, id);
    rest.ended(&replayed.id).await;
    let delayed = v1::InvokeFunctionRequest {
        delay: Some(Duration { seconds: 3600, nanos: 0 }),
        ..invoke("a", "", None)
    };
    let later = grpc.functions().invoke_function(delayed.clone()).await.unwrap().into_inner().id;
    let cancel = v1::CancelInvocationRequest { id: later.clone(), ..Default::default() };
    let cancelled = calls.cancel_invocation(cancel).await.unwrap().into_inner().invocation.unwrap();
    assert_eq!(cancelled.state(), InvocationState::Cancelled);
    grpc.functions().invoke_function(delayed).await.unwrap();
    let filter = Some(v1::InvocationFilter { function: "a".to_owned(), ..Default::default() });
    let bulk = v1::CancelInvocationsRequest { filter, ..Default::default() };
    assert_eq!(calls.cancel_invocations(bulk).await.unwrap().into_inner().count, 1);

    for _ in 0..2 {
        let failed = rest.invoke_async("dead", "").await;
        rest.ended(&failed).await;
    }
    let filter = Some(v1::InvocationFilter { function: "dead".to_owned(), ..Default::default() });
    let redrive =
        v1::RedriveInvocationsRequest { filter: filter.clone(), dry_run: true, ..Default::default() };
    assert_eq!(calls.redrive_invocations(redrive).await.unwrap().into_inner().count, 2);
    let discard = v1::DiscardInvocationsRequest { filter, ..Default::default() };
    assert_eq!(calls.discard_invocations(discard).await.unwrap().into_inner().count, 2);
    let list = v1::ListInvocationsRequest { function: "dead".to_owned(), ..Default::default() };
    let listed = calls.list_invocations(list).await.unwrap().into_inner().invocations;
    assert!(listed.len() == 2 && listed.iter().all(|record| !record.dead_letter), "{listed:?}");
}

#[tokio::test]
async fn watches_and_logs_stream_to_a_generated_client() {
    let server = Server::start().await;
    let grpc = server.grpc().await;
    let mut functions =
        grpc.functions().watch_functions(v1::WatchFunctionsRequest::default()).await.unwrap().into_inner();
    let first = within("an event", SOON, functions.message()).await.unwrap().unwrap();
    assert_eq!(first.r#type(), WatchEventType::Synced);
    let watch = v1::WatchInvocationsRequest::default();
    let mut calls = grpc.invocations().watch_invocations(watch).await.unwrap().into_inner();
    assert_eq!(
        within("an event", SOON, calls.message()).await.unwrap().unwrap().r#type(),
        WatchEventType::Synced
    );

    server.rest().await.apply(&shell("a", "echo live")).await;
    let change = within("a change", SOON, functions.message()).await.unwrap().unwrap();
    assert_eq!(change.function.unwrap().name, "a");
    let follow = v1::StreamLogsRequest { name: "a".to_owned(), follow: true, ..Default::default() };
    let mut logs = grpc.functions().stream_logs(follow).await.unwrap().into_inner();
    let id = grpc.functions().invoke_function(invoke("a", "", None)).await.unwrap().into_inner().id;
    let line = within("a line", SOON, logs.message()).await.unwrap().unwrap().line.unwrap();
    assert_eq!((line.text.as_str(), &line.invocation_id), ("live", &id));
    let event = within("a call", SOON, calls.message()).await.unwrap().unwrap();
    assert_eq!(event.invocation.unwrap().id, id);
}

#[tokio::test]
async fn artifacts_configs_and_callers_are_served_over_grpc() {
    let server = Server::start().await;
    let grpc = server.grpc().await;
    let half = ECHO_WAT.len() / 2;
    let pieces = [&ECHO_WAT[..half], &ECHO_WAT[half..]].map(|piece| v1::UploadArtifactRequest {
        chunk: Some(HttpBody { data: piece.to_owned().into(), ..HttpBody::default() }),
        ..Default::default()
    });
    let stored = grpc.artifacts().upload_artifact(futures::stream::iter(pieces)).await.unwrap().into_inner();
    assert_eq!(stored.size, ECHO_WAT.len() as i64);
    let wasm = v1::Function {
        name: "w".to_owned(),
        runtime: v1::Runtime::Wasm.into(),
        image: format!("artifact@{}", stored.digest),
        ..v1::Function::default()
    };
    grpc.functions().apply_function(apply(wasm)).await.unwrap();
    let echoed = grpc.functions().invoke_function(invoke("w", "lean", Some(30))).await.unwrap().into_inner();
    assert_eq!(echoed.result.unwrap().data, "lean");

    let data = Some(v1::ConfigData { values: [("A".to_owned(), "1".to_owned())].into() });
    let put = v1::PutSecretRequest { name: "s".to_owned(), data: data.clone(), ..Default::default() };
    grpc.configs().put_secret(put).await.unwrap();
    grpc.configs()
        .put_config(v1::PutConfigRequest { name: "c".to_owned(), data, ..Default::default() })
        .await
        .unwrap();
    let secrets = grpc.configs().list_secrets(v1::ListSecretsRequest::default()).await.unwrap().into_inner();
    assert_eq!(secrets.entries.first().map(|entry| entry.keys.clone()), Some(vec!["A".to_owned()]));
    let configs = grpc.configs().list_configs(v1::ListConfigsRequest::default()).await.unwrap().into_inner();
    assert_eq!(configs.entries.len(), 1);
    grpc.configs()
        .delete_secret(v1::DeleteSecretRequest { name: "s".to_owned(), ..Default::default() })
        .await
        .unwrap();
    grpc.configs()
        .delete_config(v1::DeleteConfigRequest { name: "c".to_owned(), ..Default::default() })
        .await
        .unwrap();

    let caller = grpc.auth().get_caller(v1::GetCallerRequest {}).await.unwrap().into_inner();
    assert_eq!((caller.subject.as_str(), caller.grants[0].role.as_str()), ("admin", "admin"));
    let anonymous = grpc.with_token(None);
    let refused = anonymous.functions().get_function(named("w")).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
}

#[tokio::test]
async fn a_large_payload_passes_over_grpc() {
    let server = Server::start().await;
    server
        .rest()
        .await
        .apply(&shell("back", "cat \"$EVENTFLOW_PAYLOAD_FILE\" > \"$EVENTFLOW_RESULT_FILE\""))
        .await;
    let mut request = invoke("back", "", Some(30));
    let payload: bytes::Bytes = vec![0xA5; 6 << 20].into();
    request.payload.as_mut().unwrap().data = payload.clone();
    let answer = server.grpc().await.functions().invoke_function(request).await.unwrap().into_inner();
    assert!(answer.result.unwrap().data == payload, "the result differs");
}

#[tokio::test]
async fn grpc_web_calls_answer_with_messages_and_a_trailers_frame() {
    let server = Server::start().await;
    let rest = server.rest().await;
    rest.apply(&echo("a")).await;
    let unary = web::<v1::InvokeFunctionResponse>(
        &rest,
        "/eventflow.v1.FunctionService/InvokeFunction",
        &invoke("a", "web", Some(30)),
    )
    .await;
    assert!(unary.http.header("content-type").starts_with("application/grpc-web+proto"), "{unary:?}");
    assert_eq!(
        unary.messages.first().and_then(|m| m.result.clone()).map(|r| r.data),
        Some("web".into()),
        "{unary:?}"
    );
    assert_eq!(unary.trailers.get("grpc-status").map(String::as_str), Some("0"), "{unary:?}");

    let id = unary.messages[0].id.clone();
    rest.ended(&id).await;
    rest.apply(&shell("talks", "echo one; echo two")).await;
    let id = rest.invoke_async("talks", "").await;
    rest.ended(&id).await;
    let logs = v1::StreamInvocationLogsRequest { id, ..Default::default() };
    let stream = web::<v1::StreamInvocationLogsResponse>(
        &rest,
        "/eventflow.v1.InvocationService/StreamInvocationLogs",
        &logs,
    )
    .await;
    let texts: Vec<_> = stream.messages.iter().map(|m| m.line.clone().unwrap().text).collect();
    assert_eq!(
        (texts, stream.trailers.get("grpc-status").map(String::as_str)),
        (vec!["one".to_owned(), "two".to_owned()], Some("0"))
    );

    let missing =
        web::<v1::GetFunctionResponse>(&rest, "/eventflow.v1.FunctionService/GetFunction", &named("nobody"))
            .await;
    assert_eq!(missing.trailers.get("grpc-status").map(String::as_str), Some("5"), "{missing:?}");
    assert!(missing.trailers.contains_key("grpc-status-details-bin"), "the reason is there too: {missing:?}");
}

#[tokio::test]
async fn a_browser_may_read_grpc_status_across_origins_that_are_configured() {
    let server = Server::options().set("gateway.origins=https://console.example").start().await;
    let rest = server.rest().await;
    let path = "/eventflow.v1.FunctionService/ListFunctions";
    let preflight = rest.without_token().request("OPTIONS", path).header("origin", "https://console.example");
    let preflight = preflight.header("access-control-request-method", "POST");
    let asked = "authorization,content-type,x-grpc-web,x-user-agent,grpc-timeout";
    let answer = preflight.header("access-control-request-headers", asked).send().await;
    assert!(matches!(answer.status, 200 | 204), "{answer:?}");
    assert_eq!(answer.header("access-control-allow-origin"), "https://console.example");
    let allowed = answer.header("access-control-allow-headers").to_ascii_lowercase();
    for name in asked.split(',') {
        assert!(allowed.contains(name), "{name} is not in {allowed}");
    }
    let call = rest.request("POST", path).header("origin", "https://console.example");
    let answer = call
        .header("content-type", "application/grpc-web+proto")
        .body(eventflow_e2e::grpc::web_frame(&v1::ListFunctionsRequest::default()))
        .send()
        .await;
    let exposed = answer.header("access-control-expose-headers").to_ascii_lowercase();
    for name in ["grpc-status", "grpc-message", "grpc-status-details-bin"] {
        assert!(exposed.split(',').any(|one| one.trim() == name), "{name} is not in {exposed}");
    }
}

#[tokio::test]
async fn a_deadline_ends_a_call_and_bad_ones_are_refused() {
    let server = Server::start().await;
    server.rest().await.apply(&shell_with("slow", "sleep 20", json!({}))).await;
    let mut functions = server.grpc().await.functions();
    let mut request = tonic::Request::new(invoke("slow", "", Some(20)));
    request.metadata_mut().insert("grpc-timeout", "300m".parse().unwrap());
    let ended = within("the deadline", SOON, functions.invoke_function(request)).await;
    match ended {
        Err(status) => {
            assert!(matches!(status.code(), Code::DeadlineExceeded | Code::Cancelled), "{status:?}");
        }
        // The wait is cut to the deadline: then the call is accepted work.
        Ok(answer) => {
            assert!(matches!(answer.get_ref().state(), InvocationState::Running | InvocationState::Queued));
        }
    }
    for bad in ["-1S", "soon", "5", "123456789S"] {
        let mut request = tonic::Request::new(named("slow"));
        request.metadata_mut().insert("grpc-timeout", bad.parse().unwrap());
        let status = functions.get_function(request).await.expect_err(bad);
        assert!(matches!(status.code(), Code::InvalidArgument | Code::DeadlineExceeded), "{bad}: {status:?}");
    }
}
