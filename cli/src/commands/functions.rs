mod told;

use super::{age, time, took, word};
use crate::args::{Apply, Delete, List, Named, Rollback};
use crate::client::Client;
use crate::exit::Result;
use crate::output::{Format, line, out, paint_state, say, table};
use crate::{manifest, render};
use eventflow_proto::v1;
use std::fmt::Write as _;

pub(super) async fn apply(client: &Client, args: Apply) -> Result<()> {
    // All files are read before anything is changed: a slip in the second must not leave the first half done.
    let mut documents = Vec::new();
    for file in &args.file {
        documents.extend(manifest::load(file, &client.namespace)?);
    }
    for document in documents {
        let function = manifest::resolve(client, document).await?;
        let request = v1::ApplyFunctionRequest {
            function: Some(function),
            dry_run: args.dry_run.is_some(),
            ..v1::ApplyFunctionRequest::default()
        };
        let answer = client.functions().apply_function(request).await.map_err(client.failed())?.into_inner();
        let function = answer.function.unwrap_or_default();
        if args.shown.output != Format::Table {
            out(render::message(&function, args.shown.output)?.as_bytes())?;
            continue;
        }
        let did = match (answer.created, answer.changed) {
            (true, _) => "created",
            (false, true) => "updated",
            (false, false) => "unchanged",
        };
        let dry = if args.dry_run.is_some() { " (dry run)" } else { "" };
        line(&format!(
            "function {}/{} {did}, version {}{dry}",
            function.namespace,
            function.name,
            function.version()
        ))?;
    }
    Ok(())
}

pub(super) async fn list(client: &Client, args: List) -> Result<()> {
    let namespace = if args.all_namespaces { "-".to_owned() } else { client.namespace.clone() };
    let mut request = v1::ListFunctionsRequest { namespace, page_size: Some(1000), ..Default::default() };
    let mut functions = Vec::new();
    loop {
        let page =
            client.functions().list_functions(request.clone()).await.map_err(client.failed())?.into_inner();
        functions.extend(page.functions);
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    if args.shown.output != Format::Table {
        let list = v1::ListFunctionsResponse { functions, next_page_token: String::new() };
        return out(render::message(&list, args.shown.output)?.as_bytes());
    }
    if functions.is_empty() {
        say("no functions yet: `eventflow init hello && eventflow apply -f hello.yaml`");
        return Ok(());
    }
    let rows = functions.iter().map(|function| {
        vec![
            function.namespace.clone(),
            function.name.clone(),
            paint_state(&word(function.state().as_str_name(), "FUNCTION_STATE_")),
            word(function.runtime().as_str_name(), "RUNTIME_").to_lowercase(),
            word(function.mode().as_str_name(), "MODE_").to_lowercase(),
            function.version().to_string(),
            format!("{}/{}", function.ready_copies(), function.desired_copies()),
            age(function.create_time.as_ref()),
        ]
    });
    let header = ["NAMESPACE", "NAME", "STATE", "RUNTIME", "MODE", "VERSION", "COPIES", "AGE"];
    out(table(&header, rows.collect()).as_bytes())
}

async fn get(client: &Client, name: &str) -> Result<v1::Function> {
    let request = v1::GetFunctionRequest { namespace: client.namespace.clone(), name: name.to_owned() };
    let answer = client.functions().get_function(request).await.map_err(client.failed())?;
    Ok(answer.into_inner().function.unwrap_or_default())
}

pub(super) async fn describe(client: &Client, args: Named) -> Result<()> {
    let function = get(client, &args.name).await?;
    if args.shown.output != Format::Table {
        return out(render::message(&function, args.shown.output)?.as_bytes());
    }
    let mut text = String::new();
    let mut field = |name: &str, value: String| {
        if !value.is_empty() {
            let _infallible = writeln!(text, "{name:<14}{value}");
        }
    };
    field("Name", format!("{}/{}", function.namespace, function.name));
    field("State", paint_state(&word(function.state().as_str_name(), "FUNCTION_STATE_")));
    field("Version", function.version().to_string());
    field("Runtime", word(function.runtime().as_str_name(), "RUNTIME_").to_lowercase());
    field("Mode", word(function.mode().as_str_name(), "MODE_").to_lowercase());
    field("Image", function.image.clone());
    field("Command", function.command.iter().chain(&function.args).cloned().collect::<Vec<_>>().join(" "));
    field("Timeout", function.timeout.clone());
    field("Copies", format!("{} of {} ready", function.ready_copies(), function.desired_copies()));
    field("Created", time(function.create_time.as_ref()));
    field("Changed", time(function.update_time.as_ref()));
    for condition in &function.conditions {
        let said = format!("{} ({}): {}", condition.status, condition.reason, condition.message);
        field(&condition.r#type, said);
    }
    if let Some(stats) = &function.stats {
        field("Calls", format!("{} in the last 5 minutes, {} failed", stats.calls, stats.failed));
        field("Duration", format!("p50 {}, p99 {}", took(stats.p50.as_ref()), took(stats.p99.as_ref())));
        let queue =
            format!("{} queued, {} retrying, {} running", stats.queued, stats.retrying, stats.running);
        field("Queue", queue);
        field("Dead letters", stats.dead_letters.to_string());
    }
    text.push_str(&told::tables(&function));
    out(text.as_bytes())
}

pub(super) async fn delete(client: &Client, args: Delete) -> Result<()> {
    for name in args.names {
        let namespace = client.namespace.clone();
        let request = v1::DeleteFunctionRequest { namespace, name: name.clone(), etag: String::new() };
        let answer = client.functions().delete_function(request).await.map_err(client.failed())?.into_inner();
        let ended = match answer.cancelled {
            0 => String::new(),
            n => format!(", {n} calls ended"),
        };
        line(&format!("function {}/{name} deleted{ended}", client.namespace))?;
    }
    Ok(())
}

pub(super) async fn versions(client: &Client, args: Named) -> Result<()> {
    let request = v1::ListVersionsRequest {
        namespace: client.namespace.clone(),
        name: args.name,
        page_size: Some(1000),
        page_token: String::new(),
    };
    let list = client.functions().list_versions(request).await.map_err(client.failed())?.into_inner();
    if args.shown.output != Format::Table {
        return out(render::message(&list, args.shown.output)?.as_bytes());
    }
    let rows = list.versions.iter().map(|version| {
        let function = version.function.clone().unwrap_or_default();
        let code = if function.image.is_empty() { function.command.join(" ") } else { function.image };
        let current = if version.current { "*" } else { "" };
        let made = time(version.create_time.as_ref());
        vec![version.version.to_string(), current.to_owned(), made, version.created_by.clone(), code]
    });
    out(table(&["VERSION", "CURRENT", "CREATED", "BY", "CODE"], rows.collect()).as_bytes())
}

pub(super) async fn rollback(client: &Client, args: Rollback) -> Result<()> {
    let namespace = client.namespace.clone();
    let request = v1::RollbackFunctionRequest { namespace, name: args.name, version: args.to };
    let answer = client.functions().rollback_function(request).await.map_err(client.failed())?.into_inner();
    let function = answer.function.unwrap_or_default();
    let text = format!("function {}/{} rolled back to {}", function.namespace, function.name, args.to);
    line(&format!("{text}, as version {}", function.version()))
}

pub(super) async fn pause(client: &Client, name: &str, paused: bool) -> Result<()> {
    let (namespace, name) = (client.namespace.clone(), name.to_owned());
    let said = format!("function {namespace}/{name} {}", if paused { "paused" } else { "resumed" });
    if paused {
        client
            .functions()
            .pause_function(v1::PauseFunctionRequest { namespace, name })
            .await
            .map_err(client.failed())?;
    } else {
        let request = v1::ResumeFunctionRequest { namespace, name };
        client.functions().resume_function(request).await.map_err(client.failed())?;
    }
    line(&said)
}
