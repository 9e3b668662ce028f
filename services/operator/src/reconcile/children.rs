//! One child: applied where it differs, deleted where it must not be.

use super::apply::Writer;
use super::problem::{Problem, is_of_replicas, of_status};
use super::{Error, Valid};
use crate::compare::{digest, is_within};
use crate::index::Kind;
use eventflow_crd::names;
use k8s_openapi::NamespaceResourceScope;
use kube::api::{DeleteParams, Patch, PatchParams, Preconditions, PropagationPolicy};
use kube::{Api, Resource, ResourceExt as _};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Debug;
use std::sync::Arc;

/// What came of a child.
#[derive(Debug)]
pub(super) enum Child<K> {
    /// As it was.
    Same,
    /// Written; as the API server answered.
    Written(K),
    /// Written against somebody who had changed the number of copies.
    TakenBack(K),
    Problem(Problem),
}

/// What a child must be to be written.
pub(super) trait Owned:
    Kind + Resource<Scope = NamespaceResourceScope> + Clone + Debug + Serialize + DeserializeOwned
{
}
impl<K> Owned for K where
    K: Kind + Resource<Scope = NamespaceResourceScope> + Clone + Debug + Serialize + DeserializeOwned
{
}

/// `deployment/fn-resize`
fn shown<K: Owned>(object: &K) -> String {
    format!("{}/{}", K::kind(&()).to_lowercase(), object.name_any())
}

/// Whose an object is.
enum Owner {
    Ours,
    /// An earlier function of this name.
    Former,
    Other,
}

fn owner<K: Owned>(object: &K, valid: &Valid) -> Owner {
    let uid = valid.uid.to_string();
    let of = object.owner_references().iter().find(|owner| owner.controller == Some(true));
    match of {
        Some(owner) if owner.uid == uid => Owner::Ours,
        Some(owner) if owner.kind == "Function" && owner.name == valid.key.name.as_str() => Owner::Former,
        _ => Owner::Other,
    }
}

impl Writer<'_> {
    fn api<K: Owned>(&self) -> Api<K> {
        Api::namespaced(self.client.clone(), &self.key.namespace)
    }

    /// Applies `wanted` unless it is there already.
    pub(super) async fn child<K: Owned>(
        &self,
        valid: &Valid,
        mut wanted: K,
        live: Option<&Arc<K>>,
    ) -> Result<Child<K>, Error> {
        let object = shown(&wanted);
        let failed =
            |error: serde_json::Error| Error::api(format!("write {object}"), kube::Error::SerdeError(error));
        let plain = serde_json::to_value(&wanted).map_err(failed)?;
        let stamp = digest(&plain);
        if let Some(live) = live {
            match owner(&**live, valid) {
                Owner::Ours if live.meta().deletion_timestamp.is_some() => {
                    return Ok(Child::Problem(Problem::Leftover { object }));
                }
                Owner::Ours => {}
                Owner::Former => return Ok(Child::Problem(Problem::Leftover { object })),
                Owner::Other => return Ok(Child::Problem(Problem::Taken { object })),
            }
            let stamped = live.annotations().get(names::APPLIED) == Some(&stamp);
            if stamped && is_within(&plain, &serde_json::to_value(&**live).map_err(failed)?) {
                return Ok(Child::Same);
            }
            // Based on what was seen: a change that was not, is not written over.
            wanted.meta_mut().resource_version = live.resource_version();
        }
        wanted.annotations_mut().insert(names::APPLIED.to_owned(), stamp);
        self.write(valid, &wanted, &object).await
    }

    async fn write<K: Owned>(&self, valid: &Valid, wanted: &K, object: &str) -> Result<Child<K>, Error> {
        let api = self.api::<K>();
        let name = wanted.name_any();
        let apply = |force: bool| {
            let params = PatchParams { force, ..PatchParams::apply(names::OPERATOR) };
            let api = api.clone();
            let name = name.clone();
            async move { api.patch(&name, &params, &Patch::Apply(wanted)).await }
        };
        let (written, taken_back) = match apply(false).await {
            // Nobody else may say how many copies there are where the manifest does.
            Err(kube::Error::Api(status)) if is_of_replicas(&status) => (apply(true).await, true),
            other => (other, false),
        };
        match written {
            Ok(found) => {
                self.index.wrote(&self.key.namespace, found.clone());
                Ok(if taken_back { Child::TakenBack(found) } else { Child::Written(found) })
            }
            Err(kube::Error::Api(status)) => self.refused(valid, object, &name, &status).await,
            Err(error) => Err(Error::api(format!("apply {object}"), error)),
        }
    }

    async fn refused<K: Owned>(
        &self,
        valid: &Valid,
        object: &str,
        name: &str,
        status: &kube::core::Status,
    ) -> Result<Child<K>, Error> {
        let api = || Error::api(format!("apply {object}"), kube::Error::Api(Box::new(status.clone())));
        // Somebody else's object that carries none of our labels is not in the view.
        if matches!(status.code, 409 | 422) {
            let found =
                self.api::<K>().get_opt(name).await.map_err(|e| Error::api(format!("read {object}"), e))?;
            match found.map(|found| owner(&found, valid)) {
                Some(Owner::Other) => {
                    return Ok(Child::Problem(Problem::Taken { object: object.to_owned() }));
                }
                Some(Owner::Former) => {
                    return Ok(Child::Problem(Problem::Leftover { object: object.to_owned() }));
                }
                Some(Owner::Ours) | None => {}
            }
        }
        match of_status(object, status) {
            Some(problem) => Ok(Child::Problem(problem)),
            None if matches!(status.code, 404 | 409) => Err(Error::Stale(object.to_owned())),
            None => Err(api()),
        }
    }

    /// Deletes what must not be there any more, if it is ours and as it was seen.
    pub(super) async fn remove<K: Owned>(&self, valid: &Valid, live: Option<&Arc<K>>) -> Result<(), Error> {
        let Some(live) = live else { return Ok(()) };
        if live.meta().deletion_timestamp.is_some() || !matches!(owner(&**live, valid), Owner::Ours) {
            return Ok(());
        }
        let object = shown(&**live);
        let params = DeleteParams {
            preconditions: Some(Preconditions { uid: live.uid(), resource_version: live.resource_version() }),
            propagation_policy: Some(PropagationPolicy::Background),
            ..DeleteParams::default()
        };
        match self.api::<K>().delete(&live.name_any(), &params).await {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
            Err(kube::Error::Api(status)) if status.code == 409 => Err(Error::Stale(object)),
            Err(error) => Err(Error::api(format!("delete {object}"), error)),
        }
    }
}
