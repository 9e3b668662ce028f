//! Amounts as the API server prints them: what is written is what is read back, so that nothing differs for ever.

use eventflow_domain::quantity::Memory;
use eventflow_domain::spec::Resources;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use std::collections::BTreeMap;

/// Requests and limits.
pub fn quantities(resources: &Resources) -> BTreeMap<String, Quantity> {
    [
        ("cpu".to_owned(), Quantity(resources.cpu.to_string())),
        ("memory".to_owned(), Quantity(memory(resources.memory))),
    ]
    .into()
}

fn memory(Memory(bytes): Memory) -> String {
    let binary = [("Ti", 1u64 << 40), ("Gi", 1 << 30), ("Mi", 1 << 20), ("Ki", 1 << 10)];
    let decimal = [("T", 1_000_000_000_000), ("G", 1_000_000_000), ("M", 1_000_000), ("k", 1_000)];
    let fits =
        binary.into_iter().chain(decimal).find(|(_, size)| bytes >= *size && bytes.is_multiple_of(*size));
    fits.map_or_else(|| bytes.to_string(), |(unit, size)| format!("{}{unit}", bytes / size))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_in_the_form_that_the_api_server_keeps() {
        let forms = [(128 << 20, "128Mi"), (1 << 40, "1Ti"), (1_000, "1k"), (1_500_000, "1500k"), (7, "7")];
        for (bytes, text) in forms {
            assert_eq!(memory(Memory(bytes)), text);
        }
    }
}
