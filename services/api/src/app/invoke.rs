use super::App;
use bytes::Bytes;
use eventflow_domain::access::{Caller, Permission};
use eventflow_domain::function::{ConditionStatus, Readiness};
use eventflow_domain::invocation::{Body, Content, Stored};
use eventflow_domain::ports::{
    Accepted, FunctionEvent, HttpRequest, HttpResponse, IdempotencyKey, Live, NewInvocation, ProxyCall,
    Start, SyncAnswer, SyncCall,
};
use eventflow_domain::spec::UrlAccess;
use eventflow_domain::trace::TraceContext;
use eventflow_domain::{
    Error, ErrorKind, Function, FunctionKey, Invocation, InvocationId, Mode, Result, Source, State,
    VersionNumber,
};
use eventflow_telemetry::names::{SPAN_ACCEPT, SPAN_INVOKE};
use eventflow_telemetry::propagation;
use futures::stream;
use sha2::{Digest as _, Sha256};
use std::sync::Arc;
use std::time::Duration;
use tracing::field::Empty;
use tracing::{Instrument as _, Span};

/// A call as it came in.
#[derive(Debug)]
pub struct InvokeRequest {
    pub key: FunctionKey,
    pub payload: Content,
    /// Wait so long for the result; `None` = only accept.
    pub wait: Option<Duration>,
    pub delay: Option<Duration>,
    /// `None` = the current one.
    pub version: Option<VersionNumber>,
    pub idempotency_key: Option<String>,
    pub trace: TraceContext,
    /// Headers that go on to a function in http mode.
    pub headers: http::HeaderMap,
}

#[derive(Debug)]
pub enum InvokeAnswer {
    /// `attempt` is the number of the one that runs or ran last; 0 before the first.
    Accepted {
        id: InvocationId,
        state: State,
        version: VersionNumber,
        attempt: u32,
    },
    Finished {
        invocation: Box<Invocation>,
        body: Bytes,
    },
}

/// As which call a request to a function's own URL is passed on.
#[derive(Debug)]
pub struct Admitted {
    pub id: InvocationId,
    pub function: Arc<Function>,
    pub caller: Caller,
}

/// A function's answer at its own URL.
#[derive(Debug)]
pub struct Proxied {
    pub id: InvocationId,
    pub version: VersionNumber,
    pub response: HttpResponse,
}

/// A relay that nobody wakes looks for due calls at least so often.
const RELAY_LOOKS: Duration = Duration::from_secs(1);

/// Reasons of the condition `Ready=False` for which a function cannot run at all. Any other lets calls wait.
const INVALID: [&str; 11] = [
    "ArtifactNotFound",
    "CodeTooLarge",
    "CompileFailed",
    "ImageMissing",
    "ImageNotSupported",
    "ImportMissing",
    "InvalidCode",
    "InvalidSpec",
    "LeanAbi",
    "ModeMismatch",
    "NothingToRun",
];

impl App {
    pub async fn function_invoke(&self, caller: &Caller, mut request: InvokeRequest) -> Result<InvokeAnswer> {
        let span = call_span(&request);
        if !span.is_disabled() {
            request.trace = propagation::adopt(&span, Some(request.trace));
        }
        self.invoke(caller, request).instrument(span).await
    }

    async fn invoke(&self, caller: &Caller, request: InvokeRequest) -> Result<InvokeAnswer> {
        self.refuse_while_draining()?;
        let function = self.function_for(caller, &request.key, Permission::FunctionsInvoke).await?;
        takes_calls(&function)?;
        self.check_payload(&request.payload)?;
        let version = match request.version {
            Some(number) => self.version_of(&function, number).await?.number,
            None => function.version,
        };
        let idempotency = request
            .idempotency_key
            .as_deref()
            .map(|key| self.idempotency(key, &request.key, caller, &request.payload))
            .transpose()?;
        let id = InvocationId::generate();
        Span::current().record("invocation_id", tracing::field::display(id));
        match request.wait {
            Some(_) if request.delay.is_some() => Err(Error::invalid(
                "delay",
                "must not stand beside wait: a delayed call cannot be waited for",
            )),
            Some(wait) => self.invoke_sync(caller, request, id, function, version, idempotency, wait).await,
            None => {
                let payload = self.store_payload(id, request.payload).await?;
                let new = NewCall { id, function, version, source: Source::Async, replay_of: None };
                self.accept(caller, new, payload, request.trace, idempotency, request.delay).await
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "one caller; a struct would only repeat SyncCall")]
    async fn invoke_sync(
        &self,
        caller: &Caller,
        request: InvokeRequest,
        id: InvocationId,
        function: Arc<Function>,
        version: VersionNumber,
        idempotency: Option<IdempotencyKey>,
        wait: Duration,
    ) -> Result<InvokeAnswer> {
        if wait > self.config.limits.max_wait {
            let max = eventflow_domain::quantity::format_duration(self.config.limits.max_wait);
            return Err(Error::invalid("wait", format!("must be from 0s to {max}")));
        }
        let bytes = request.payload.bytes.clone();
        let call = SyncCall {
            id,
            function,
            version,
            payload: self.store_payload(id, request.payload).await?,
            bytes,
            caller: Arc::clone(&caller.subject),
            source: Source::Sync,
            replay_of: None,
            trace: request.trace,
            headers: request.headers,
            idempotency,
            wait,
        };
        let answer = self.parts.invoker.call(call).await?;
        let (SyncAnswer::Finished { invocation: record, .. } | SyncAnswer::Accepted(record)) = &answer;
        // Else it is the answer of an earlier call with the same key.
        if record.id == id {
            self.tell_invoked(id, &record.function, version, Source::Sync);
        }
        Ok(match answer {
            SyncAnswer::Finished { invocation, body } => InvokeAnswer::Finished { invocation, body },
            SyncAnswer::Accepted(record) => accepted(&record),
        })
    }

    /// Commits a call that a worker will run: durable when it returns.
    pub(super) async fn accept(
        &self,
        caller: &Caller,
        call: NewCall,
        payload: Stored,
        trace: TraceContext,
        idempotency: Option<IdempotencyKey>,
        delay: Option<Duration>,
    ) -> Result<InvokeAnswer> {
        let delay = delay.unwrap_or_default();
        if delay > self.config.limits.max_delay {
            let max = eventflow_domain::quantity::format_duration(self.config.limits.max_delay);
            return Err(Error::invalid("delay", format!("must be from 0s to {max}")));
        }
        let now = self.parts.clock.now();
        let new = NewInvocation {
            id: call.id,
            function: call.function.key.clone(),
            function_uid: call.function.uid,
            version: call.version,
            source: call.source,
            caller: Arc::clone(&caller.subject),
            replay_of: call.replay_of,
            trace,
            payload,
            created_at: now,
            idempotency,
            start: Start::Queued { not_before: now + delay },
            queue_max: call.function.spec.queue.max,
        };
        match self.parts.store.accept(new).await? {
            Accepted::New => {
                // It looks every second by itself: a call that starts later must not cost it a look.
                if delay < RELAY_LOOKS {
                    (self.parts.wake_relay)();
                }
                self.announce(call.id, &call.function.key, State::Queued);
                self.tell_invoked(call.id, &call.function.key, call.version, call.source);
                let NewCall { id, version, .. } = call;
                Ok(InvokeAnswer::Accepted { id, state: State::Queued, version, attempt: 0 })
            }
            Accepted::Existing(record) => Ok(accepted(&record)),
        }
    }

    pub(super) fn announce(&self, invocation: InvocationId, function: &FunctionKey, state: State) {
        self.parts.bus.announce(Live::Changed { invocation, function: function.clone(), state });
    }

    fn tell_invoked(
        &self,
        invocation: InvocationId,
        function: &FunctionKey,
        version: VersionNumber,
        source: Source,
    ) {
        let function = function.clone();
        self.parts.events.tell(FunctionEvent::Invoked { function, invocation, version, source });
    }

    pub(super) fn check_payload(&self, payload: &Content) -> Result<()> {
        let (size, limit) = (payload.bytes.len() as u64, self.config.limits.payload);
        if size > limit {
            return Err(Error::new(
                ErrorKind::TooLarge,
                "PayloadTooLarge",
                format!("the payload has {size} bytes, the limit is {limit}"),
            )
            .with_metadata("limit", limit)
            .with_metadata("size", size));
        }
        Ok(())
    }

    /// Small payloads stay in the record; large ones are durable in the blob store before anything names them.
    pub(super) async fn store_payload(&self, id: InvocationId, payload: Content) -> Result<Stored> {
        let size = payload.bytes.len() as u64;
        if size <= self.config.limits.inline {
            return Ok(Stored::inline(payload));
        }
        let key = format!("payloads/{id}");
        let bytes = payload.bytes;
        self.parts
            .blobs
            .put(&key, Box::pin(stream::once(async { Ok(bytes) })), self.config.limits.payload)
            .await?;
        Ok(Stored { body: Body::Blob(key.into()), size, content_type: payload.content_type })
    }

    fn idempotency(
        &self,
        key: &str,
        function: &FunctionKey,
        caller: &Caller,
        payload: &Content,
    ) -> Result<IdempotencyKey> {
        if key.is_empty() || key.len() > 255 || !key.bytes().all(|b| (0x20..0x7f).contains(&b)) {
            let rule = "must have 1 to 255 printable ASCII characters";
            return Err(Error::invalid("Idempotency-Key", rule));
        }
        let hash = Sha256::new()
            .chain_update(payload.content_type.as_deref().unwrap_or_default())
            .chain_update([0])
            .chain_update(&payload.bytes);
        Ok(IdempotencyKey {
            // Names hold no '/', and the caller's length is told, so no two scopes can be confused.
            scope: format!("{function}/{}/{}/{key}", caller.subject.len(), caller.subject).into(),
            payload_hash: hash.finalize().into(),
            expires_at: self.parts.clock.now() + self.config.limits.idempotency,
        })
    }

    /// Whether a request may be passed on to the function's own URL, and as which call. `caller` is `None` where no
    /// token came.
    pub async fn url_admit(&self, caller: Option<Caller>, key: &FunctionKey) -> Result<Admitted> {
        self.refuse_while_draining()?;
        let found = match self.parts.registry.get(key) {
            Some(function) => Some(function),
            None => self.parts.registry.refresh(key).await?,
        };
        let public = found.as_ref().is_some_and(|function| function.spec.url == UrlAccess::Public);
        let caller = match caller {
            Some(caller) => caller,
            None if public => Caller::anonymous(),
            None => {
                return Err(Error::new(
                    ErrorKind::Unauthenticated,
                    "Unauthenticated",
                    "authentication required",
                ));
            }
        };
        let function = match found {
            Some(function) if public => function,
            _ => self.function_for(&caller, key, Permission::FunctionsInvoke).await?,
        };
        takes_calls(&function)?;
        if function.spec.mode != Mode::Http {
            let text = format!("function {:?} is in mode job: it has no URL, use :invoke", function.key.name);
            return Err(Error::new(ErrorKind::WrongState, "NoUrl", text));
        }
        let id = InvocationId::generate();
        self.tell_invoked(id, &function.key, function.version, Source::Url);
        Ok(Admitted { id, function, caller })
    }

    /// Passes a request on to the function's own URL. `caller` is `None` where no token came.
    pub async fn function_proxy(
        &self,
        caller: Option<Caller>,
        key: &FunctionKey,
        trace: TraceContext,
        request: HttpRequest,
    ) -> Result<Proxied> {
        let Admitted { id, function, caller } = self.url_admit(caller, key).await?;
        let version = function.version;
        let call = ProxyCall { id, function, caller, trace };
        let response = self.parts.invoker.proxy(call, request).await?;
        Ok(Proxied { id, version, response })
    }

    /// Whether everyone may call the function's URL.
    pub fn is_public(&self, key: &FunctionKey) -> bool {
        self.parts.registry.get(key).is_some_and(|function| function.spec.url == UrlAccess::Public)
    }
}

fn accepted(record: &Invocation) -> InvokeAnswer {
    let (id, state, version) = (record.id, record.state(), record.version);
    InvokeAnswer::Accepted { id, state, version, attempt: record.lifecycle.attempts }
}

/// At debug level, so it is there only where spans are exported.
fn call_span(request: &InvokeRequest) -> Span {
    let (namespace, function) = (request.key.namespace.as_str(), request.key.name.as_str());
    if request.wait.is_some() {
        tracing::debug_span!(SPAN_INVOKE, trace_id = Empty, invocation_id = Empty, namespace, function)
    } else {
        tracing::debug_span!(SPAN_ACCEPT, trace_id = Empty, invocation_id = Empty, namespace, function)
    }
}

/// What a new call is of.
#[derive(Debug)]
pub(super) struct NewCall {
    pub(super) id: InvocationId,
    pub(super) function: Arc<Function>,
    pub(super) version: VersionNumber,
    pub(super) source: Source,
    pub(super) replay_of: Option<InvocationId>,
}

/// Refuses where the function is paused, being deleted or cannot run; never where it is merely not ready.
pub(super) fn takes_calls(function: &Function) -> Result<()> {
    let name = &function.key.name;
    let refuse = |reason, message| Err(Error::new(ErrorKind::WrongState, reason, message));
    if function.deleting {
        return refuse("FunctionDeleting", format!("function {name:?} is being deleted"));
    }
    if function.paused {
        return refuse("FunctionPaused", format!("function {name:?} is paused: resume it first"));
    }
    if function.version == VersionNumber(0) {
        let text = format!("function {name:?} has no version yet: the operator records it in a moment");
        let pending = Error::new(ErrorKind::Unavailable, "VersionPending", text);
        return Err(pending.with_retry_after(Duration::from_secs(1)));
    }
    let ready = function.readiness.condition(Readiness::READY);
    if let Some(ready) = ready
        .filter(|ready| ready.status == ConditionStatus::False && INVALID.contains(&ready.reason.as_str()))
    {
        return Err(Error::new(
            ErrorKind::WrongState,
            "FunctionInvalid",
            format!("function {name:?} cannot run: {}", ready.message),
        )
        .with_metadata("conditionReason", &ready.reason));
    }
    Ok(())
}
