use super::invoke::{finished, result};
use super::{age, duration, time, took, word};
use crate::args::{Dlq, Filter, Invocations, Shown};
use crate::client::Client;
use crate::exit::{Failure, Result};
use crate::output::{Format, line, out, paint_state, say, table};
use crate::render;
use eventflow_proto::{api, v1};
use std::fmt::Write as _;
use std::time::Duration;

pub(super) async fn run(client: &Client, command: Invocations) -> Result<()> {
    match command {
        Invocations::List { filter, state, limit, shown } => {
            let states = state.iter().map(|state| parse_state(state)).collect::<Result<Vec<_>>>()?;
            list(client, request(client, filter, states, limit), shown.output).await
        }
        Invocations::Get { id, wait, shown } => {
            let wait = wait.map(|wait| duration("wait", &wait)).transpose()?;
            let record = match wait {
                Some(wait) => {
                    let wait = Duration::new(wait.seconds.unsigned_abs(), wait.nanos.unsigned_abs());
                    finished(client, &id, wait).await?
                }
                None => get(client, &id).await?,
            };
            show(&record, &shown)
        }
        Invocations::Result { id } => result(client, &id).await,
        Invocations::Cancel { id } => {
            let request = v1::CancelInvocationRequest { namespace: String::new(), id };
            let answer = client.invocations().cancel_invocation(request).await.map_err(client.failed())?;
            let record = answer.into_inner().invocation.unwrap_or_default();
            let said = if record.end_time.is_some() { "cancelled" } else { "cancelling" };
            line(&format!("invocation {} {said}", record.id))
        }
        Invocations::Replay { id, data, version } => replay(client, id, data, version).await,
    }
}

async fn replay(client: &Client, id: String, data: Option<String>, version: Option<i32>) -> Result<()> {
    let request = v1::ReplayInvocationRequest {
        namespace: String::new(),
        id,
        version: version.unwrap_or_default(),
        payload: data.map(|text| api::HttpBody {
            content_type: "text/plain".to_owned(),
            data: text.into(),
            extensions: Vec::new(),
        }),
    };
    let answer = client.invocations().replay_invocation(request).await.map_err(client.failed())?;
    line(&answer.into_inner().invocation.unwrap_or_default().id)
}

pub(super) async fn dlq(client: &Client, command: Dlq) -> Result<()> {
    match command {
        Dlq::List { filter, limit, shown } => {
            let mut request = request(client, filter, Vec::new(), limit);
            request.dead_letter = Some(true);
            list(client, request, shown.output).await
        }
        Dlq::Show { id, shown } => show(&get(client, &id).await?, &shown),
        Dlq::Redrive { id: Some(id), dry_run, .. } => {
            let request = v1::RedriveInvocationsRequest { id, dry_run, ..Default::default() };
            let answer = client.invocations().redrive_invocations(request).await.map_err(client.failed())?;
            answer
                .into_inner()
                .ids
                .first()
                .map_or_else(|| line("1 dead letter would be redriven"), |new| line(new))
        }
        Dlq::Redrive { id: None, filter, all, rate, dry_run } => {
            if !all && filter.function.is_none() && filter.reason.is_none() && filter.version.is_none() {
                return Err(Failure::new(2, "name a dead letter, give a filter, or say --all"));
            }
            let wanted = request(client, filter, Vec::new(), 0);
            let request = v1::RedriveInvocationsRequest {
                namespace: client.namespace.clone(),
                filter: Some(v1::InvocationFilter {
                    function: wanted.function,
                    reason: wanted.reason,
                    version: wanted.version,
                    ..v1::InvocationFilter::default()
                }),
                rate,
                dry_run,
                ..v1::RedriveInvocationsRequest::default()
            };
            let answer = client
                .invocations()
                .redrive_invocations(request)
                .await
                .map_err(client.failed())?
                .into_inner();
            let would = if dry_run { "would be redriven" } else { "redriven" };
            line(&format!("{} dead letters {would}", answer.count))?;
            if answer.more {
                say("there are more: run the command again");
            }
            Ok(())
        }
    }
}

fn parse_state(text: &str) -> Result<v1::InvocationState> {
    let name = format!("INVOCATION_STATE_{}", text.to_uppercase());
    v1::InvocationState::from_str_name(&name).ok_or_else(|| {
        let known = ["queued", "running", "retrying", "succeeded", "failed", "cancelled"];
        Failure::new(2, eventflow_domain::suggest::unknown("state", text, known))
    })
}

fn request(
    client: &Client,
    filter: Filter,
    states: Vec<v1::InvocationState>,
    limit: i32,
) -> v1::ListInvocationsRequest {
    v1::ListInvocationsRequest {
        namespace: client.namespace.clone(),
        page_size: Some(limit),
        function: filter.function.unwrap_or_default(),
        reason: filter.reason.unwrap_or_default(),
        version: filter.version.unwrap_or_default(),
        state: states.into_iter().map(Into::into).collect(),
        ..v1::ListInvocationsRequest::default()
    }
}

async fn list(client: &Client, request: v1::ListInvocationsRequest, format: Format) -> Result<()> {
    let list = client.invocations().list_invocations(request).await.map_err(client.failed())?.into_inner();
    if format != Format::Table {
        return out(render::message(&list, format)?.as_bytes());
    }
    let rows = list.invocations.iter().map(|record| {
        vec![
            record.id.clone(),
            record.function.clone(),
            paint_state(&word(record.state().as_str_name(), "INVOCATION_STATE_")),
            record.version.to_string(),
            record.attempt.to_string(),
            record.reason.clone(),
            took(record.queue_wait.as_ref()),
            took(record.duration.as_ref()),
            age(record.create_time.as_ref()),
        ]
    });
    let header = ["ID", "FUNCTION", "STATE", "VERSION", "ATTEMPT", "REASON", "WAITED", "RAN", "AGE"];
    out(table(&header, rows.collect()).as_bytes())
}

async fn get(client: &Client, id: &str) -> Result<v1::Invocation> {
    let request = v1::GetInvocationRequest { namespace: String::new(), id: id.to_owned(), wait: None };
    let answer = client.invocations().get_invocation(request).await.map_err(client.failed())?;
    Ok(answer.into_inner().invocation.unwrap_or_default())
}

fn show(record: &v1::Invocation, shown: &Shown) -> Result<()> {
    if shown.output != Format::Table {
        return out(render::invocation(record, shown.output)?.as_bytes());
    }
    let mut text = String::new();
    let mut field = |name: &str, value: String| {
        if !value.is_empty() {
            let _infallible = writeln!(text, "{name:<14}{value}");
        }
    };
    field("Id", record.id.clone());
    field("Function", format!("{}/{}, version {}", record.namespace, record.function, record.version));
    field("State", paint_state(&word(record.state().as_str_name(), "INVOCATION_STATE_")));
    if !record.reason.is_empty() {
        field("Reason", format!("{}: {}", record.reason, record.message));
    }
    let dead = if record.dead_letter { "yes: `eventflow dlq redrive` calls it again" } else { "" };
    field("Dead letter", dead.to_owned());
    field(
        "Source",
        format!("{} by {}", word(record.source().as_str_name(), "INVOCATION_SOURCE_"), record.caller),
    );
    field("Replay of", record.replay_of.clone());
    field("Accepted", time(record.create_time.as_ref()));
    field("Waited", took(record.queue_wait.as_ref()));
    field("Ran", took(record.duration.as_ref()));
    field("Payload", format!("{} bytes {}", record.payload_size, record.payload_content_type));
    field("Result", format!("{} bytes {}", record.result_size, record.result_content_type));
    field("Trace", record.trace_id.clone());
    for attempt in &record.attempts {
        let state =
            word(attempt.state().as_str_name(), "INVOCATION_STATE_").replace("UNSPECIFIED", "RUNNING");
        let start =
            word(attempt.start().as_str_name(), "START_KIND_").replace("UNSPECIFIED", "").to_lowercase();
        let exit = attempt.exit_code.map(|code| format!(", exit code {code}")).unwrap_or_default();
        let why = if attempt.reason.is_empty() {
            String::new()
        } else {
            format!(", {}: {}", attempt.reason, attempt.message)
        };
        let said =
            format!("{} {start} {}{exit}{why}", time(attempt.start_time.as_ref()), paint_state(&state));
        field(&format!("Attempt {}", attempt.number), said);
    }
    out(text.as_bytes())
}
