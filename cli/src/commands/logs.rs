use super::time;
use crate::args::Logs;
use crate::client::Client;
use crate::exit::{Failure, Result};
use crate::output::{Format, colours, harmless, line, out};
use crate::render;
use eventflow_proto::v1;
use futures::{Stream, StreamExt as _};
use tonic::Status;

pub(super) async fn logs(client: &Client, args: Logs) -> Result<()> {
    if let Some(id) = args.invocation.clone() {
        let request = v1::StreamInvocationLogsRequest {
            namespace: String::new(),
            id,
            follow: args.follow,
            after: String::new(),
        };
        let answer = client.invocations().stream_invocation_logs(request).await.map_err(client.failed())?;
        return print(client, &args, answer.into_inner().map(|next| next.map(|next| next.line))).await;
    }
    let request = v1::StreamLogsRequest {
        namespace: client.namespace.clone(),
        name: args.name.clone().unwrap_or_default(),
        follow: args.follow,
        tail: Some(args.tail),
        ..v1::StreamLogsRequest::default()
    };
    let answer = client.functions().stream_logs(request).await.map_err(client.failed())?;
    print(client, &args, answer.into_inner().map(|next| next.map(|next| next.line))).await
}

async fn print(
    client: &Client,
    args: &Logs,
    mut lines: impl Stream<Item = Result<Option<v1::LogLine>, Status>> + Unpin,
) -> Result<()> {
    loop {
        let next = tokio::select! {
            next = lines.next() => next,
            // A person who has seen enough has not failed.
            _ = tokio::signal::ctrl_c() => return Err(Failure::new(Failure::INTERRUPTED, "")),
        };
        let Some(next) = next else { return Ok(()) };
        let Some(of) = next.map_err(client.failed())? else { continue };
        if args.shown.output == Format::Table {
            line(&text(args, &of))?;
        } else {
            out(render::message(&of, args.shown.output)?.as_bytes())?;
        }
    }
}

fn text(args: &Logs, of: &v1::LogLine) -> String {
    let mut text = String::new();
    if args.timestamps {
        text.push_str(&time(of.time.as_ref()));
        text.push(' ');
    }
    if args.invocation.is_none() && !of.invocation_id.is_empty() {
        // The end of the id: the beginnings of ids of one minute are the same.
        let id = of.invocation_id.get(24..).unwrap_or(&of.invocation_id);
        let id = if colours() { format!("\x1b[2m{id}\x1b[0m ") } else { format!("{id} ") };
        text.push_str(&id);
    }
    text.push_str(&harmless(&of.text));
    text
}
