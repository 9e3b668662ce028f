use serde_json::Value;

fn schema() -> Value {
    let definition = serde_json::to_value(eventflow_crd::definition()).expect("JSON");
    definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone()
}

/// Each node of the schema with its path.
fn walk(schema: &Value, path: &str, visit: &mut impl FnMut(&str, &Value)) {
    visit(path, schema);
    for (name, child) in schema["properties"].as_object().into_iter().flatten() {
        walk(child, &format!("{path}.{name}"), visit);
    }
    for inner in ["items", "additionalProperties"] {
        if schema[inner].is_object() {
            walk(&schema[inner], &format!("{path}[]"), visit);
        }
    }
}

#[test]
fn the_committed_definition_is_what_the_types_say() {
    let committed = include_str!("../../../../deploy/kustomize/base/crd/functions.eventflow.io.yaml");
    let fresh = eventflow_crd::definition_yaml().expect("YAML");
    assert!(committed.ends_with(&fresh), "run `cargo xtask codegen` and commit the result");
}

#[test]
fn every_field_is_described() {
    let mut bare = Vec::new();
    walk(&schema()["properties"]["spec"], "spec", &mut |path, node| {
        let described = node["description"].as_str().is_some_and(|text| !text.is_empty());
        if !described && !path.ends_with("[]") {
            bare.push(path.to_owned());
        }
    });
    assert!(bare.is_empty(), "{bare:?}");
}

#[test]
fn every_rule_has_a_message_and_every_text_under_a_rule_a_bound() {
    let (mut rules, mut bad) = (0, Vec::new());
    walk(&schema(), "", &mut |path, node| {
        for rule in node["x-kubernetes-validations"].as_array().into_iter().flatten() {
            rules += 1;
            if rule["message"].as_str().is_none_or(str::is_empty) {
                bad.push(format!("{path}: no message"));
            }
            if node["type"] == "string" && node["maxLength"].is_null() {
                bad.push(format!("{path}: no maxLength"));
            }
        }
    });
    assert!(bad.is_empty(), "{bad:?}");
    assert!(rules >= 18, "only {rules} rules");
}

#[test]
fn kubectl_sees_short_name_category_subresources_and_columns() {
    let definition = serde_json::to_value(eventflow_crd::definition()).expect("JSON");
    assert_eq!(definition["metadata"]["name"], "functions.eventflow.io");
    assert_eq!(definition["spec"]["names"]["shortNames"][0], "fn");
    assert_eq!(definition["spec"]["names"]["categories"][0], "eventflow");
    let version = &definition["spec"]["versions"][0];
    assert_eq!(version["subresources"]["scale"]["labelSelectorPath"], ".status.selector");
    assert!(version["subresources"]["status"].is_object());
    let columns: Vec<_> = version["additionalPrinterColumns"].as_array().expect("columns").iter().collect();
    let names: Vec<_> = columns.iter().filter_map(|column| column["name"].as_str()).collect();
    assert_eq!(names, ["Ready", "Reason", "Mode", "Replicas", "Version", "Age", "Image", "URL"]);
}
