//! What each RPC needs. What is not in the table is denied.

use eventflow_domain::access::Permission;

/// What a method asks of its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anyone, without a token.
    Public,
    /// Anyone with a valid token.
    Authenticated,
    /// A caller with this permission in the namespace of the request.
    Permission(Permission),
}

use Access::{Authenticated, Permission as Needs, Public};
use Permission as P;

/// Every method by its full name, in order.
pub const METHODS: &[(&str, Access)] = &[
    ("eventflow.v1.ArtifactService/UploadArtifact", Needs(P::ArtifactsWrite)),
    ("eventflow.v1.AuthService/GetCaller", Authenticated),
    ("eventflow.v1.AuthService/GetLoginOptions", Public),
    ("eventflow.v1.AuthService/IssueToken", Public),
    ("eventflow.v1.ConfigService/DeleteConfig", Needs(P::ConfigsWrite)),
    ("eventflow.v1.ConfigService/DeleteSecret", Needs(P::ConfigsWrite)),
    ("eventflow.v1.ConfigService/ListConfigs", Needs(P::ConfigsRead)),
    ("eventflow.v1.ConfigService/ListSecrets", Needs(P::ConfigsRead)),
    ("eventflow.v1.ConfigService/PutConfig", Needs(P::ConfigsWrite)),
    ("eventflow.v1.ConfigService/PutSecret", Needs(P::ConfigsWrite)),
    ("eventflow.v1.FunctionService/ApplyFunction", Needs(P::FunctionsWrite)),
    ("eventflow.v1.FunctionService/DeleteFunction", Needs(P::FunctionsWrite)),
    ("eventflow.v1.FunctionService/GetFunction", Needs(P::FunctionsRead)),
    ("eventflow.v1.FunctionService/GetFunctionMetrics", Needs(P::FunctionsRead)),
    ("eventflow.v1.FunctionService/InvokeFunction", Needs(P::FunctionsInvoke)),
    ("eventflow.v1.FunctionService/ListFunctions", Needs(P::FunctionsRead)),
    ("eventflow.v1.FunctionService/ListVersions", Needs(P::FunctionsRead)),
    ("eventflow.v1.FunctionService/PauseFunction", Needs(P::FunctionsWrite)),
    ("eventflow.v1.FunctionService/ResumeFunction", Needs(P::FunctionsWrite)),
    ("eventflow.v1.FunctionService/RollbackFunction", Needs(P::FunctionsWrite)),
    ("eventflow.v1.FunctionService/StreamLogs", Needs(P::LogsRead)),
    ("eventflow.v1.FunctionService/WatchFunctions", Needs(P::FunctionsRead)),
    ("eventflow.v1.FunctionService/WatchStats", Needs(P::FunctionsRead)),
    ("eventflow.v1.InvocationService/CancelInvocation", Needs(P::InvocationsWrite)),
    ("eventflow.v1.InvocationService/CancelInvocations", Needs(P::InvocationsWrite)),
    ("eventflow.v1.InvocationService/DiscardInvocations", Needs(P::InvocationsWrite)),
    ("eventflow.v1.InvocationService/GetInvocation", Needs(P::InvocationsRead)),
    ("eventflow.v1.InvocationService/GetInvocationPayload", Needs(P::InvocationsRead)),
    ("eventflow.v1.InvocationService/GetInvocationResult", Needs(P::InvocationsRead)),
    ("eventflow.v1.InvocationService/ListDeadLetterGroups", Needs(P::InvocationsRead)),
    ("eventflow.v1.InvocationService/ListInvocations", Needs(P::InvocationsRead)),
    ("eventflow.v1.InvocationService/RedriveInvocations", Needs(P::InvocationsWrite)),
    ("eventflow.v1.InvocationService/ReplayInvocation", Needs(P::InvocationsWrite)),
    ("eventflow.v1.InvocationService/ReplayInvocations", Needs(P::InvocationsWrite)),
    ("eventflow.v1.InvocationService/StreamInvocationLogs", Needs(P::LogsRead)),
    ("eventflow.v1.InvocationService/WatchInvocations", Needs(P::InvocationsRead)),
    ("eventflow.v1.SystemService/GetServerInfo", Authenticated),
    ("eventflow.v1.SystemService/ListNamespaces", Authenticated),
    ("grpc.health.v1.Health/Check", Public),
    ("grpc.health.v1.Health/List", Public),
    ("grpc.health.v1.Health/Watch", Public),
    ("grpc.reflection.v1.ServerReflection/ServerReflectionInfo", Public),
    ("grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", Public),
];

/// What a method needs; `None` = denied to everyone. Takes the path of a gRPC request
/// (`/eventflow.v1.FunctionService/GetFunction`), or the same without its first slash.
pub fn access_of(method: &str) -> Option<Access> {
    let method = method.strip_prefix('/').unwrap_or(method);
    let at = METHODS.binary_search_by(|(name, _)| (*name).cmp(method)).ok()?;
    METHODS.get(at).map(|&(_, access)| access)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::fs;

    #[test]
    fn the_table_is_in_order_and_names_each_method_once() {
        assert!(METHODS.is_sorted_by(|a, b| a.0 < b.0));
        for (method, access) in METHODS {
            assert_eq!(access_of(method), Some(*access));
            assert_eq!(access_of(&format!("/{method}")), Some(*access));
        }
    }

    #[test]
    fn what_is_not_in_the_table_is_denied() {
        for method in
            ["", "/", "eventflow.v1.FunctionService", "/eventflow.v1.FunctionService/", "//x", "grpc.x/Y"]
        {
            assert_eq!(access_of(method), None, "{method}");
        }
        assert_eq!(access_of("/eventflow.v1.FunctionService/getFunction"), None);
    }

    /// `package.Service/Method` of every rpc of the public API, read from its sources.
    fn declared() -> BTreeSet<String> {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../proto/eventflow/v1");
        let mut methods = BTreeSet::new();
        for file in fs::read_dir(folder).expect("the API's sources") {
            let text = fs::read_to_string(file.expect("a file").path()).expect("text");
            let mut service = String::new();
            let word = |line: &str| line.split([' ', '(', '{']).next().unwrap_or_default().to_owned();
            for line in text.lines().map(str::trim) {
                if let Some(name) = line.strip_prefix("service ") {
                    service = word(name);
                } else if let Some(name) = line.strip_prefix("rpc ") {
                    methods.insert(format!("eventflow.v1.{service}/{}", word(name)));
                }
            }
        }
        methods
    }

    #[test]
    fn every_rpc_of_the_api_is_in_the_table_and_nothing_else_of_ours() {
        let mapped: BTreeSet<String> = METHODS
            .iter()
            .map(|(name, _)| (*name).to_owned())
            .filter(|name| name.starts_with("eventflow."))
            .collect();
        assert_eq!(declared(), mapped);
    }

    #[test]
    fn only_login_needs_no_token() {
        let public: Vec<_> = METHODS
            .iter()
            .filter(|(name, access)| *access == Public && name.starts_with("eventflow."))
            .map(|(name, _)| *name)
            .collect();
        assert_eq!(
            public,
            ["eventflow.v1.AuthService/GetLoginOptions", "eventflow.v1.AuthService/IssueToken"]
        );
    }
}
