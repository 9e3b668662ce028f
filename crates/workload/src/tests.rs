//! Whole objects, as they are applied.

use super::*;
use eventflow_domain::validate::{Draft, DraftEnvFrom, DraftScaling};
use pretty_assertions::assert_eq;
use serde_json::{Value, json};

const UID: &str = "0a1b2c3d-0000-4000-8000-000000000001";

struct World {
    key: FunctionKey,
    uid: FunctionUid,
    spec: FunctionSpec,
    installation: Installation,
}

impl World {
    fn new(name: &str, draft: &Draft, pod_security: PodSecurity) -> Self {
        let namespace = "media".parse().expect("a name");
        Self {
            key: FunctionKey::new(namespace, name.parse().expect("a name")),
            uid: UID.parse().expect("a uid"),
            spec: draft.validate().expect("valid"),
            installation: Installation { pod_security, ..Installation::default() },
        }
    }

    fn subject(&self) -> Subject<'_> {
        Subject { key: &self.key, uid: self.uid, version: VersionNumber(3), spec: &self.spec }
    }
}

fn nginx() -> Draft {
    Draft {
        image: "nginx:alpine".to_owned(),
        replicas: Some(1),
        env: [("ENV".to_owned(), "production".to_owned())].into(),
        ..Draft::default()
    }
}

fn http() -> Draft {
    Draft {
        image: "registry.example/resize:1.4".to_owned(),
        port: Some(8080),
        scaling: Some(DraftScaling { min: Some(1), max: Some(9), cpu: Some(70), ..DraftScaling::default() }),
        env_from: vec![DraftEnvFrom { secret: Some("keys".to_owned()), config: None }],
        probe_path: Some("/ready".to_owned()),
        labels: [("team".to_owned(), "media".to_owned())].into(),
        image_pull_secrets: vec!["registry".to_owned(), "registry".to_owned()],
        ..Draft::default()
    }
}

fn value(object: &impl k8s_openapi::serde::Serialize) -> Value {
    serde_json::to_value(object).expect("JSON")
}

fn metadata(name: &str, function: &str) -> Value {
    json!({
        "name": name, "namespace": "media",
        "labels": {"function": function, "app.kubernetes.io/managed-by": "eventflow"},
        "ownerReferences": [{"apiVersion": "eventflow.io/v1alpha1", "kind": "Function", "name": function, "uid": UID,
            "controller": true, "blockOwnerDeletion": true}],
    })
}

#[test]
fn the_smallest_manifest_is_a_deployment_under_baseline() {
    let world = World::new("test-func", &nginx(), PodSecurity::Baseline);
    let found = value(&deployment(&world.subject(), &world.installation, Some(1), None));
    let wanted = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata("fn-test-func", "test-func"),
        "spec": {
            "replicas": 1, "progressDeadlineSeconds": 120, "revisionHistoryLimit": 2,
            "selector": {"matchLabels": {"function": "test-func", "eventflow.io/role": "warm"}},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": 0}},
            "template": {
                "metadata": {"labels": {"function": "test-func", "app.kubernetes.io/managed-by": "eventflow",
                    "eventflow.io/role": "warm", "eventflow.io/version": "3"}},
                "spec": {
                    "automountServiceAccountToken": false, "enableServiceLinks": false, "restartPolicy": "Always",
                    "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}},
                    "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "kubernetes.io/hostname",
                        "whenUnsatisfiable": "ScheduleAnyway",
                        "labelSelector": {"matchLabels": {"function": "test-func", "eventflow.io/role": "warm"}}}],
                    "containers": [{
                        "name": "function", "image": "nginx:alpine",
                        "env": [{"name": "ENV", "value": "production"},
                            {"name": "EVENTFLOW_FUNCTION", "value": "test-func"},
                            {"name": "EVENTFLOW_NAMESPACE", "value": "media"},
                            {"name": "EVENTFLOW_VERSION", "value": "3"}],
                        "resources": {"limits": {"cpu": "100m", "memory": "128Mi"},
                            "requests": {"cpu": "100m", "memory": "128Mi"}},
                        "securityContext": {"allowPrivilegeEscalation": false,
                            "capabilities": {"drop": ["NET_RAW"]}},
                        "terminationMessagePolicy": "FallbackToLogsOnError",
                    }],
                },
            },
        },
    });
    assert_eq!(found, wanted);
}

#[test]
fn the_smallest_manifest_is_a_service_on_port_80() {
    let world = World::new("test-func", &nginx(), PodSecurity::Baseline);
    let wanted = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": metadata("fn-test-func", "test-func"),
        "spec": {"type": "ClusterIP", "selector": {"function": "test-func", "eventflow.io/role": "warm"},
            "ports": [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": 80}]},
    });
    assert_eq!(value(&service(&world.subject())), wanted);
}

#[test]
fn an_http_function_is_probed_confined_and_told_its_port() {
    let world = World::new("resize", &http(), PodSecurity::Restricted);
    let template = pod_template(&world.subject(), Role::Warm, &world.installation, Some("d1"));
    let found = value(&template);
    assert_eq!(
        found["metadata"],
        json!({"annotations": {"eventflow.io/config-digest": "d1"}, "labels": {"team": "media", "function": "resize",
            "app.kubernetes.io/managed-by": "eventflow", "eventflow.io/role": "warm", "eventflow.io/version": "3"}})
    );
    let container = &found["spec"]["containers"][0];
    assert_eq!(
        found["spec"]["securityContext"],
        json!({"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}})
    );
    assert_eq!(found["spec"]["imagePullSecrets"], json!([{"name": "registry"}]));
    assert_eq!(found["spec"]["volumes"], json!([{"name": "tmp", "emptyDir": {"sizeLimit": "256Mi"}}]));
    assert_eq!(
        container["securityContext"],
        json!({"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}, "readOnlyRootFilesystem": true,
            "runAsNonRoot": true})
    );
    assert_eq!(
        container["readinessProbe"],
        json!({"httpGet": {"path": "/ready", "port": 8080}, "periodSeconds": 1,
        "timeoutSeconds": 2, "failureThreshold": 3})
    );
    assert_eq!(container["ports"], json!([{"name": "http", "containerPort": 8080, "protocol": "TCP"}]));
    assert_eq!(container["envFrom"], json!([{"secretRef": {"name": "keys"}}]));
    assert!(container["env"].as_array().expect("env").contains(&json!({"name": "PORT", "value": "8080"})));
}

#[test]
fn a_job_is_the_same_pod_without_what_only_servers_need() {
    let world = World::new("resize", &http(), PodSecurity::Restricted);
    let of = |role| value(&pod_template(&world.subject(), role, &world.installation, None));
    let (warm, job) = (of(Role::Warm), of(Role::Job));
    assert_eq!(job["spec"]["restartPolicy"], "Never");
    assert_eq!(job["metadata"]["labels"]["eventflow.io/role"], "job");
    for key in ["image", "resources", "securityContext", "volumeMounts", "envFrom"] {
        assert_eq!(job["spec"]["containers"][0][key], warm["spec"]["containers"][0][key], "{key}");
    }
    let container = &job["spec"]["containers"][0];
    assert!(container["readinessProbe"].is_null() && container["ports"].is_null());
}

#[test]
fn cpu_scaling_is_a_horizontal_pod_autoscaler() {
    let world = World::new("resize", &http(), PodSecurity::Restricted);
    let wanted = json!({
        "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": metadata("fn-resize", "resize"),
        "spec": {"minReplicas": 1, "maxReplicas": 9,
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "fn-resize"},
            "metrics": [{"type": "Resource", "resource": {"name": "cpu",
                "target": {"type": "Utilization", "averageUtilization": 70}}}]},
    });
    assert_eq!(autoscaler(&world.subject()).as_ref().map(value), Some(wanted));
    let world = World::new("test-func", &nginx(), PodSecurity::Restricted);
    assert_eq!(autoscaler(&world.subject()), None);
}

#[test]
fn replicas_have_one_owner() {
    let of = |draft: &Draft| copies(&draft.validate().expect("valid"));
    let scaling = |min, cpu| Some(DraftScaling { min: Some(min), cpu, ..DraftScaling::default() });
    let image = || Draft { image: "a".to_owned(), ..Draft::default() };
    assert_eq!(of(&nginx()), Copies::Operator(1));
    assert_eq!(of(&http()), Copies::Autoscaler { start: 1 });
    assert_eq!(of(&Draft { scaling: scaling(0, None), ..image() }), Copies::Dispatcher { start: 0 });
    assert_eq!(of(&Draft { port: Some(80), replicas: Some(0), ..image() }), Copies::Dispatcher { start: 0 });
    assert_eq!(of(&image()), Copies::Operator(0));
    assert!(!has_copies(&image().validate().expect("valid")), "a job without warm copies");
}

#[test]
fn pods_hear_the_dispatchers_only_and_reach_no_private_address() {
    let world = World::new("resize", &http(), PodSecurity::Restricted);
    let policies: Vec<_> =
        network_policies(&world.subject(), &world.installation).iter().map(value).collect();
    let names: Vec<_> = policies.iter().filter_map(|policy| policy["metadata"]["name"].as_str()).collect();
    assert_eq!(names, ["fn-resize", "fn-resize.job"]);
    let peer = |apps: Value| {
        json!({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "eventflow"}},
        "podSelector": {"matchExpressions": [{"key": "app", "operator": "In", "values": apps}]}})
    };
    assert_eq!(
        policies[0]["spec"]["ingress"],
        json!([{"from": [peer(json!(["eventflow-dispatcher", "eventflow-gateway"]))],
            "ports": [{"port": 8080, "protocol": "TCP"}]}])
    );
    assert!(policies[1]["spec"]["ingress"].is_null(), "nobody calls a Job's pod");
    let to_dispatcher = json!({"to": [peer(json!(["eventflow-dispatcher"]))],
        "ports": [{"port": 8080, "protocol": "TCP"}]});
    let out = |policy: &Value| policy["spec"]["egress"].as_array().expect("rules").clone();
    assert!(out(&policies[1]).contains(&to_dispatcher) && !out(&policies[0]).contains(&to_dispatcher));
    for policy in &policies {
        assert_eq!(policy["spec"]["policyTypes"], json!(["Ingress", "Egress"]));
        let internet = &policy["spec"]["egress"][1]["to"][0]["ipBlock"];
        assert_eq!(internet["cidr"], "0.0.0.0/0");
        for range in ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16"] {
            assert!(internet["except"].as_array().expect("ranges").contains(&json!(range)), "{range}");
        }
    }
}

#[test]
fn wasm_has_neither_pods_nor_policies() {
    let wasm = Draft {
        image: format!("artifact@sha256:{}", "ab".repeat(32)),
        runtime: Some(eventflow_domain::RuntimeKind::Wasm),
        port: Some(80),
        ..Draft::default()
    };
    let world = World::new("lean", &wasm, PodSecurity::Restricted);
    assert!(!has_copies(&world.spec));
    assert!(network_policies(&world.subject(), &world.installation).is_empty());
}

#[test]
fn a_value_is_taken_as_it_is_written() {
    let draft = Draft { env: [("A".to_owned(), "$(PORT) $x".to_owned())].into(), ..nginx() };
    let world = World::new("a", &draft, PodSecurity::Baseline);
    let template = value(&pod_template(&world.subject(), Role::Job, &world.installation, None));
    assert_eq!(template["spec"]["containers"][0]["env"][0], json!({"name": "A", "value": "$$(PORT) $x"}));
}
