//! The names of spans and of their fields, the same in all rooms.

/// The span of one request at the gateway, HTTP or gRPC; exported by its method and route.
pub const SPAN_HTTP: &str = "http.request";
/// The span of one accepted call, up to its 202.
pub const SPAN_ACCEPT: &str = "invocation.accept";
/// The span of one call whose caller waits, up to the answer.
pub const SPAN_INVOKE: &str = "invocation.invoke";
/// The span of handing one call to the bus.
pub const SPAN_PUBLISH: &str = "invocation.publish";
/// The span of one attempt, from its claim to its settle.
pub const SPAN_ATTEMPT: &str = "invocation.attempt";
/// The span of user code within an attempt.
pub const SPAN_RUN: &str = "invocation.run";
/// The span of a settle.
pub const SPAN_SETTLE: &str = "invocation.settle";

/// 32 hex digits.
pub const TRACE_ID: &str = "trace_id";
pub const INVOCATION_ID: &str = "invocation_id";
pub const NAMESPACE: &str = "namespace";
pub const FUNCTION: &str = "function";
pub const VERSION: &str = "version";
pub const ATTEMPT: &str = "attempt";
pub const STATE: &str = "state";
pub const REASON: &str = "reason";
pub const RUNTIME: &str = "runtime";
pub const HTTP_METHOD: &str = "http.request.method";
pub const HTTP_ROUTE: &str = "http.route";
pub const HTTP_STATUS: &str = "http.response.status_code";
pub const REQUEST_ID: &str = "request_id";

/// The fields of a span that every log line inside it carries.
pub const CONTEXT: [&str; 5] = [TRACE_ID, INVOCATION_ID, NAMESPACE, FUNCTION, ATTEMPT];
