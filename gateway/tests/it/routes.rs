use crate::fake::{gateway, request};
use axum::body::Body;
use eventflow_proto::DESCRIPTOR_SET;
use prost_reflect::DescriptorPool;
use serde_json::Value;
use std::collections::HashSet;

/// Method and template of every annotation, read independently of the gateway.
fn annotated() -> Vec<(String, String)> {
    let pool = DescriptorPool::decode(DESCRIPTOR_SET).expect("descriptors");
    let http = pool.get_extension_by_name("google.api.http").expect("the extension");
    let mut found = Vec::new();
    for method in pool.services().flat_map(|service| service.methods().collect::<Vec<_>>()) {
        let options = method.options();
        let rule = options.get_extension(&http).as_message().expect("a rule").clone();
        let more = rule.get_field_by_name("additional_bindings").expect("bindings").into_owned();
        let more: Vec<_> = more
            .as_list()
            .expect("a list")
            .iter()
            .map(|rule| rule.as_message().expect("a rule").clone())
            .collect();
        let before = found.len();
        for rule in std::iter::once(rule).chain(more) {
            for verb in ["get", "put", "post", "delete", "patch"] {
                let path = rule.get_field_by_name(verb).expect("a field");
                if let Some(path) = path.as_str().filter(|path| !path.is_empty()) {
                    found.push((verb.to_uppercase(), path.to_owned()));
                }
            }
        }
        assert!(found.len() > before, "{} has no route", method.full_name());
    }
    found
}

#[tokio::test]
async fn every_annotated_path_is_routed() {
    let gateway = gateway();
    let routes = annotated();
    assert!(routes.len() > 50, "{}", routes.len());
    for (method, template) in routes {
        let path = template.replace("{namespace}", "ns").replace("{name}", "hello").replace("{id}", "x");
        // A parameter that nothing knows shows that the route itself answered.
        let probe = request(&method, &format!("{path}?no-such-parameter=1")).body(Body::empty()).unwrap();
        let got = gateway.send(probe).await;
        let text = String::from_utf8_lossy(&got.body).into_owned();
        assert!(
            got.status == 400 && text.contains("no-such-parameter"),
            "{method} {template}: {} {text}",
            got.status
        );
        assert!(gateway.counted(&template) || template.ends_with(":invoke"), "{template}");
    }
}

#[tokio::test]
async fn the_openapi_document_holds_every_route_once() {
    let gateway = gateway();
    let got = gateway.get("/openapi.json").await;
    let document = got.json();
    assert_eq!(document["openapi"], "3.1.0");
    let mut ids = HashSet::new();
    for (path, operations) in document["paths"].as_object().expect("paths") {
        for (verb, operation) in
            operations.as_object().expect("operations").iter().filter(|(verb, _)| *verb != "parameters")
        {
            let id = operation["operationId"].as_str().unwrap_or_else(|| panic!("{verb} {path}"));
            assert!(ids.insert(id.to_owned()), "{id} is there twice");
        }
    }
    for (method, template) in annotated() {
        let operation = &document["paths"][&template][method.to_lowercase()];
        assert!(operation.is_object(), "{method} {template}");
        assert_ne!(operation["description"], "", "{method} {template}");
    }
    let shapes: HashSet<String> = document["paths"]
        .as_object()
        .expect("paths")
        .keys()
        .map(|path| {
            path.split('/')
                .map(|part| {
                    if part.starts_with('{') {
                        part.rsplit_once('}').map_or("", |(_, verb)| verb)
                    } else {
                        part
                    }
                })
                .collect::<Vec<_>>()
                .join("/")
        })
        .collect();
    assert_eq!(shapes.len(), document["paths"].as_object().expect("paths").len(), "identical paths");
    assert!(!got.body.windows(4).any(|bytes| bytes == b"null"), "a schema was not made");
    let text = document["components"]["schemas"]["Function"]["properties"]["uid"].clone();
    assert_eq!(text["readOnly"], Value::Bool(true));
}

#[tokio::test]
async fn monitors_are_answered() {
    let gateway = gateway();
    assert_eq!(gateway.get("/healthz").await.status, 200);
    assert_eq!(gateway.get("/readyz").await.status, 200);
    let check = gateway.health.check("store");
    let waiting = gateway.get("/readyz").await;
    assert_eq!((waiting.status, waiting.json()["checks"][0]["name"].as_str()), (503, Some("store")));
    check.ready();
    gateway.health.set_draining();
    assert_eq!(gateway.get("/readyz").await.status, 503);
    let metrics = gateway.get("/metrics").await;
    assert!(metrics.status == 200 && metrics.body.starts_with(b"#"), "{:?}", metrics.body);
    for route in ["/healthz", "/readyz"] {
        assert!(gateway.counted(route), "{route}");
    }
}
