//! One API server for all tests of this process; the suite uses fixed namespaces, so tests take turns.

use eventflow_crd as crd;
use eventflow_kubernetes::connect;
use eventflow_testkit::servers::kubernetes::{Kubernetes, Mode};
use k8s_openapi::api::apps::v1::ControllerRevision;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use kube::{Api, Client};
use serde_json::json;
use tokio::sync::{Mutex, MutexGuard, OnceCell};

const NAMESPACES: [&str; 4] = ["default", "a", "b", "a-b"];

/// Nothing acts on the objects but the tests: the garbage collector of the controller manager learns of a new kind of
/// owner after half a minute only.
pub(super) async fn shared() -> &'static Kubernetes {
    Kubernetes::shared(Mode::Api).await
}

/// A client of the shared one, in which nothing is declared, and the turn.
pub(super) async fn empty() -> (Client, MutexGuard<'static, ()>) {
    static TURN: Mutex<()> = Mutex::const_new(());
    static PREPARED: OnceCell<()> = OnceCell::const_new();
    let turn = TURN.lock().await;
    let server = shared().await;
    // Each test has a runtime of its own, and a client lives in that.
    let client = connect(Some(&server.kubeconfig())).await.expect("a client");
    PREPARED.get_or_init(|| prepare(server, &client)).await;
    enable(&client).await;
    clear(&client).await;
    (client, turn)
}

/// The definition and the namespaces.
pub(super) async fn prepare(server: &Kubernetes, client: &Client) {
    server.apply(&serde_json::to_string(&crd::definition()).expect("JSON")).await;
    let wait = ["wait", "--for=condition=Established", "--timeout=30s", "crd/functions.eventflow.io"];
    assert!(server.kubectl(&wait, "").await.status.success(), "the definition should be taken");
    enable(client).await;
}

async fn enable(client: &Client) {
    let namespaces = Api::<Namespace>::all(client.clone());
    for name in NAMESPACES {
        let object = json!({"apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": name, "labels": {"eventflow.io/enabled": "true"}}});
        let params = PatchParams::apply("test").force();
        namespaces.patch(name, &params, &Patch::Apply(&object)).await.expect("applied");
    }
}

/// Nothing is left of what an earlier test declared.
async fn clear(client: &Client) {
    let (params, all) = (DeleteParams::default(), ListParams::default());
    for name in NAMESPACES {
        let functions = Api::<crd::Function>::namespaced(client.clone(), name);
        functions.delete_collection(&params, &all).await.expect("deleted");
        let revisions = Api::<ControllerRevision>::namespaced(client.clone(), name);
        revisions.delete_collection(&params, &all).await.expect("deleted");
    }
}
