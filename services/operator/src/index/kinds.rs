//! The kinds that are watched: where they are kept, whose they are, and what of them matters.

use super::{Kept, Room};
use eventflow_crd::{Function, by, names};
use k8s_openapi::api::apps::v1::{ControllerRevision, Deployment};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::{Pod, Service};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{FieldsV1, ObjectMeta};
use kube::core::DeserializeGuard;
use kube::{Resource, ResourceExt as _};
use serde::Serialize;
use serde_json::{Value, json};
use std::borrow::Cow;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

/// A kind that the index keeps.
pub trait Kind: Resource<DynamicType = ()> + Sized + Send + Sync + 'static {
    fn kept(room: &mut Room) -> &mut Kept<Self>;

    /// The function that it belongs to.
    fn function(&self) -> Option<String> {
        let owner = self.owner_references().iter().find(|owner| owner.kind == "Function");
        owner.map(|owner| owner.name.clone()).or_else(|| self.labels().get(names::FUNCTION).cloned())
    }

    /// The generation of what people declare.
    fn declared(&self) -> Option<i64> {
        None
    }

    /// Changes whenever something changes that a reconcile looks at.
    fn fingerprint(&self) -> u64;

    /// Forgets what nobody looks at.
    fn slim(&mut self) {
        self.managed_fields_mut().clear();
    }
}

/// A Function as it was read; or why it could not be.
#[derive(Debug, Clone)]
pub struct Declared {
    pub object: Result<Function, String>,
    pub metadata: ObjectMeta,
    /// Who declared it last.
    pub by: String,
}

impl From<DeserializeGuard<Function>> for Declared {
    fn from(read: DeserializeGuard<Function>) -> Self {
        match read.0 {
            Ok(object) => object.into(),
            Err(bad) => {
                let by = by(&bad.metadata);
                Self { object: Err(bad.error), metadata: bad.metadata, by }
            }
        }
    }
}

impl From<Function> for Declared {
    fn from(object: Function) -> Self {
        Self { metadata: object.metadata.clone(), by: by(&object.metadata), object: Ok(object) }
    }
}

impl Resource for Declared {
    type DynamicType = ();
    type Scope = <Function as Resource>::Scope;

    fn kind(dt: &()) -> Cow<'_, str> {
        Function::kind(dt)
    }
    fn group(dt: &()) -> Cow<'_, str> {
        Function::group(dt)
    }
    fn version(dt: &()) -> Cow<'_, str> {
        Function::version(dt)
    }
    fn plural(dt: &()) -> Cow<'_, str> {
        Function::plural(dt)
    }
    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }
    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

fn hash(of: &impl Serialize) -> u64 {
    let mut hasher = DefaultHasher::new();
    serde_json::to_string(of).unwrap_or_default().hash(&mut hasher);
    hasher.finish()
}

/// What of a child's metadata is ours.
fn ours(metadata: &ObjectMeta) -> Value {
    let label = |name: &str| metadata.labels.as_ref().and_then(|all| all.get(name));
    let applied = metadata.annotations.as_ref().and_then(|all| all.get(names::APPLIED));
    json!([
        metadata.uid,
        label(names::FUNCTION),
        label(names::MANAGED_BY),
        applied,
        metadata.owner_references,
        metadata.deletion_timestamp,
    ])
}

impl Kind for Declared {
    fn kept(room: &mut Room) -> &mut Kept<Self> {
        &mut room.functions
    }

    fn function(&self) -> Option<String> {
        self.metadata.name.clone()
    }

    fn declared(&self) -> Option<i64> {
        self.metadata.generation
    }

    fn fingerprint(&self) -> u64 {
        let annotation = |name: &str| self.metadata.annotations.as_ref().and_then(|all| all.get(name));
        let status = self.object.as_ref().ok().map(|object| &object.status);
        hash(&json!([
            self.metadata.uid,
            self.metadata.generation,
            self.metadata.deletion_timestamp,
            annotation(names::PAUSED),
            annotation(names::LAST_VERSION),
            status,
            self.object.as_ref().err(),
        ]))
    }

    fn slim(&mut self) {
        self.metadata.managed_fields = None;
        if let Ok(object) = &mut self.object {
            object.metadata.managed_fields = None;
        }
    }
}

macro_rules! kind {
    ($kind:ty, $field:ident, $self:ident => $matters:expr $(, $slim:item)?) => {
        impl Kind for $kind {
            fn kept(room: &mut Room) -> &mut Kept<Self> {
                &mut room.$field
            }

            fn fingerprint(&self) -> u64 {
                let $self = self;
                hash(&$matters)
            }

            $($slim)?
        }
    };
}

kind!(ControllerRevision, revisions, it => json!([ours(&it.metadata), it.revision]));
kind!(Service, services, it => json!([ours(&it.metadata), it.spec]));
kind!(HorizontalPodAutoscaler, autoscalers, it => json!([ours(&it.metadata), it.spec]));
kind!(NetworkPolicy, policies, it => json!([ours(&it.metadata), it.spec]));
kind!(Deployment, deployments, it => json!([ours(&it.metadata), it.spec, it.status, managers_of_replicas(it)]),
    fn slim(&mut self) {
        keep_managers_of_replicas(self);
    }
);
kind!(Pod, pods, it => json!([it.metadata.uid, it.metadata.deletion_timestamp, it.status]),
    fn slim(&mut self) {
        self.managed_fields_mut().clear();
        self.annotations_mut().clear();
        self.spec = None;
    }
);

/// Who owns the Deployment's number of copies.
pub(crate) fn managers_of_replicas(deployment: &Deployment) -> Vec<String> {
    let entries = deployment.metadata.managed_fields.iter().flatten();
    let owning = entries.filter(|entry| {
        entry.fields_v1.as_ref().is_some_and(|fields| fields.0.pointer("/f:spec/f:replicas").is_some())
    });
    owning.filter_map(|entry| entry.manager.clone()).collect()
}

fn keep_managers_of_replicas(deployment: &mut Deployment) {
    for entry in deployment.metadata.managed_fields.iter_mut().flatten() {
        let owns = entry.fields_v1.as_ref().is_some_and(|all| all.0.pointer("/f:spec/f:replicas").is_some());
        entry.fields_v1 = owns.then(|| FieldsV1(json!({"f:spec": {"f:replicas": {}}})));
    }
    if let Some(entries) = &mut deployment.metadata.managed_fields {
        entries.retain(|entry| entry.fields_v1.is_some());
    }
}
