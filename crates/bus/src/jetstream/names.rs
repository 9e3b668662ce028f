//! Subjects and names on the server. Function names and namespaces are DNS labels, so they are one token each and
//! need no escape; `_`, which no label has, joins them.

use super::config::Config;
use eventflow_domain::{FunctionKey, InvocationId};

#[derive(Debug)]
pub(super) struct Names {
    pub(super) events_stream: String,
    pub(super) function_events_stream: String,
    /// With the dot behind it.
    invoke: String,
    /// Where the publish probe goes: part of the stream of work, of no consumer.
    pub(super) probe: String,
    /// The stream that tells a full disk from a stream that takes nothing any more, and its only subject.
    pub(super) scratch_stream: String,
    pub(super) scratch: String,
    /// That the stream of work was made anew, told to all over core NATS.
    pub(super) renewed: String,
    /// Who has new messages, told to all dispatchers over core NATS.
    pub(super) active: String,
    /// With the dot behind it.
    live: String,
    /// With the dot behind it.
    function: String,
}

impl Names {
    pub(super) fn new(config: &Config) -> Self {
        let prefix = &config.subject_prefix;
        Self {
            events_stream: config.events_stream.clone(),
            function_events_stream: config.function_events_stream.clone(),
            invoke: format!("{prefix}.events.invoke."),
            probe: format!("{prefix}.events.probe"),
            scratch_stream: format!("{}_SCRATCH", config.events_stream),
            scratch: format!("{prefix}.events.scratch"),
            renewed: format!("{prefix}.renewed"),
            active: format!("{prefix}.active"),
            live: format!("{prefix}.live."),
            function: format!("{}.", config.function_prefix),
        }
    }

    pub(super) fn events_subjects(&self) -> Vec<String> {
        vec![format!("{}*.*", self.invoke), self.probe.clone()]
    }

    pub(super) fn all_invokes(&self) -> String {
        format!("{}*.*", self.invoke)
    }

    pub(super) fn function_subjects(&self) -> Vec<String> {
        ["created", "updated", "deleted", "invoked"]
            .map(|what| format!("{}{what}.*.*", self.function))
            .to_vec()
    }

    pub(super) fn invoke(&self, function: &FunctionKey) -> String {
        format!("{}{}.{}", self.invoke, function.namespace, function.name)
    }

    /// Whose message this is; `None` where the subject is none of ours.
    pub(super) fn function_of(&self, subject: &str) -> Option<FunctionKey> {
        let (namespace, name) = subject.strip_prefix(&self.invoke)?.split_once('.')?;
        function(namespace, name)
    }

    /// The consumer of a function; at most 108 characters.
    pub(super) fn consumer(function: &FunctionKey) -> String {
        format!("{}_{}", function.namespace, function.name)
    }

    /// The function whose consumer has this name, if it is one of ours.
    pub(super) fn consumer_of(name: &str) -> Option<FunctionKey> {
        let (namespace, name) = name.split_once('_')?;
        function(namespace, name)
    }

    pub(super) fn cloud_event(&self, what: &str, function: &FunctionKey) -> String {
        format!("{}{what}.{}.{}", self.function, function.namespace, function.name)
    }

    /// A subject of the stream of CloudEvents that none is ever sent to.
    pub(super) fn event_of_nobody(&self) -> String {
        format!("{}created.-.-", self.function)
    }

    pub(super) fn live(
        &self,
        kind: LiveKind,
        function: &FunctionKey,
        invocation: Option<InvocationId>,
    ) -> String {
        let (live, kind) = (&self.live, kind.token());
        match invocation {
            Some(id) => format!("{live}{kind}.{}.{}.{id}", function.namespace, function.name),
            None => format!("{live}{kind}.{}.{}.-", function.namespace, function.name),
        }
    }

    pub(super) fn live_of_invocation(&self, invocation: InvocationId) -> String {
        format!("{}*.*.*.{invocation}", self.live)
    }

    pub(super) fn live_of_function(&self, function: &FunctionKey) -> String {
        format!("{}*.{}.{}.*", self.live, function.namespace, function.name)
    }

    pub(super) fn changes(&self) -> String {
        format!("{}{}.>", self.live, LiveKind::Changed.token())
    }

    pub(super) fn cancels(&self) -> String {
        format!("{}cancel", self.live)
    }

    /// Kind, function and call of a live subject.
    pub(super) fn live_parts(&self, subject: &str) -> Option<(LiveKind, FunctionKey, Option<InvocationId>)> {
        let mut tokens = subject.strip_prefix(&self.live)?.split('.');
        let kind = LiveKind::of(tokens.next()?)?;
        let function = function(tokens.next()?, tokens.next()?)?;
        let invocation = match tokens.next()? {
            "-" => None,
            id => Some(id.parse().ok()?),
        };
        tokens.next().is_none().then_some((kind, function, invocation))
    }
}

/// What a live subject begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LiveKind {
    /// Lines as they were announced; named by their call where they are of one only.
    Lines,
    /// The lines of one call out of several, for its own listeners.
    Part,
    Changed,
}

impl LiveKind {
    fn token(self) -> &'static str {
        match self {
            Self::Lines => "lines",
            Self::Part => "part",
            Self::Changed => "changed",
        }
    }

    fn of(token: &str) -> Option<Self> {
        [Self::Lines, Self::Part, Self::Changed].into_iter().find(|kind| kind.token() == token)
    }
}

pub(super) fn function(namespace: &str, name: &str) -> Option<FunctionKey> {
    Some(FunctionKey::new(namespace.parse().ok()?, name.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use eventflow_testkit::key;

    #[test]
    fn names_survive_their_subjects_and_strangers_are_refused() {
        let names = Names::new(&Config::default());
        let function = key("a-b");
        assert_eq!(names.invoke(&function), "eventflow.events.invoke.default.a-b");
        assert_eq!(names.function_of(&names.invoke(&function)), Some(function.clone()));
        assert_eq!(Names::consumer(&function), "default_a-b");
        assert_eq!(Names::consumer_of("default_a-b"), Some(function.clone()));
        for subject in [
            "eventflow.events.invoke.default",
            "eventflow.events.invoke.default.a.b",
            "eventflow.events.invoke.*.>",
            "eventflow.events.invoke.Default.f",
            "x.events.invoke.default.f",
        ] {
            assert_eq!(names.function_of(subject), None, "{subject}");
        }
        let id = InvocationId::generate();
        let subject = names.live(LiveKind::Changed, &function, Some(id));
        assert_eq!(names.live_parts(&subject), Some((LiveKind::Changed, function.clone(), Some(id))));
        let subject = names.live(LiveKind::Lines, &function, None);
        assert_eq!(names.live_parts(&subject), Some((LiveKind::Lines, function, None)));
    }
}
