//! A thousand edits made from the schema: each reaches its state or says why not.

use crate::support::{Room, Running, is_settled, within};
use eventflow_testkit::servers::kubernetes::Mode;
use eventflow_workload::{Copies, copies, has_copies};
use futures::StreamExt as _;
use k8s_openapi::api::apps::v1::Deployment;
use kube::api::ListParams;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::time::Duration;

const FUNCTIONS: usize = 50;
const ROUNDS: usize = 20;

/// What texts of a format may be, good ones and bad ones.
fn texts(path: &str) -> &'static [&'static str] {
    match path {
        "image" => &["a", "b", "nginx:alpine", "registry.example/x:1", "A", "a b", "a//b", ""],
        "timeout" | "startDeadline" => &["30s", "1m30s", "1h", "1d", "2d", "0s", "5x", ""],
        "retry.backoff.initial" | "retry.backoff.max" => &["1s", "2m", "500ms", "25h", "x"],
        "queue.maxAge" => &["24h", "1h", "1s", "31d", "y"],
        "resources.cpu" => &["250m", "1", "0.5", "1000m", "0", "999", "12xyz"],
        "resources.memory" => &["64Mi", "128Mi", "1Gi", "1000000k", "1", "12xyz"],
        "probe.path" => &["/", "/healthz", "healthz"],
        "egress[]" => &["api.example.com:443", "10.0.0.1:80", "nohost", "db.media.svc:5432"],
        "envFrom[].secretRef.name" | "envFrom[].configMapRef.name" => &["there", "absent", "Not/A/Name"],
        "imagePullSecrets[]" => &["registry", "Bad Name"],
        "tolerations[].operator" => &["", "Equal", "Exists", "Near"],
        "tolerations[].effect" => &["", "NoSchedule", "NoExecute", "Never"],
        _ => &["x", "y", "z-1"],
    }
}

fn keys(path: &str) -> &'static [&'static str] {
    match path {
        "env" => &["A", "B_2", "PORT", "1X"],
        "labels" => &["team", "eventflow.io/role", "function"],
        _ => &["disk", "example.com/zone", "bad key"],
    }
}

/// A value of the schema; now and then one that is not.
fn value(schema: &Value, path: &str, rng: &mut StdRng) -> Value {
    if let Some(choices) = schema["enum"].as_array() {
        return choices.choose(rng).cloned().unwrap_or(Value::Null);
    }
    match schema["type"].as_str() {
        Some("integer") => {
            let bound = |key: &str, or: i64| schema[key].as_f64().map_or(or, |n| n as i64);
            let (min, max) = (bound("minimum", 0), bound("maximum", 100).min(30));
            json!(if rng.random_ratio(1, 12) { min - 1 } else { rng.random_range(min..=max.max(min)) })
        }
        Some("number") => json!(if rng.random_ratio(1, 12) { -1.0 } else { 1.0 }),
        Some("boolean") => json!(rng.random_bool(0.5)),
        Some("array") => {
            let items =
                (0..rng.random_range(0..3)).map(|_| value(&schema["items"], &format!("{path}[]"), rng));
            Value::Array(items.collect())
        }
        Some("object") if schema["properties"].is_object() => object(schema, path, rng),
        Some("object") => {
            let pairs = keys(path).iter().filter(|_| rng.random_ratio(1, 3)).map(|key| (*key).to_owned());
            Value::Object(pairs.map(|key| (key, json!("v1"))).collect())
        }
        _ => good_or_bad(texts(path), rng),
    }
}

/// The first ones are good.
fn good_or_bad(texts: &[&str], rng: &mut StdRng) -> Value {
    let half = texts.len().div_ceil(2);
    let from = if rng.random_ratio(1, 10) { texts } else { texts.get(..half).unwrap_or(texts) };
    json!(from.choose(rng).copied().unwrap_or_default())
}

fn object(schema: &Value, path: &str, rng: &mut StdRng) -> Value {
    let mut made = Map::new();
    for (name, child) in schema["properties"].as_object().into_iter().flatten() {
        let inner = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        let required = schema["required"].as_array().is_some_and(|all| all.contains(&json!(name)));
        let often = matches!(inner.as_str(), "image" | "port" | "replicas");
        if required || rng.random_ratio(if often { 3 } else { 1 }, if often { 4 } else { 6 }) {
            made.insert(name.clone(), value(child, &inner, rng));
        }
    }
    Value::Object(made)
}

/// Whether what is there is what is declared, or why it is not is said.
fn wrong(function: &eventflow_crd::Function, deployments: &HashMap<String, Deployment>) -> Option<String> {
    let name = function.metadata.name.as_deref().unwrap_or_default();
    let status = function.status.clone().unwrap_or_default();
    let reason = status.condition("Ready").map(|ready| ready.reason.clone()).unwrap_or_default();
    let Ok((_, spec)) = eventflow_crd::validate(function) else {
        return (reason != "InvalidSpec").then(|| format!("{name}: is refused, but says {reason}"));
    };
    if reason == "InvalidSpec" {
        return Some(format!("{name}: is fine, but says InvalidSpec"));
    }
    let degraded = status.condition("Degraded").filter(|degraded| degraded.status == "True");
    if let Some(degraded) = degraded {
        return Some(format!("{name}: {}: {}", degraded.reason, degraded.message));
    }
    let deployment = deployments.get(&format!("fn-{name}"));
    if deployment.is_some() != has_copies(&spec) {
        return Some(format!(
            "{name}: a Deployment: {}, wanted: {}",
            deployment.is_some(),
            has_copies(&spec)
        ));
    }
    let deployment = serde_json::to_value(deployment?).expect("JSON");
    let template = &deployment["spec"]["template"];
    let version = status.latest_version.unwrap_or_default().to_string();
    let image = spec.image.as_ref().map(ToString::to_string).unwrap_or_default();
    if template["metadata"]["labels"]["eventflow.io/version"] != json!(version) {
        return Some(format!("{name}: runs another version than {version}"));
    }
    if template["spec"]["containers"][0]["image"] != json!(image) {
        return Some(format!("{name}: runs another image than {image}"));
    }
    if let Copies::Operator(wanted) = copies(&spec)
        && deployment["spec"]["replicas"] != json!(wanted)
    {
        return Some(format!("{name}: has {} copies, wanted {wanted}", deployment["spec"]["replicas"]));
    }
    None
}

#[tokio::test]
async fn a_thousand_edits_each_reach_their_state_or_say_why_not() {
    let room = Room::new(Mode::Api).await;
    let seed = rand::random();
    println!("seed {seed}");
    let mut rng = StdRng::seed_from_u64(seed);
    for kind in ["Secret", "ConfigMap"] {
        let object = format!(
            "apiVersion: v1\nkind: {kind}\nmetadata: {{name: there, namespace: {}}}\n",
            room.namespace
        );
        room.cluster.apply(&object).await;
    }
    let definition = serde_json::to_value(eventflow_crd::definition()).expect("JSON");
    let schema = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"].clone();
    let operator = Running::start(&room).await;
    let (mut taken, mut refused) = (0, 0);
    for round in 0..ROUNDS {
        let edits: Vec<_> =
            (0..FUNCTIONS).map(|n| (format!("f{n}"), object(&schema, "", &mut rng))).collect();
        let answers = futures::stream::iter(&edits).map(|(name, spec)| room.declare(name, spec));
        let answers: Vec<_> = answers.buffer_unordered(8).collect().await;
        for answer in answers {
            match answer {
                Ok(_) => taken += 1,
                Err(kube::Error::Api(status)) => {
                    assert!(matches!(status.code, 400 | 422), "seed {seed}: {status:?}");
                    assert!(status.message.contains("spec"), "seed {seed}: {}", status.message);
                    refused += 1;
                }
                Err(error) => panic!("seed {seed}: {error}"),
            }
        }
        settle(&room, seed, round).await;
    }
    println!("{taken} taken, {refused} refused");
    assert!(taken >= 300 && refused >= 50, "taken {taken}, refused {refused}: the edits are too much alike");
    // What has settled stays so.
    operator.audit.forget();
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(operator.audit.writes(), Vec::<String>::new(), "seed {seed}");
}

async fn settle(room: &Room, seed: u64, round: usize) {
    let last = std::cell::RefCell::new(Vec::new());
    let settled = within(crate::support::PATIENCE, || async {
        let functions = room.functions().list(&ListParams::default()).await.ok()?.items;
        let deployments = room.api::<Deployment>().list(&ListParams::default()).await.ok()?.items;
        let deployments: HashMap<_, _> = deployments
            .into_iter()
            .map(|found| (found.metadata.name.clone().unwrap_or_default(), found))
            .collect();
        let mut bad: Vec<_> = functions.iter().filter_map(|function| wrong(function, &deployments)).collect();
        bad.extend(
            functions
                .iter()
                .filter(|f| !is_settled(f))
                .map(|f| format!("{:?} is not settled", f.metadata.name)),
        );
        *last.borrow_mut() = bad;
        last.borrow().is_empty().then_some(())
    });
    assert!(settled.await.is_some(), "seed {seed}, round {round}: {:#?}", last.borrow());
}
