use super::{Grpc, caller, to_status, trace};
use crate::app::{InvocationWatchEvent, LogEvent};
use bytes::BytesMut;
use eventflow_domain::invocation::{Content, Stored};
use eventflow_domain::ports::{ByteStream, InvocationFilter};
use eventflow_domain::{Error, InvocationId, Namespace, Result as DomainResult, VersionNumber};
use eventflow_proto::convert::{
    self, duration_from_wire, filter_from_wire, invocation_id, invocation_to_wire, log_line_to_wire,
    namespace_or_all,
};
use eventflow_proto::v1::invocation_service_server::InvocationService;
use eventflow_proto::{api, v1};
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _};
use std::sync::Arc;
use std::time::Duration;
use tonic::{Request, Response, Status};

type Answer<T> = Result<Response<T>, Status>;

/// The namespace that a call is looked for in; `None` = anywhere.
fn place(text: &str) -> DomainResult<Option<Namespace>> {
    if text.is_empty() || text == "-" { Ok(None) } else { convert::namespace(text).map(Some) }
}

fn bulk_filter(namespace: &str, filter: Option<v1::InvocationFilter>) -> DomainResult<InvocationFilter> {
    filter_from_wire(namespace_or_all(namespace)?, &filter.unwrap_or_default())
}

fn list_filter(request: &v1::ListInvocationsRequest) -> DomainResult<InvocationFilter> {
    let filter = v1::InvocationFilter {
        function: request.function.clone(),
        state: request.state.clone(),
        version: request.version,
        caller: request.caller.clone(),
        source: request.source,
        reason: request.reason.clone(),
        dead_letter: request.dead_letter,
        replay_of: request.replay_of.clone(),
        created_after: request.created_after,
        created_before: request.created_before,
        start: request.start,
        ids: Vec::new(),
    };
    filter_from_wire(namespace_or_all(&request.namespace)?, &filter)
}

fn watch_filter(request: &v1::WatchInvocationsRequest) -> DomainResult<InvocationFilter> {
    let mut wire = request.filter.clone().unwrap_or_default();
    if !request.function.is_empty() {
        if !wire.function.is_empty() && wire.function != request.function {
            return Err(Error::invalid("function", "is another than that of the filter"));
        }
        wire.function.clone_from(&request.function);
    }
    let filter = filter_from_wire(namespace_or_all(&request.namespace)?, &wire)?;
    if filter.function.is_some() && filter.namespace.is_none() {
        return Err(Error::invalid("function", "needs one namespace, not all"));
    }
    Ok(filter)
}

/// The one call that is watched, and where it is looked for.
fn watched_call(request: &v1::WatchInvocationsRequest) -> DomainResult<(Option<Namespace>, InvocationId)> {
    if request.filter.is_some() || !request.function.is_empty() || request.snapshot != 0 {
        return Err(Error::invalid("id", "must not be given beside function, filter or snapshot"));
    }
    Ok((place(&request.namespace)?, invocation_id(&request.id)?))
}

fn version(number: i32) -> Option<VersionNumber> {
    (number != 0).then_some(VersionNumber(number))
}

/// A unary message holds the body whole; REST streams it.
async fn http_body((stored, bytes): (Stored, ByteStream)) -> DomainResult<api::HttpBody> {
    let mut data = BytesMut::with_capacity(usize::try_from(stored.size).unwrap_or_default());
    let mut bytes = bytes;
    while let Some(chunk) = bytes.try_next().await.map_err(|error| Error::internal("read the body", error))? {
        data.extend_from_slice(&chunk);
    }
    Ok(api::HttpBody {
        content_type: stored.content_type.as_deref().unwrap_or_default().to_owned(),
        data: data.freeze(),
        extensions: Vec::new(),
    })
}

#[tonic::async_trait]
impl InvocationService for Grpc {
    type StreamInvocationLogsStream = BoxStream<'static, Result<v1::StreamInvocationLogsResponse, Status>>;
    type WatchInvocationsStream = BoxStream<'static, Result<v1::WatchInvocationsResponse, Status>>;

    async fn list_invocations(
        &self,
        request: Request<v1::ListInvocationsRequest>,
    ) -> Answer<v1::ListInvocationsResponse> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let filter = list_filter(&request).map_err(to_status)?;
        let list = self.app.invocation_list(&caller, &filter, request.page_size, &request.page_token).await;
        let (records, next_page_token) = list.map_err(to_status)?;
        let invocations = records.iter().map(invocation_to_wire).collect();
        Ok(Response::new(v1::ListInvocationsResponse { invocations, next_page_token }))
    }

    async fn get_invocation(
        &self,
        request: Request<v1::GetInvocationRequest>,
    ) -> Answer<v1::GetInvocationResponse> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let namespace = place(&request.namespace).map_err(to_status)?;
        let id = invocation_id(&request.id).map_err(to_status)?;
        let wait = request.wait.map(|wait| duration_from_wire("wait", &wait, self.app.limits().max_wait));
        let wait = wait.transpose().map_err(to_status)?.unwrap_or(Duration::ZERO);
        let record =
            self.app.invocation_get(&caller, namespace.as_ref(), id, wait).await.map_err(to_status)?;
        Ok(Response::new(v1::GetInvocationResponse { invocation: Some(invocation_to_wire(&record)) }))
    }

    async fn get_invocation_result(
        &self,
        request: Request<v1::GetInvocationResultRequest>,
    ) -> Answer<v1::GetInvocationResultResponse> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let namespace = place(&request.namespace).map_err(to_status)?;
        let id = invocation_id(&request.id).map_err(to_status)?;
        let found = self.app.invocation_result(&caller, namespace.as_ref(), id).await.map_err(to_status)?;
        let result = http_body(found).await.map_err(to_status)?;
        Ok(Response::new(v1::GetInvocationResultResponse { result: Some(result) }))
    }

    async fn get_invocation_payload(
        &self,
        request: Request<v1::GetInvocationPayloadRequest>,
    ) -> Answer<v1::GetInvocationPayloadResponse> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let namespace = place(&request.namespace).map_err(to_status)?;
        let id = invocation_id(&request.id).map_err(to_status)?;
        let found = self.app.invocation_payload(&caller, namespace.as_ref(), id).await.map_err(to_status)?;
        let payload = http_body(found).await.map_err(to_status)?;
        Ok(Response::new(v1::GetInvocationPayloadResponse { payload: Some(payload) }))
    }

    async fn stream_invocation_logs(
        &self,
        request: Request<v1::StreamInvocationLogsRequest>,
    ) -> Answer<Self::StreamInvocationLogsStream> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let namespace = place(&request.namespace).map_err(to_status)?;
        let id = invocation_id(&request.id).map_err(to_status)?;
        let after =
            Some(request.after.as_str()).filter(|after| !after.is_empty()).map(str::parse).transpose();
        let after = after
            .map_err(|error: eventflow_domain::logs::LogPositionError| {
                Error::invalid("after", error.to_string())
            })
            .map_err(to_status)?;
        let app = Arc::clone(&self.app);
        let lines = app.invocation_logs(&caller, namespace.as_ref(), id, after, request.follow).await;
        let lines = lines.map_err(to_status)?.map(|event| {
            Ok(match event.map_err(to_status)? {
                LogEvent::Line(function, line) => {
                    let line = Some(log_line_to_wire(&function, &line));
                    v1::StreamInvocationLogsResponse { line, heartbeat: false }
                }
                LogEvent::Heartbeat => v1::StreamInvocationLogsResponse { line: None, heartbeat: true },
            })
        });
        Ok(Response::new(Box::pin(lines)))
    }

    async fn cancel_invocation(
        &self,
        request: Request<v1::CancelInvocationRequest>,
    ) -> Answer<v1::CancelInvocationResponse> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let namespace = place(&request.namespace).map_err(to_status)?;
        let id = invocation_id(&request.id).map_err(to_status)?;
        let record = self.app.invocation_cancel(&caller, namespace.as_ref(), id).await.map_err(to_status)?;
        Ok(Response::new(v1::CancelInvocationResponse { invocation: Some(invocation_to_wire(&record)) }))
    }

    async fn replay_invocation(
        &self,
        request: Request<v1::ReplayInvocationRequest>,
    ) -> Answer<v1::ReplayInvocationResponse> {
        let (caller, trace) = (caller(&request)?, trace(&request));
        let request = request.into_inner();
        let namespace = place(&request.namespace).map_err(to_status)?;
        let id = invocation_id(&request.id).map_err(to_status)?;
        let payload = request.payload.map(|body| Content {
            bytes: body.data,
            content_type: Some(body.content_type).filter(|of| !of.is_empty()).map(Into::into),
        });
        let (namespace, version) = (namespace.as_ref(), version(request.version));
        let record = self.app.invocation_replay(&caller, namespace, id, version, payload, trace).await;
        let record = record.map_err(to_status)?;
        Ok(Response::new(v1::ReplayInvocationResponse { invocation: Some(invocation_to_wire(&record)) }))
    }

    async fn watch_invocations(
        &self,
        request: Request<v1::WatchInvocationsRequest>,
    ) -> Answer<Self::WatchInvocationsStream> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let app = Arc::clone(&self.app);
        let events = if request.id.is_empty() {
            let filter = watch_filter(&request).map_err(to_status)?;
            app.invocations_watch(&caller, filter, request.snapshot).await
        } else {
            let asked = watched_call(&request).map_err(to_status)?;
            app.invocation_watch(&caller, asked.0.as_ref(), asked.1).await
        };
        let events = events.map_err(to_status)?;
        let events = events.map(|event| {
            let (kind, invocation) = match event.map_err(to_status)? {
                InvocationWatchEvent::Changed(record) => (v1::WatchEventType::Changed, Some(record)),
                InvocationWatchEvent::Synced => (v1::WatchEventType::Synced, None),
                InvocationWatchEvent::Heartbeat => (v1::WatchEventType::Heartbeat, None),
            };
            let invocation = invocation.map(|record| invocation_to_wire(&record));
            Ok(v1::WatchInvocationsResponse { r#type: kind.into(), invocation })
        });
        Ok(Response::new(Box::pin(events)))
    }

    async fn cancel_invocations(
        &self,
        request: Request<v1::CancelInvocationsRequest>,
    ) -> Answer<v1::CancelInvocationsResponse> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let filter = bulk_filter(&request.namespace, request.filter).map_err(to_status)?;
        let bulk = self.app.invocations_cancel(&caller, filter, request.dry_run).await.map_err(to_status)?;
        Ok(Response::new(v1::CancelInvocationsResponse { count: bulk.count as i64, more: bulk.more }))
    }

    async fn replay_invocations(
        &self,
        request: Request<v1::ReplayInvocationsRequest>,
    ) -> Answer<v1::ReplayInvocationsResponse> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let filter = bulk_filter(&request.namespace, request.filter).map_err(to_status)?;
        let version = version(request.version);
        let bulk = self.app.invocations_replay(&caller, filter, version, request.rate, request.dry_run).await;
        let bulk = bulk.map_err(to_status)?;
        Ok(Response::new(v1::ReplayInvocationsResponse {
            count: bulk.count as i64,
            more: bulk.more,
            ids: bulk.ids.iter().map(ToString::to_string).collect(),
            oldest_time: bulk.oldest.map(convert::timestamp_to_wire),
        }))
    }

    async fn list_dead_letter_groups(
        &self,
        request: Request<v1::ListDeadLetterGroupsRequest>,
    ) -> Answer<v1::ListDeadLetterGroupsResponse> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let filter = v1::InvocationFilter {
            function: request.function,
            reason: request.reason,
            ..v1::InvocationFilter::default()
        };
        let filter = bulk_filter(&request.namespace, Some(filter)).map_err(to_status)?;
        let groups = self.app.dead_letter_groups(&caller, filter).await.map_err(to_status)?;
        let groups = groups.iter().map(convert::dead_letter_group_to_wire).collect();
        Ok(Response::new(v1::ListDeadLetterGroupsResponse { groups }))
    }

    async fn redrive_invocations(
        &self,
        request: Request<v1::RedriveInvocationsRequest>,
    ) -> Answer<v1::RedriveInvocationsResponse> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let version = version(request.version);
        let bulk = if request.id.is_empty() {
            let filter = bulk_filter(&request.namespace, request.filter).map_err(to_status)?;
            self.app.invocations_redrive(&caller, filter, version, request.rate, request.dry_run).await
        } else if request.filter.is_some() {
            Err(Error::invalid("id", "must not be given beside a filter"))
        } else {
            let namespace = place(&request.namespace).map_err(to_status)?;
            let id = invocation_id(&request.id).map_err(to_status)?;
            self.app.invocation_redrive(&caller, namespace.as_ref(), id, version, request.dry_run).await
        };
        let bulk = bulk.map_err(to_status)?;
        let ids = bulk.ids.iter().map(ToString::to_string).collect();
        Ok(Response::new(v1::RedriveInvocationsResponse { count: bulk.count as i64, more: bulk.more, ids }))
    }

    async fn discard_invocations(
        &self,
        request: Request<v1::DiscardInvocationsRequest>,
    ) -> Answer<v1::DiscardInvocationsResponse> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let filter = bulk_filter(&request.namespace, request.filter).map_err(to_status)?;
        let bulk = self.app.invocations_discard(&caller, filter, request.dry_run).await.map_err(to_status)?;
        Ok(Response::new(v1::DiscardInvocationsResponse { count: bulk.count as i64, more: bulk.more }))
    }
}
