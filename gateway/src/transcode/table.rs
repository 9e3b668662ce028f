//! The routes, read once from the `google.api.http` annotations.

use super::pattern::{Path, Pattern, PatternError};
use crate::context::RouteLabel;
use http::uri::PathAndQuery;
use http::{HeaderValue, Method};
use prost_reflect::{
    DescriptorPool, DynamicMessage, ExtensionDescriptor, FieldDescriptor, Kind, MessageDescriptor,
    MethodDescriptor,
};
use std::sync::Arc;

/// Why the routes of a contract cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    #[error("failed to read the descriptors")]
    Descriptors(#[source] prost_reflect::DescriptorError),
    #[error("the descriptors hold no google.api.http: a set that went through prost-types has lost it")]
    NoAnnotations,
    #[error(transparent)]
    Pattern(#[from] PatternError),
    #[error("{rpc}: {problem}")]
    Rule { rpc: String, problem: String },
}

/// An RPC, as far as calling it needs.
#[derive(Debug)]
pub(crate) struct Rpc {
    pub(crate) descriptor: MethodDescriptor,
    /// `/package.Service/Method`
    pub(crate) path: PathAndQuery,
    /// The request holds bytes somewhere: its JSON may be as large as a payload.
    pub(crate) carries_bytes: bool,
}

impl Rpc {
    pub(crate) fn input(&self) -> MessageDescriptor {
        self.descriptor.input()
    }
}

/// What of the request message the body is.
#[derive(Debug, Clone)]
pub(crate) enum BodyRule {
    None,
    All,
    Field(FieldDescriptor),
}

/// One method and path of one RPC.
#[derive(Debug)]
pub(crate) struct Binding {
    pub(crate) method: Method,
    pub(crate) template: &'static str,
    pub(crate) pattern: Pattern,
    pub(crate) rpc: Arc<Rpc>,
    pub(crate) body: BodyRule,
    /// The field of the response that is the answer; none: all of it.
    pub(crate) answer: Option<FieldDescriptor>,
    /// The fields that the path holds, in its order.
    pub(crate) fields: Vec<FieldDescriptor>,
}

/// The message that carries raw bytes with their content type.
pub(crate) fn is_http_body(message: &MessageDescriptor) -> bool {
    message.full_name() == "google.api.HttpBody"
}

/// Whether the field is a `google.api.HttpBody`.
pub(crate) fn is_raw(field: &FieldDescriptor) -> bool {
    !field.is_list() && matches!(field.kind(), Kind::Message(message) if is_http_body(&message))
}

#[derive(Debug)]
pub(crate) struct Table {
    bindings: Vec<Binding>,
}

/// What a path leads to.
pub(crate) enum Found<'t, 'p> {
    Route(&'t Binding, Vec<&'p str>),
    /// The path is there, for these methods.
    OtherMethod(HeaderValue),
    Nothing,
}

impl Table {
    pub(crate) fn new(pool: &DescriptorPool) -> Result<Self, TableError> {
        let http = pool.get_extension_by_name("google.api.http").ok_or(TableError::NoAnnotations)?;
        let mut bindings = Vec::new();
        for method in pool.services().flat_map(|service| service.methods().collect::<Vec<_>>()) {
            read_rules(&method, &http, &mut bindings)?;
        }
        bindings.sort_by_key(|binding| binding.pattern.rank());
        Ok(Self { bindings })
    }

    pub(crate) fn bindings(&self) -> &[Binding] {
        &self.bindings
    }

    pub(crate) fn find<'p>(&self, method: &Method, path: &'p str) -> Found<'_, 'p> {
        let Some(path) = Path::split(path) else { return Found::Nothing };
        let mut allowed: Vec<&str> = Vec::new();
        for binding in &self.bindings {
            let Some(values) = binding.pattern.matches(&path) else { continue };
            let head = method == Method::HEAD && binding.answers_head();
            if head || *method == binding.method {
                return Found::Route(binding, values);
            }
            allowed.push(binding.method.as_str());
            if binding.answers_head() {
                allowed.push("HEAD");
            }
        }
        allowed.sort_unstable();
        allowed.dedup();
        match HeaderValue::from_str(&allowed.join(", ")) {
            Ok(allow) if !allowed.is_empty() => Found::OtherMethod(allow),
            _ => Found::Nothing,
        }
    }
}

impl Binding {
    fn answers_head(&self) -> bool {
        self.method == Method::GET && !self.rpc.descriptor.is_server_streaming()
    }
}

fn read_rules(
    method: &MethodDescriptor,
    http: &ExtensionDescriptor,
    bindings: &mut Vec<Binding>,
) -> Result<(), TableError> {
    let options = method.options();
    if !options.has_extension(http) {
        return Ok(());
    }
    let fault = |problem: String| TableError::Rule { rpc: method.full_name().to_owned(), problem };
    let path = format!("/{}/{}", method.parent_service().full_name(), method.name());
    let rpc = Arc::new(Rpc {
        descriptor: method.clone(),
        path: PathAndQuery::try_from(path).map_err(|error| fault(error.to_string()))?,
        carries_bytes: carries_bytes(&method.input(), 4),
    });
    let extension = options.get_extension(http);
    let rule = extension.as_message().ok_or_else(|| fault("the annotation is no message".to_owned()))?;
    bindings.push(read_rule(rule, &rpc)?);
    let more = rule.get_field_by_name("additional_bindings");
    for rule in more.iter().filter_map(|more| more.as_list()).flatten().filter_map(|rule| rule.as_message()) {
        bindings.push(read_rule(rule, &rpc)?);
    }
    Ok(())
}

fn carries_bytes(message: &MessageDescriptor, depth: u8) -> bool {
    message.fields().any(|field| match field.kind() {
        Kind::Bytes => true,
        Kind::Message(inner) if depth > 0 => carries_bytes(&inner, depth - 1),
        _ => false,
    })
}

fn text(rule: &DynamicMessage, name: &str) -> Option<String> {
    let value = rule.get_field_by_name(name)?;
    value.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

fn read_rule(rule: &DynamicMessage, rpc: &Arc<Rpc>) -> Result<Binding, TableError> {
    let fault = |problem: String| TableError::Rule { rpc: rpc.descriptor.full_name().to_owned(), problem };
    let methods = [
        (Method::GET, "get"),
        (Method::PUT, "put"),
        (Method::POST, "post"),
        (Method::DELETE, "delete"),
        (Method::PATCH, "patch"),
    ];
    let (method, template) = methods
        .into_iter()
        .find_map(|(method, name)| Some((method, text(rule, name)?)))
        .ok_or_else(|| fault("has no method that we know".to_owned()))?;
    let pattern = Pattern::parse(&template)?;
    let field = |message: &MessageDescriptor, name: &str| {
        message
            .get_field_by_name(name)
            .ok_or_else(|| fault(format!("{template}: there is no field {name:?}")))
    };
    let input = rpc.input();
    let body = match text(rule, "body").as_deref() {
        None => BodyRule::None,
        Some("*") => BodyRule::All,
        Some(name) => BodyRule::Field(field(&input, name)?),
    };
    let answer = match text(rule, "response_body") {
        None => None,
        Some(name) => Some(field(&rpc.descriptor.output(), &name)?),
    };
    let fields = pattern.fields().map(|name| field(&input, name)).collect::<Result<Vec<_>, _>>()?;
    if let Some(odd) = fields.iter().find(|field| field.kind() != Kind::String || field.is_list()) {
        return Err(fault(format!("{template}: field {:?} is not one string", odd.name())));
    }
    Ok(Binding {
        method,
        template: RouteLabel::keep(template),
        pattern,
        rpc: Arc::clone(rpc),
        body,
        answer,
        fields,
    })
}
