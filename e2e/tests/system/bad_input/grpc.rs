//! The same refusals in gRPC's words: code, reason and fields in the details; never INTERNAL or UNKNOWN (rows 1 to 24).

use super::Scene;
use bytes::{BufMut as _, Bytes, BytesMut};
use eventflow_e2e::Server;
use eventflow_e2e::support::shell;
use eventflow_proto::api::HttpBody;
use eventflow_proto::status::Problem;
use eventflow_proto::v1;
use tonic::{Code, Status};

/// Whether the status is the refusal: its code, its reason, the fields that it names.
fn check(what: &str, status: &Status, code: Code, reason: &str, fields: &[&str]) {
    let problem = Problem::from(status);
    assert_eq!((status.code(), problem.reason.as_str()), (code, reason), "{what}: {status:?}");
    let found: Vec<_> = problem.violations.iter().map(|violation| violation.field.as_str()).collect();
    assert_eq!(found, fields, "{what}: {status:?}");
}

fn process(name: &str) -> v1::Function {
    v1::Function {
        name: name.to_owned(),
        runtime: v1::Runtime::Process.into(),
        command: vec!["cat".to_owned()],
        ..v1::Function::default()
    }
}

fn call(name: &str) -> v1::InvokeFunctionRequest {
    v1::InvokeFunctionRequest { name: name.to_owned(), ..v1::InvokeFunctionRequest::default() }
}

fn with_payload(name: &str, data: Bytes) -> v1::InvokeFunctionRequest {
    let payload = HttpBody { data, ..HttpBody::default() };
    v1::InvokeFunctionRequest { payload: Some(payload), ..call(name) }
}

#[tokio::test]
async fn declarations_that_cannot_be_are_invalid_argument_with_their_fields() {
    let scene = Scene::start().await;
    let mut functions = scene.server.grpc().await.functions();
    let work = async {
        let retry = v1::RetryPolicy { max_attempts: 1_000_000_000, backoff: None };
        let env = [("A=B".to_owned(), String::new())].into();
        for (what, function, fields) in [
            ("a bad name", process("Bad_Name"), &["name"][..]),
            ("NUL", process("a\0"), &["name"]),
            ("a timeout", v1::Function { timeout: "25h".to_owned(), ..process("b") }, &["timeout"]),
            ("attempts", v1::Function { retry: Some(retry), ..process("b") }, &["retry.maxAttempts"]),
            ("a variable", v1::Function { env, ..process("b") }, &["env.A=B"]),
            ("a port", v1::Function { port: Some(-1), ..process("b") }, &["port"]),
            ("no command", v1::Function { command: Vec::new(), ..process("b") }, &["command"]),
        ] {
            let request = v1::ApplyFunctionRequest { function: Some(function), ..Default::default() };
            let refused = functions.apply_function(request).await.expect_err(what);
            check(what, &refused, Code::InvalidArgument, "Invalid", fields);
        }
        let nothing =
            functions.apply_function(v1::ApplyFunctionRequest::default()).await.expect_err("no function");
        check("no function", &nothing, Code::InvalidArgument, "Invalid", &["name"]);
        let odd = v1::Function { runtime: 99, ..process("b") };
        let odd = v1::ApplyFunctionRequest { function: Some(odd), ..Default::default() };
        let odd = functions.apply_function(odd).await.expect_err("an enum's value that is none");
        check("an enum's value that is none", &odd, Code::InvalidArgument, "Invalid", &["runtime"]);
    };
    scene.unchanged(Box::pin(work)).await;
}

#[tokio::test]
async fn calls_that_cannot_be_made_keep_code_and_reason() {
    let scene = Scene::start().await;
    let grpc = scene.server.grpc().await;
    let (mut functions, mut invocations) = (grpc.functions(), grpc.invocations());
    scene.rest.apply(&shell("held", "exec cat")).await;
    assert_eq!(scene.rest.request("POST", "/v1/functions/held:pause").send().await.status, 200);
    let ended = scene.rest.invoke_async("a", "x").await;
    scene.rest.ended(&ended).await;
    let keyed = |key: &str, data: &'static [u8]| v1::InvokeFunctionRequest {
        idempotency_key: key.to_owned(),
        ..with_payload("a", Bytes::from_static(data))
    };
    functions.invoke_function(keyed("k", b"x")).await.unwrap();
    let negative = prost_types::Duration { seconds: -1, nanos: 0 };
    let work = async {
        let long = "k".repeat(256);
        for (what, request, code, reason, fields) in [
            ("nobody", call("nobody"), Code::NotFound, "FunctionNotFound", &[][..]),
            ("no name", call(""), Code::InvalidArgument, "Invalid", &["name"]),
            ("paused", call("held"), Code::FailedPrecondition, "FunctionPaused", &[]),
            ("another payload", keyed("k", b"y"), Code::FailedPrecondition, "KeyReused", &[]),
            ("a long key", keyed(&long, b"x"), Code::InvalidArgument, "Invalid", &["Idempotency-Key"]),
            (
                "a key with control characters",
                keyed("a\nb", b"x"),
                Code::InvalidArgument,
                "Invalid",
                &["Idempotency-Key"],
            ),
            (
                "a negative delay",
                v1::InvokeFunctionRequest { delay: Some(negative), ..call("a") },
                Code::InvalidArgument,
                "Invalid",
                &["delay"],
            ),
            (
                "a negative wait",
                v1::InvokeFunctionRequest { wait: Some(negative), ..call("a") },
                Code::InvalidArgument,
                "Invalid",
                &["wait"],
            ),
            (
                "a version that is not there",
                v1::InvokeFunctionRequest { version: 9, ..call("a") },
                Code::NotFound,
                "VersionNotFound",
                &[],
            ),
        ] {
            let refused = functions.invoke_function(request).await.expect_err(what);
            check(what, &refused, code, reason, fields);
        }
        let cancel = |id: &str| v1::CancelInvocationRequest { id: id.to_owned(), ..Default::default() };
        let late = invocations.cancel_invocation(cancel(&ended)).await.expect_err("it has ended");
        check("it has ended", &late, Code::FailedPrecondition, "WrongState", &[]);
        let odd = invocations.cancel_invocation(cancel("nonsense")).await.expect_err("no id");
        check("no id", &odd, Code::InvalidArgument, "Invalid", &["id"]);
        let list = v1::ListInvocationsRequest { page_size: Some(-1), ..Default::default() };
        let list = invocations.list_invocations(list).await.expect_err("a page of -1");
        check("a page of -1", &list, Code::InvalidArgument, "Invalid", &["pageSize"]);
        let list = v1::ListInvocationsRequest { page_token: "forged".to_owned(), ..Default::default() };
        let list = invocations.list_invocations(list).await.expect_err("a forged token");
        check("a forged token", &list, Code::InvalidArgument, "Invalid", &["pageToken"]);
    };
    scene.unchanged(Box::pin(work)).await;
}

#[tokio::test]
async fn a_message_over_the_limit_is_resource_exhausted() {
    let scene =
        Scene::of(Server::options().set("limits.payload=64Ki").set("limits.inline=1Ki").start().await).await;
    let mut functions = scene.server.grpc().await.functions();
    let work = async {
        for size in [(64 << 10) + 1, 8 << 20] {
            let request = with_payload("a", Bytes::from(vec![b'x'; size]));
            let refused = functions.invoke_function(request).await.expect_err("too large");
            assert_eq!(refused.code(), Code::ResourceExhausted, "{size}: {refused:?}");
        }
    };
    scene.unchanged(Box::pin(work)).await;
}

#[tokio::test]
async fn numbers_that_no_enum_has_are_invalid_argument_in_every_filter() {
    let scene = Scene::start().await;
    let grpc = scene.server.grpc().await;
    let (mut functions, mut invocations) = (grpc.functions(), grpc.invocations());
    let filters = || {
        let none = v1::InvocationFilter::default();
        [
            ("a state", v1::InvocationFilter { state: vec![1, 99], ..none.clone() }, "state"),
            ("no state", v1::InvocationFilter { state: vec![0], ..none.clone() }, "state"),
            ("a source", v1::InvocationFilter { source: 99, ..none.clone() }, "source"),
            ("a start", v1::InvocationFilter { start: -1, ..none }, "start"),
        ]
    };
    let work = async {
        for (what, filter, field) in filters() {
            let list = v1::ListInvocationsRequest {
                state: filter.state.clone(),
                source: filter.source,
                start: filter.start,
                ..Default::default()
            };
            let refused = invocations.list_invocations(list).await.expect_err(what);
            check(what, &refused, Code::InvalidArgument, "Invalid", &[field]);
            let filter = Some(filter);
            let cancel = v1::CancelInvocationsRequest { filter: filter.clone(), ..Default::default() };
            let refused = invocations.cancel_invocations(cancel).await.expect_err(what);
            check(what, &refused, Code::InvalidArgument, "Invalid", &[field]);
            let redrive = v1::RedriveInvocationsRequest { filter: filter.clone(), ..Default::default() };
            let refused = invocations.redrive_invocations(redrive).await.expect_err(what);
            check(what, &refused, Code::InvalidArgument, "Invalid", &[field]);
            let discard = v1::DiscardInvocationsRequest { filter, ..Default::default() };
            let refused = invocations.discard_invocations(discard).await.expect_err(what);
            check(what, &refused, Code::InvalidArgument, "Invalid", &[field]);
        }
        let list = v1::ListFunctionsRequest { runtime: 99, state: 99, ..Default::default() };
        let refused = functions.list_functions(list).await.expect_err("runtime and state");
        check("runtime and state", &refused, Code::InvalidArgument, "Invalid", &["runtime", "state"]);
    };
    scene.unchanged(Box::pin(work)).await;
}

/// The status of a raw grpc-web call with these bytes as its message.
async fn raw(scene: &Scene, method: &str, body: Bytes) -> (u16, String) {
    let call = scene.rest.request("POST", method).header("content-type", "application/grpc-web+proto");
    let answer = call.body(body).send().await;
    let status = match answer.header("grpc-status") {
        "" => answer
            .text()
            .split("grpc-status:")
            .nth(1)
            .unwrap_or_default()
            .trim()
            .chars()
            .take_while(char::is_ascii_digit)
            .collect(),
        status => status.to_owned(),
    };
    (answer.status, status)
}

#[tokio::test]
async fn bytes_that_are_no_message_are_invalid_argument() {
    let scene = Scene::start().await;
    let frame = |message: &[u8]| {
        let mut frame = BytesMut::new();
        frame.put_u8(0);
        frame.put_u32(message.len() as u32);
        frame.put_slice(message);
        frame.freeze()
    };
    let apply = "/eventflow.v1.FunctionService/ApplyFunction";
    let invoke = "/eventflow.v1.FunctionService/InvokeFunction";
    let work = async {
        for method in [apply, invoke, "/eventflow.v1.InvocationService/ListInvocations"] {
            for (what, message) in [
                ("junk", &b"\xff\xff\xff\xff\xff"[..]),
                ("a length beyond the end", b"\x0a\x7fshort"),
                ("a wrong wire type", b"\x08\x01"),
                ("text that is no UTF-8", b"\x0a\x02\xff\xfe"),
            ] {
                let (status, code) = raw(&scene, method, frame(message)).await;
                assert_eq!((status, code.as_str()), (200, "3"), "{method}: {what}");
            }
        }
        let (_, code) = raw(&scene, "/eventflow.v1.FunctionService/Nothing", frame(b"")).await;
        assert_eq!(code, "12", "an unknown method");
        let (_, code) = raw(&scene, "/nobody.Service/Nothing", frame(b"")).await;
        assert_eq!(code, "12", "an unknown service");
        let cut_off = Bytes::from_static(b"\x00\x00\x00\x00\x7fshort");
        let (_, code) = raw(&scene, apply, cut_off).await;
        assert!(!matches!(code.as_str(), "0" | "2" | "13" | ""), "a frame that breaks off: {code}");
    };
    scene.unchanged(Box::pin(work)).await;
}
