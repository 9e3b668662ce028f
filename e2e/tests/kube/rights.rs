//! What the accounts of our components may do, and what not, as the API server decides it.

use eventflow_e2e::root;
use eventflow_testkit::servers::kubernetes::{Kubernetes, Mode};

const WEBHOOKS: &str = "validatingwebhookconfigurations.admissionregistration.k8s.io";

/// `resource` may have a subresource: `pods#log`.
async fn may(server: &Kubernetes, account: &str, verb: &str, resource: &str, namespace: &str) -> bool {
    let who = format!("--as=system:serviceaccount:eventflow:{account}");
    let (resource, sub) = resource.split_once('#').unwrap_or((resource, ""));
    let sub = format!("--subresource={sub}");
    let output = server.kubectl(&["auth", "can-i", verb, resource, &sub, &who, "-n", namespace], "").await;
    match String::from_utf8_lossy(&output.stdout).trim() {
        "yes" => true,
        "no" => false,
        other => panic!("{account} {verb} {resource}: {other} {}", String::from_utf8_lossy(&output.stderr)),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_account_may_do_its_work_in_opted_in_namespaces_and_nothing_beside_it() {
    let server = Kubernetes::start(Mode::Api).await;
    let folder = root().join("deploy/kustomize");
    let base = server.kubectl(&["kustomize", &folder.join("base").display().to_string()], "").await;
    server.apply(&String::from_utf8_lossy(&base.stdout)).await;
    let bindings = folder.join("components/tenant/bindings.yaml").display().to_string();
    server.apply("{apiVersion: v1, kind: Namespace, metadata: {name: tenant}}").await;
    let bound = server.kubectl(&["apply", "-n", "tenant", "-f", &bindings], "").await;
    assert!(bound.status.success(), "{}", String::from_utf8_lossy(&bound.stderr));

    let (api, dispatcher) = ("eventflow-api", "eventflow-dispatcher");
    let (operator, gateway) = ("operator-controller-manager", "eventflow-gateway");
    let own_webhook = format!("{WEBHOOKS}/eventflow-functions");
    let works = [
        (api, "create", "functions.eventflow.io", "tenant"),
        (api, "watch", "functions.eventflow.io", "tenant"),
        (api, "list", "pods", "tenant"),
        (api, "watch", "events.events.k8s.io", "tenant"),
        (dispatcher, "create", "jobs.batch", "tenant"),
        (dispatcher, "get", "pods#log", "tenant"),
        (dispatcher, "patch", "functions.eventflow.io#status", "tenant"),
        (dispatcher, "patch", "deployments.apps#scale", "tenant"),
        (dispatcher, "update", "leases.coordination.k8s.io/eventflow-scaler", "eventflow"),
        (operator, "patch", "functions.eventflow.io#status", "tenant"),
        (operator, "create", "controllerrevisions.apps", "tenant"),
        (operator, "get", "secrets", "tenant"),
        (operator, "update", "leases.coordination.k8s.io/eventflow-operator", "eventflow"),
        (operator, "patch", "secrets/eventflow-operator-tls", "eventflow"),
        (operator, "patch", own_webhook.as_str(), "eventflow"),
        (gateway, "watch", "endpointslices.discovery.k8s.io", "eventflow"),
    ];
    for (account, verb, resource, namespace) in works {
        assert!(may(&server, account, verb, resource, namespace).await, "{account} {verb} {resource}");
    }
    for account in [api, dispatcher, operator, gateway] {
        for (verb, resource, namespace) in [
            ("list", "secrets", "tenant"),
            ("get", "secrets", "kube-system"),
            ("create", "pods", "tenant"),
            ("create", "pods#exec", "tenant"),
            ("create", "jobs.batch", "kube-system"),
            ("create", "deployments.apps", "kube-system"),
            ("list", "pods", "kube-system"),
            ("create", "clusterrolebindings.rbac.authorization.k8s.io", "tenant"),
            ("impersonate", "users", "tenant"),
        ] {
            assert!(!may(&server, account, verb, resource, namespace).await, "{account} {verb} {resource}");
        }
    }
    assert!(!may(&server, operator, "patch", &format!("{WEBHOOKS}/of-others"), "eventflow").await);
    assert!(!may(&server, dispatcher, "create", "functions.eventflow.io", "tenant").await);
    assert!(!may(&server, operator, "update", "functions.eventflow.io", "tenant").await);
    assert!(!may(&server, api, "create", "jobs.batch", "tenant").await);
    assert!(!may(&server, api, "list", "replicasets.apps", "tenant").await);
    assert!(!may(&server, api, "create", "events.events.k8s.io", "tenant").await);
    assert!(!may(&server, gateway, "get", "functions.eventflow.io", "tenant").await);
}
