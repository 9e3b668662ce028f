//! One request to a wasi:http component: a guest of its own, bodies streamed both ways.

use crate::host::{Captured, ComponentState};
use crate::run::{Ended, timed_out};
use crate::ticker::Running;
use bytes::Bytes;
use eventflow_domain::Reason;
use eventflow_domain::invocation::Failure;
use eventflow_domain::ports::{ByteStream, Call, HttpRequest, LogSink};
use futures::{StreamExt as _, stream};
use http::header::{HOST, HeaderName};
use http::{HeaderValue, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use std::io;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use wasmtime::{Engine, Store};
use wasmtime_wasi::runtime::{AbortOnDropJoinHandle, spawn};
use wasmtime_wasi_http::p2::bindings::ProxyPre;
use wasmtime_wasi_http::p2::bindings::http::types::{ErrorCode, Scheme};
use wasmtime_wasi_http::p2::body::HyperOutgoingBody;
use wasmtime_wasi_http::{Error, WasiHttpView as _};

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

type Answer = Result<Response<HyperOutgoingBody>, ErrorCode>;
type Ending = Result<(), Failure>;

/// All that a guest needs to answer one request.
pub(crate) struct Guest {
    pub engine: Engine,
    pub pre: ProxyPre<ComponentState>,
    pub call: Call,
    pub logs: Arc<dyn LogSink>,
    pub max_outgoing: usize,
    /// Held until the guest has ended.
    pub place: OwnedSemaphorePermit,
    pub running: Running,
}

impl Guest {
    /// Starts the guest and waits for the head of its answer; its body goes on streaming.
    pub(crate) async fn serve(self, request: HttpRequest) -> Result<Response<ByteStream>, Failure> {
        let (answer, answered) = oneshot::channel();
        let (ending, mut ended) = oneshot::channel();
        let request = incoming(request, &self.call)?;
        let task = spawn(self.run(request, answer, ending));
        match answered.await {
            Ok(Ok(response)) => Ok(response.map(|body| GuestBody { body, ended, _task: task }.into_stream())),
            Ok(Err(code)) => {
                Err(Failure::new(Reason::NoAnswer, format!("the function answered with {code:?}")))
            }
            Err(_) => match (&mut ended).await {
                Ok(Err(failure)) => Err(failure),
                _ => Err(Failure::new(Reason::NoAnswer, "the function ended without an answer")),
            },
        }
    }

    async fn run<B>(
        self,
        request: Request<B>,
        answer: oneshot::Sender<Answer>,
        ending: oneshot::Sender<Ending>,
    ) where
        B: http_body::Body<Data = Bytes, Error = Error> + Send + 'static,
    {
        let _held = (self.place, self.running);
        let output = Captured::logs(self.logs);
        let mut store = ComponentState::store(&self.engine, &self.call, &output, self.max_outgoing);
        let handled =
            tokio::time::timeout(self.call.timeout, handle(&self.pre, &mut store, request, answer)).await;
        let end = match handled {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(Ended::of(&error, &mut store).failure),
            Err(_) => Err(timed_out(self.call.timeout)),
        };
        // Said before the instance is taken down: the caller need not wait for that. It may have gone.
        drop(ending.send(end));
    }
}

async fn handle<B>(
    pre: &ProxyPre<ComponentState>,
    store: &mut Store<ComponentState>,
    request: Request<B>,
    answer: oneshot::Sender<Answer>,
) -> wasmtime::Result<()>
where
    B: http_body::Body<Data = Bytes, Error = Error> + Send + 'static,
{
    let request = store.data_mut().http().new_incoming_request(Scheme::Http, request)?;
    let out = store.data_mut().http().new_response_outparam(answer)?;
    let proxy = pre.instantiate_async(&mut *store).await?;
    proxy.wasi_http_incoming_handler().call_handle(store, request, out).await
}

/// The request as the guest shall see it: with a host and with the call's own trace.
fn incoming(
    request: HttpRequest,
    call: &Call,
) -> Result<Request<impl http_body::Body<Data = Bytes, Error = Error> + Send + 'static>, Failure> {
    let body = request.body.map(|piece| piece.map(Frame::data).map_err(|_| Error::ConnectionTerminated));
    let mut incoming = Request::new(StreamBody::new(body));
    *incoming.method_mut() = request.method;
    *incoming.uri_mut() = request.uri;
    *incoming.headers_mut() = request.headers;
    let headers = incoming.headers_mut();
    let internal = |_| Failure::new(Reason::Internal, "failed to make the request's headers");
    if headers.get(HOST).is_none_or(|host| host.to_str().is_err()) {
        let host = HeaderValue::from_str(call.version.key.name.as_str()).map_err(internal)?;
        headers.insert(HOST, host);
    }
    let trace = HeaderValue::from_str(&call.trace.to_string()).map_err(internal)?;
    headers.insert(TRACEPARENT, trace);
    Ok(incoming)
}

/// The answer's body while its guest runs; dropping it ends the guest.
struct GuestBody {
    body: HyperOutgoingBody,
    ended: oneshot::Receiver<Ending>,
    _task: AbortOnDropJoinHandle<()>,
}

impl GuestBody {
    fn into_stream(self) -> ByteStream {
        stream::unfold(Some(self), |state| async move {
            let mut this = state?;
            match this.next().await {
                Some(Ok(bytes)) => Some((Ok(bytes), Some(this))),
                Some(Err(error)) => Some((Err(error), None)),
                None => None,
            }
        })
        .boxed()
    }

    async fn next(&mut self) -> Option<io::Result<Bytes>> {
        let broken = loop {
            match self.body.frame().await {
                Some(Ok(frame)) => {
                    if let Ok(bytes) = frame.into_data() {
                        return Some(Ok(bytes));
                    }
                    // Trailers: not passed on.
                }
                Some(Err(error)) => break Some(error),
                None => break None,
            }
        };
        // A body that ends because its guest was ended looks whole: only the guest's own end tells.
        match (&mut self.ended).await {
            Ok(Err(failure)) => Some(Err(broken_off(&failure))),
            Err(_) => Some(Err(io::Error::other("the function was ended"))),
            Ok(Ok(())) => broken.map(|error| Err(io::Error::other(error.to_string()))),
        }
    }
}

/// `TimedOut` where the function was ended at its timeout.
fn broken_off(failure: &Failure) -> io::Error {
    let kind = if failure.reason == Reason::Timeout { io::ErrorKind::TimedOut } else { io::ErrorKind::Other };
    io::Error::new(kind, failure.message.clone())
}
