use super::{duration, took, word};
use crate::args::Invoke;
use crate::client::Client;
use crate::exit::{Failure, Result};
use crate::output::{Format, line, out, progress, say};
use crate::{manifest, render};
use bytes::Bytes;
use eventflow_proto::{api, v1};
use std::time::Duration;
use tonic::Request;

/// One wait of the server; the command asks again until its own wait is over.
const ASK: Duration = Duration::from_secs(20);

/// The call is accepted first and waited for then, so that Ctrl-C leaves it alive and its id known.
pub(super) async fn invoke(client: &Client, args: Invoke) -> Result<()> {
    let wait = duration("wait", &args.wait)?;
    let request = request(client, &args)?;
    let answer = client.functions().invoke_function(request).await.map_err(client.failed())?.into_inner();
    if args.async_call || args.delay.is_some() {
        return line(&answer.id);
    }
    let wait = Duration::new(wait.seconds.unsigned_abs(), wait.nanos.unsigned_abs());
    let record = tokio::select! {
        record = finished(client, &answer.id, wait) => record?,
        _ = tokio::signal::ctrl_c() => return Err(interrupted(&answer.id)),
    };
    finish(client, &record, args.output).await
}

fn interrupted(id: &str) -> Failure {
    let text = format!("\nthe call goes on: `eventflow invocations get {id} --wait 5m` waits for it");
    Failure::new(Failure::INTERRUPTED, text)
}

fn request(client: &Client, args: &Invoke) -> Result<Request<v1::InvokeFunctionRequest>> {
    let data = match (&args.data, &args.file) {
        (Some(text), _) => Bytes::from(text.clone()),
        (None, Some(path)) => manifest::read(path)?.into(),
        (None, None) => Bytes::new(),
    };
    let mut payload =
        api::HttpBody { content_type: guess(args, &data).to_owned(), data, extensions: Vec::new() };
    let mut key = String::new();
    let mut traceparent = None;
    for header in &args.header {
        let bad = || Failure::new(2, format!("-H {header:?} is not of the form \"Name: value\""));
        let (name, value) = header.split_once(':').ok_or_else(bad)?;
        let value = value.trim().to_owned();
        match name.trim().to_ascii_lowercase().as_str() {
            "content-type" => payload.content_type = value,
            "idempotency-key" => key = value,
            "traceparent" => traceparent = Some(value.parse().map_err(|_| bad())?),
            other => {
                let known = ["content-type", "idempotency-key", "traceparent"];
                return Err(Failure::new(
                    2,
                    format!("-H: {}", eventflow_domain::suggest::unknown("header", other, known)),
                ));
            }
        }
    }
    let mut request = Request::new(v1::InvokeFunctionRequest {
        namespace: client.namespace.clone(),
        name: args.name.clone(),
        payload: Some(payload),
        wait: None,
        delay: args.delay.as_deref().map(|delay| duration("delay", delay)).transpose()?,
        version: args.version.unwrap_or_default(),
        idempotency_key: key,
    });
    if let Some(value) = traceparent {
        request.metadata_mut().insert("traceparent", value);
    }
    Ok(request)
}

/// The content type of a payload of which none was said.
fn guess(args: &Invoke, data: &Bytes) -> &'static str {
    let extension = args.file.as_ref().and_then(|path| path.extension()).and_then(|of| of.to_str());
    match extension {
        Some("json") => "application/json",
        Some("md") => "text/markdown",
        Some("txt" | "csv") => "text/plain",
        Some("png") => "image/png",
        Some("jpg" | "jpeg") => "image/jpeg",
        _ if data.is_empty() => "",
        _ if serde_json::from_slice::<serde::de::IgnoredAny>(data).is_ok() => "application/json",
        _ if std::str::from_utf8(data).is_ok() => "text/plain",
        _ => "application/octet-stream",
    }
}

/// Waits for the end of a call; its record, ended or not where the wait is over.
pub(super) async fn finished(client: &Client, id: &str, wait: Duration) -> Result<v1::Invocation> {
    let start = tokio::time::Instant::now();
    loop {
        let left = wait.saturating_sub(start.elapsed());
        // The first answers come fast, so that the progress line shows the state soon.
        let ask = if start.elapsed() < Duration::from_secs(1) { Duration::from_millis(500) } else { ASK };
        let request = v1::GetInvocationRequest {
            namespace: client.namespace.clone(),
            id: id.to_owned(),
            wait: Some(eventflow_proto::convert::duration_to_wire(left.min(ask))),
        };
        let answer = client.invocations().get_invocation(request).await.map_err(client.failed())?;
        let record = answer.into_inner().invocation.unwrap_or_default();
        let state = word(record.state().as_str_name(), "INVOCATION_STATE_");
        if record.end_time.is_some() {
            progress("");
            return Ok(record);
        }
        if left.is_zero() {
            progress("");
            let text =
                format!("call {id} is {state} after {wait:?}: `eventflow invocations get {id} --wait 5m`");
            return Err(Failure::new(Failure::FAILED, text));
        }
        progress(&format!("{id}  {state}  {:.0}s", start.elapsed().as_secs_f64()));
    }
}

/// Prints the result of an ended call; a failed one is a failure of the command too.
async fn finish(client: &Client, record: &v1::Invocation, format: Option<Format>) -> Result<()> {
    let succeeded = record.state() == v1::InvocationState::Succeeded;
    match format {
        Some(format) => out(render::invocation(record, format)?.as_bytes())?,
        None if succeeded || record.result_size > 0 => result(client, &record.id).await?,
        None => {}
    }
    let version = record.version;
    if succeeded {
        say(&format!("{}  SUCCEEDED  version {version}  {}", record.id, took(record.duration.as_ref())));
        return Ok(());
    }
    let state = word(record.state().as_str_name(), "INVOCATION_STATE_");
    let text = format!("{}  {state} {}: {}", record.id, record.reason, record.message);
    Err(Failure::new(Failure::FAILED, format!("{text}\nsee `eventflow logs --invocation {}`", record.id)))
}

/// Prints the result's bytes as they are.
pub(super) async fn result(client: &Client, id: &str) -> Result<()> {
    let request = v1::GetInvocationResultRequest { namespace: String::new(), id: id.to_owned() };
    let answer = client.invocations().get_invocation_result(request).await.map_err(client.failed())?;
    let body = answer.into_inner().result.unwrap_or_default();
    out(&body.data)?;
    let text = body.content_type.starts_with("text/") || body.content_type.contains("json");
    if text && !body.data.is_empty() && !body.data.ends_with(b"\n") && crate::output::is_terminal() {
        out(b"\n")?;
    }
    Ok(())
}
