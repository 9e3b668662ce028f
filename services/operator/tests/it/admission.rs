//! The webhook, asked by a real API server, with certificates that the operator made.

use crate::support::{Room, Running, within};
use eventflow_lifecycle::{CancellationToken, SystemClock};
use eventflow_operator::admission::{Certificates, Renewal, router, serve};
use eventflow_testkit::servers::kubernetes::{Kubernetes, Mode, Part};
use k8s_openapi::api::admissionregistration::v1::ValidatingWebhookConfiguration;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::PostParams;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

fn renewal(room: &Room, certificates: &Arc<Certificates>) -> Renewal {
    Renewal {
        client: room.client.clone(),
        clock: Arc::new(SystemClock::new()),
        namespace: room.namespace.clone(),
        secret: "eventflow-operator-tls".to_owned(),
        webhook: "eventflow-functions".to_owned(),
        names: vec!["localhost".to_owned(), "127.0.0.1".to_owned()],
        certificates: Arc::clone(certificates),
    }
}

async fn register(room: &Room, port: u16) {
    let object = json!({
        "metadata": {"name": "eventflow-functions"},
        "webhooks": [{
            "name": "functions.eventflow.io",
            "admissionReviewVersions": ["v1"], "sideEffects": "None", "failurePolicy": "Ignore", "timeoutSeconds": 5,
            "clientConfig": {"url": format!("https://127.0.0.1:{port}/validate")},
            "rules": [{"apiGroups": ["eventflow.io"], "apiVersions": ["v1alpha1"], "resources": ["functions"],
                "operations": ["CREATE", "UPDATE"]}],
        }],
    });
    let object: ValidatingWebhookConfiguration = serde_json::from_value(object).expect("a configuration");
    Api::all(room.client.clone()).create(&PostParams::default(), &object).await.expect("made");
}

#[tokio::test]
async fn what_cel_cannot_say_is_refused_at_admission_and_an_absent_webhook_stops_nobody() {
    // A cluster of its own: the webhook is for all its namespaces.
    let cluster = Box::leak(Box::new(Kubernetes::start(Mode::Api).await));
    let room = Room::of(cluster, "admission").await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    register(&room, listener.local_addr().expect("an address").port()).await;
    let bad = json!({"image": "a", "timeout": "2d"});
    room.declare("early", &bad).await.expect("nobody answers: the operator looks again when it is back");

    let operator = Running::start(&room).await;
    let certificates = Certificates::new();
    let mut used = None;
    renewal(&room, &certificates).round(&mut used).await.expect("a certificate");
    let stop = CancellationToken::new();
    let mut tasks = JoinSet::new();
    tasks.spawn(serve(
        listener,
        router(Arc::clone(&operator.operator.index)),
        certificates.clone(),
        stop.clone(),
    ));

    let refused = within(Duration::from_secs(30), || async {
        match room.declare("late", &bad).await {
            Err(kube::Error::Api(status)) => Some(status),
            _ => None,
        }
    });
    let Some(status) = refused.await else { panic!("never refused: {}", cluster.log(Part::ApiServer)) };
    assert_eq!(status.code, 422, "{status:?}");
    assert!(status.message.contains("spec.timeout: is \"2d\"; allowed: 1s to 24h"), "{}", status.message);
    room.declare("late", &json!({"image": "a", "timeout": "1d"})).await.expect("taken");
    room.until("early", "Ready=InvalidSpec").await;
    stop.cancel();
}

#[tokio::test]
async fn two_replicas_share_one_pair_and_a_look_at_a_good_one_writes_nothing() {
    let room = Room::new(Mode::Api).await;
    let audit = crate::support::Audit::new(None);
    let (one, two) = (Certificates::new(), Certificates::new());
    let first = renewal(&room, &one);
    let second = Renewal { client: audit.wrap(&room.client), ..renewal(&room, &two) };
    let (mut a, mut b) = (None, None);
    first.round(&mut a).await.expect("a certificate");
    second.round(&mut b).await.expect("a certificate");
    assert!(a.is_some() && a == b);
    second.round(&mut b).await.expect("a certificate");
    assert_eq!(audit.writes(), Vec::<String>::new());
    let secret: Secret = room.wait("eventflow-operator-tls", |_| true).await;
    assert!(secret.data.expect("data").contains_key("tls.key"));
}

#[tokio::test]
async fn metrics_are_for_those_whom_the_cluster_allows_them() {
    use axum::routing::get;
    use k8s_openapi::api::core::v1::ServiceAccount;
    use tower_service::Service as _;

    let room = Room::new(Mode::Api).await;
    let shown = axum::Router::new().route("/metrics", get(|| async { "up 1\n" }));
    let mut router = eventflow_operator::admission::authorized(shown, room.client.clone());
    let account = |name: &str| serde_json::from_value::<ServiceAccount>(json!({"metadata": {"name": name}}));
    let accounts = room.api::<ServiceAccount>();
    let mut tokens = Vec::new();
    for name in ["reader", "stranger"] {
        accounts.create(&PostParams::default(), &account(name).expect("an account")).await.expect("made");
        let request = serde_json::from_value(json!({"spec": {"audiences": []}})).expect("a request");
        let token =
            accounts.create_token_request(name, &PostParams::default(), &request).await.expect("a token");
        tokens.push(token.status.expect("a status").token);
    }
    let rules = format!(
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {{name: metrics-{ns}}}\n\
         rules: [{{nonResourceURLs: [/metrics], verbs: [get]}}]\n---\n\
         apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\nmetadata: {{name: metrics-{ns}}}\n\
         roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: metrics-{ns}}}\n\
         subjects: [{{kind: ServiceAccount, name: reader, namespace: {ns}}}]\n",
        ns = room.namespace
    );
    room.cluster.apply(&rules).await;
    let mut ask = |token: Option<&str>| {
        let mut request = http::Request::get("/metrics");
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        router.call(request.body(axum::body::Body::empty()).expect("a request"))
    };
    let (none, junk) = (ask(None), ask(Some("junk")));
    let (reader, stranger) = (ask(Some(&tokens[0])), ask(Some(&tokens[1])));
    assert_eq!(none.await.expect("an answer").status(), 401);
    assert_eq!(junk.await.expect("an answer").status(), 403);
    assert_eq!(stranger.await.expect("an answer").status(), 403);
    assert_eq!(reader.await.expect("an answer").status(), 200);
}
