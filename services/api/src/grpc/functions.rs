use super::{Grpc, caller, to_status, trace};
use crate::app::{
    FunctionQuery, InvokeAnswer, InvokeRequest, LogEvent, LogFilter, StatsEvent, WatchEvent, WatchKind,
};
use eventflow_domain::invocation::Content;
use eventflow_domain::ports::Precondition;
use eventflow_domain::{Error, VersionNumber};
use eventflow_proto::convert::{
    self, activity_to_wire, duration_from_wire, duration_to_wire, function_key, function_to_wire,
    invocation_to_wire, log_line_to_wire, namespace_or_all, state_to_wire, stats_to_wire, step_to_wire,
    timestamp_from_wire, timestamp_to_wire, version_to_wire,
};
use eventflow_proto::v1::function_service_server::FunctionService;
use eventflow_proto::{api, prost_types, v1};
use futures::StreamExt as _;
use futures::stream::BoxStream;
use std::sync::Arc;
use std::time::Duration;
use tonic::{Request, Response, Status};

type Answer<T> = Result<Response<T>, Status>;

/// Longer than any window that is answered.
const MAX_SPAN: Duration = Duration::from_secs(365 * 86_400);

fn precondition(create_only: bool, etag: String) -> Result<Precondition, Error> {
    match (create_only, etag.is_empty()) {
        (true, false) => Err(Error::invalid("etag", "must not stand beside createOnly")),
        (true, true) => Ok(Precondition::Absent),
        (false, false) => Ok(Precondition::Etag(etag)),
        (false, true) => Ok(Precondition::None),
    }
}

impl Grpc {
    async fn set_paused<T>(
        &self,
        request: &Request<T>,
        names: (&str, &str),
        paused: bool,
    ) -> Result<v1::Function, Status> {
        let caller = caller(request)?;
        let key = function_key(names.0, names.1).map_err(to_status)?;
        let function = self.app.function_pause(&caller, &key, paused).await.map_err(to_status)?;
        Ok(function_to_wire(&function))
    }
}

/// What the wire says of a call, checked.
fn invoke_request(request: Request<v1::InvokeFunctionRequest>) -> Result<InvokeRequest, Error> {
    let trace = trace(&request);
    let header = request.metadata().get("idempotency-key").map(|value| {
        value
            .to_str()
            .map(ToOwned::to_owned)
            .map_err(|_| Error::invalid("Idempotency-Key", "must have 1 to 255 printable ASCII characters"))
    });
    let header = header.transpose()?;
    let v1::InvokeFunctionRequest { namespace, name, payload, wait, delay, version, idempotency_key } =
        request.into_inner();
    let payload = payload.unwrap_or_default();
    let any = Duration::from_secs(u64::from(u32::MAX));
    Ok(InvokeRequest {
        key: function_key(&namespace, &name)?,
        payload: Content {
            bytes: payload.data,
            content_type: Some(payload.content_type).filter(|of| !of.is_empty()).map(Into::into),
        },
        wait: wait.map(|wait| duration_from_wire("wait", &wait, any)).transpose()?,
        delay: delay.map(|delay| duration_from_wire("delay", &delay, any)).transpose()?,
        version: (version != 0).then_some(VersionNumber(version)),
        idempotency_key: Some(idempotency_key).filter(|key| !key.is_empty()).or(header),
        trace,
        headers: http::HeaderMap::new(),
    })
}

fn log_filter(request: &v1::StreamLogsRequest) -> Result<LogFilter, Error> {
    let since = request.since.as_ref().map(|since| timestamp_from_wire("since", since)).transpose()?;
    Ok(LogFilter {
        tail: request.tail,
        since,
        stream: convert::stream_from_wire(request)?,
        contains: request.contains.clone(),
    })
}

fn invoke_answer(answer: InvokeAnswer) -> v1::InvokeFunctionResponse {
    match answer {
        InvokeAnswer::Accepted { id, state, .. } => v1::InvokeFunctionResponse {
            id: id.to_string(),
            state: state_to_wire(state).into(),
            ..v1::InvokeFunctionResponse::default()
        },
        InvokeAnswer::Finished { invocation, body } => v1::InvokeFunctionResponse {
            id: invocation.id.to_string(),
            state: state_to_wire(invocation.state()).into(),
            result: Some(api::HttpBody {
                content_type: invocation.result.content_type.as_deref().unwrap_or_default().to_owned(),
                data: body,
                extensions: Vec::new(),
            }),
            invocation: Some(invocation_to_wire(&invocation)),
        },
    }
}

fn watch_event(event: WatchEvent) -> v1::WatchFunctionsResponse {
    let (kind, function) = match event.kind {
        WatchKind::Changed(function) => (v1::WatchEventType::Changed, Some(function)),
        WatchKind::Deleted(function) => (v1::WatchEventType::Deleted, Some(function)),
        WatchKind::Synced => (v1::WatchEventType::Synced, None),
        WatchKind::Reset => (v1::WatchEventType::Reset, None),
        WatchKind::Heartbeat => (v1::WatchEventType::Heartbeat, None),
    };
    v1::WatchFunctionsResponse {
        r#type: kind.into(),
        function: function.as_deref().map(function_to_wire),
        resume_token: event.resume_token,
    }
}

#[tonic::async_trait]
impl FunctionService for Grpc {
    type StreamLogsStream = BoxStream<'static, Result<v1::StreamLogsResponse, Status>>;
    type WatchStatsStream = BoxStream<'static, Result<v1::WatchStatsResponse, Status>>;
    type WatchFunctionsStream = BoxStream<'static, Result<v1::WatchFunctionsResponse, Status>>;

    async fn apply_function(
        &self,
        request: Request<v1::ApplyFunctionRequest>,
    ) -> Answer<v1::ApplyFunctionResponse> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let key = convert::apply_target(&request).map_err(to_status)?;
        let draft = convert::draft(&request.function.unwrap_or_default());
        let precondition = precondition(request.create_only, request.etag).map_err(to_status)?;
        let applied = self.app.function_apply(&caller, key, &draft, precondition, request.dry_run).await;
        let applied = applied.map_err(to_status)?;
        Ok(Response::new(v1::ApplyFunctionResponse {
            function: Some(function_to_wire(&applied.function)),
            created: applied.created,
            changed: applied.changed,
        }))
    }

    async fn list_functions(
        &self,
        request: Request<v1::ListFunctionsRequest>,
    ) -> Answer<v1::ListFunctionsResponse> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let (runtime, state) = convert::list_filters(&request).map_err(to_status)?;
        let query = FunctionQuery {
            namespace: namespace_or_all(&request.namespace).map_err(to_status)?,
            runtime,
            name_contains: request.name_contains.clone(),
            page_size: request.page_size,
            page_token: request.page_token.clone(),
        };
        let list = self.app.function_list(&caller, &query).map_err(to_status)?;
        let mut functions: Vec<_> =
            list.functions.iter().map(|function| function_to_wire(function)).collect();
        // A state is derived, and known only after the conversion.
        functions.retain(|function| state.is_none_or(|state| function.state() == state));
        Ok(Response::new(v1::ListFunctionsResponse { functions, next_page_token: list.next_page_token }))
    }

    async fn get_function(
        &self,
        request: Request<v1::GetFunctionRequest>,
    ) -> Answer<v1::GetFunctionResponse> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let key = function_key(&request.namespace, &request.name).map_err(to_status)?;
        let function = self.app.function_get(&caller, &key).await.map_err(to_status)?;
        let (window, queue) = self.app.function_stats(&key).await.map_err(to_status)?;
        let stats = stats_to_wire(crate::app::STATS_WINDOW, &window, queue.as_ref());
        let function = v1::Function { stats: Some(stats), ..function_to_wire(&function) };
        Ok(Response::new(v1::GetFunctionResponse { function: Some(function) }))
    }

    async fn delete_function(
        &self,
        request: Request<v1::DeleteFunctionRequest>,
    ) -> Answer<v1::DeleteFunctionResponse> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let key = function_key(&request.namespace, &request.name).map_err(to_status)?;
        let etag = Some(request.etag.as_str()).filter(|etag| !etag.is_empty());
        let cancelled = self.app.function_delete(&caller, &key, etag).await.map_err(to_status)?;
        Ok(Response::new(v1::DeleteFunctionResponse { cancelled: cancelled as i64 }))
    }

    async fn invoke_function(
        &self,
        request: Request<v1::InvokeFunctionRequest>,
    ) -> Answer<v1::InvokeFunctionResponse> {
        let caller = caller(&request)?;
        let request = invoke_request(request).map_err(to_status)?;
        let answer = self.app.function_invoke(&caller, request).await.map_err(to_status)?;
        Ok(Response::new(invoke_answer(answer)))
    }

    async fn pause_function(
        &self,
        request: Request<v1::PauseFunctionRequest>,
    ) -> Answer<v1::PauseFunctionResponse> {
        let names = (request.get_ref().namespace.as_str(), request.get_ref().name.as_str());
        let function = self.set_paused(&request, names, true).await?;
        Ok(Response::new(v1::PauseFunctionResponse { function: Some(function) }))
    }

    async fn resume_function(
        &self,
        request: Request<v1::ResumeFunctionRequest>,
    ) -> Answer<v1::ResumeFunctionResponse> {
        let names = (request.get_ref().namespace.as_str(), request.get_ref().name.as_str());
        let function = self.set_paused(&request, names, false).await?;
        Ok(Response::new(v1::ResumeFunctionResponse { function: Some(function) }))
    }

    async fn rollback_function(
        &self,
        request: Request<v1::RollbackFunctionRequest>,
    ) -> Answer<v1::RollbackFunctionResponse> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let key = function_key(&request.namespace, &request.name).map_err(to_status)?;
        let function = self.app.function_rollback(&caller, &key, VersionNumber(request.version)).await;
        Ok(Response::new(v1::RollbackFunctionResponse {
            function: Some(function_to_wire(function.map_err(to_status)?.as_ref())),
        }))
    }

    async fn list_versions(
        &self,
        request: Request<v1::ListVersionsRequest>,
    ) -> Answer<v1::ListVersionsResponse> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let key = function_key(&request.namespace, &request.name).map_err(to_status)?;
        let list = self.app.version_list(&caller, &key, request.page_size, &request.page_token).await;
        let (versions, current, next_page_token) = list.map_err(to_status)?;
        let versions =
            versions.iter().map(|version| version_to_wire(version, version.number == current)).collect();
        Ok(Response::new(v1::ListVersionsResponse { versions, next_page_token }))
    }

    async fn stream_logs(&self, request: Request<v1::StreamLogsRequest>) -> Answer<Self::StreamLogsStream> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let namespace = convert::namespace(&request.namespace).map_err(to_status)?;
        let function = match request.name.as_str() {
            "-" => None,
            name => Some(convert::function_name("name", name).map_err(to_status)?),
        };
        let filter = log_filter(&request).map_err(to_status)?;
        let app = Arc::clone(&self.app);
        let lines = app.function_logs(&caller, namespace, function, filter, request.follow).await;
        let lines = lines.map_err(to_status)?.map(|event| {
            Ok(match event.map_err(to_status)? {
                LogEvent::Line(function, line) => {
                    let line = Some(log_line_to_wire(&function, &line));
                    v1::StreamLogsResponse { line, heartbeat: false }
                }
                LogEvent::Heartbeat => v1::StreamLogsResponse { line: None, heartbeat: true },
            })
        });
        Ok(Response::new(Box::pin(lines)))
    }

    async fn watch_stats(&self, request: Request<v1::WatchStatsRequest>) -> Answer<Self::WatchStatsStream> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let namespace = namespace_or_all(&request.namespace).map_err(to_status)?;
        let function = Some(request.function.as_str()).filter(|name| !name.is_empty());
        let function = function.map(|name| convert::function_name("function", name)).transpose();
        let function = function.map_err(to_status)?;
        if function.is_some() && namespace.is_none() {
            return Err(to_status(Error::invalid("function", "needs one namespace, not all")));
        }
        let events = Arc::clone(&self.app).stats_watch(&caller, namespace, function).await;
        let events = events.map_err(to_status)?.map(|event| {
            let (kind, functions) = match event {
                StatsEvent::Changed(told) => {
                    (v1::WatchEventType::Changed, told.iter().map(|one| activity_to_wire(one)).collect())
                }
                StatsEvent::Synced => (v1::WatchEventType::Synced, Vec::new()),
                StatsEvent::Heartbeat => (v1::WatchEventType::Heartbeat, Vec::new()),
            };
            Ok(v1::WatchStatsResponse { r#type: kind.into(), functions })
        });
        Ok(Response::new(Box::pin(events)))
    }

    async fn get_function_metrics(
        &self,
        request: Request<v1::GetFunctionMetricsRequest>,
    ) -> Answer<v1::GetFunctionMetricsResponse> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let key = function_key(&request.namespace, &request.name).map_err(to_status)?;
        let span = |field: &str, of: Option<prost_types::Duration>| {
            of.map(|of| duration_from_wire(field, &of, MAX_SPAN)).transpose().map_err(to_status)
        };
        let (window, step) = (span("window", request.window)?, span("step", request.step)?);
        let metrics = self.app.function_metrics(&caller, &key, window, step).await.map_err(to_status)?;
        Ok(Response::new(v1::GetFunctionMetricsResponse {
            points: metrics.steps.iter().map(step_to_wire).collect(),
            step: Some(duration_to_wire(metrics.step)),
            counted_from_time: metrics.counted_from.map(timestamp_to_wire),
        }))
    }

    async fn watch_functions(
        &self,
        request: Request<v1::WatchFunctionsRequest>,
    ) -> Answer<Self::WatchFunctionsStream> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let namespace = namespace_or_all(&request.namespace).map_err(to_status)?;
        let events = Arc::clone(&self.app).functions_watch(&caller, namespace, &request.resume_token);
        Ok(Response::new(Box::pin(events.map_err(to_status)?.map(|event| Ok(watch_event(event))))))
    }
}
