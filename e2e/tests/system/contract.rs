//! What the contract holds: every RPC, and every REST route that its annotations make.

use prost_reflect::{DescriptorPool, MethodDescriptor, Value};

/// A REST route.
#[derive(Debug)]
pub(crate) struct Binding {
    pub(crate) rpc: String,
    pub(crate) method: &'static str,
    pub(crate) path: String,
}

fn methods() -> Vec<MethodDescriptor> {
    let pool = DescriptorPool::decode(eventflow_proto::DESCRIPTOR_SET).unwrap();
    let ours = pool.services().filter(|service| service.full_name().starts_with("eventflow."));
    ours.flat_map(|service| service.methods().collect::<Vec<_>>()).collect()
}

fn rpc(method: &MethodDescriptor) -> String {
    format!("/{}/{}", method.parent_service().full_name(), method.name())
}

/// `/eventflow.v1.FunctionService/ApplyFunction` and so on.
pub(crate) fn rpcs() -> Vec<String> {
    methods().iter().map(rpc).collect()
}

/// Every route, with its variables as in `{name}`.
pub(crate) fn bindings() -> Vec<Binding> {
    let mut found = Vec::new();
    for method in methods() {
        let options = method.options();
        let http = method.parent_pool().get_extension_by_name("google.api.http").unwrap();
        let rule = options.get_extension(&http);
        let rule = rule.as_message().unwrap();
        let more = rule.get_field_by_name("additional_bindings").unwrap();
        let more = more.as_list().unwrap().iter().filter_map(Value::as_message);
        for rule in std::iter::once(rule).chain(more) {
            for verb in ["get", "put", "post", "delete", "patch"] {
                let path = rule.get_field_by_name(verb).unwrap();
                let path = path.as_str().unwrap().to_owned();
                if !path.is_empty() {
                    let method_name = match verb {
                        "get" => "GET",
                        "put" => "PUT",
                        "post" => "POST",
                        "delete" => "DELETE",
                        _ => "PATCH",
                    };
                    found.push(Binding { rpc: rpc(&method), method: method_name, path });
                }
            }
        }
    }
    found
}
