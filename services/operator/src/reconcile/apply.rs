//! Writes what was built: the version first, so that nothing runs that is not recorded.

use super::build::{Resources, Version};
use super::children::{Child, Owned};
use super::number::{Numbered, number};
use super::problem::Problem;
use super::{Error, Valid};
use crate::events::Events;
use crate::index::{Index, Key, View};
use eventflow_crd::{Function, names};
use eventflow_domain::FunctionVersion;
use k8s_openapi::api::apps::v1::{ControllerRevision, Deployment};
use kube::api::PostParams;
use kube::{Api, Client, ResourceExt as _};
use std::fmt;
use std::sync::Arc;

/// ControllerRevisions that are kept of a function; the record keeps those that calls name for longer.
const REVISIONS: usize = 100;

/// Writes for one function.
#[derive(Clone, Copy)]
pub(crate) struct Writer<'a> {
    pub client: &'a Client,
    pub index: &'a Index,
    pub events: &'a Events,
    pub key: &'a Key,
}

impl fmt::Debug for Writer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").field("key", self.key).finish_non_exhaustive()
    }
}

/// What there is after an apply.
#[derive(Debug, Default)]
pub(crate) struct Applied {
    pub deployment: Option<Arc<Deployment>>,
    /// The first thing that stands in the way.
    pub problem: Option<Problem>,
    /// Somebody had changed the number of copies, and it was changed back.
    pub took_back: bool,
}

impl Applied {
    fn note<K>(&mut self, child: Child<K>) -> Option<K> {
        match child {
            Child::Same => None,
            Child::Written(object) => Some(object),
            Child::TakenBack(object) => {
                self.took_back = true;
                Some(object)
            }
            Child::Problem(problem) => {
                self.problem.get_or_insert(problem);
                None
            }
        }
    }
}

impl Writer<'_> {
    /// The version of what is declared; a new one is kept first.
    pub(crate) async fn version(&self, view: &View, valid: &Valid) -> Result<Version, Error> {
        match number(valid, &view.revisions, &view.declared.by) {
            Numbered::Kept(number) => {
                self.prune(view, valid).await?;
                Ok(Version { number })
            }
            Numbered::New(version) => {
                self.confirm(view).await?;
                self.keep(valid, &version).await?;
                Ok(Version { number: version.number })
            }
        }
    }

    /// A number is given once and for all: not to a declaration that is no longer the current one.
    async fn confirm(&self, view: &View) -> Result<(), Error> {
        let api: Api<Function> = Api::namespaced(self.client.clone(), &self.key.namespace);
        let live = api
            .get_opt(&self.key.name)
            .await
            .map_err(|error| Error::api(format!("read function {}", self.key), error))?;
        let seen = &view.declared.metadata;
        let same = live.is_some_and(|live| {
            live.metadata.uid == seen.uid
                && live.metadata.generation == seen.generation
                && live.metadata.deletion_timestamp.is_none()
        });
        if same { Ok(()) } else { Err(Error::Stale(format!("function {}", self.key))) }
    }

    async fn keep(&self, valid: &Valid, version: &FunctionVersion) -> Result<(), Error> {
        let api: Api<ControllerRevision> = Api::namespaced(self.client.clone(), &self.key.namespace);
        let object = eventflow_crd::revision(version);
        let name = object.name_any();
        let params = PostParams { field_manager: Some(names::OPERATOR.to_owned()), ..PostParams::default() };
        let found = match api.create(&params, &object).await {
            Ok(found) => found,
            // Made before a crash, or by the leader before us: the same code under the same number is the same version.
            Err(kube::Error::Api(status)) if status.code == 409 => {
                let found =
                    api.get(&name).await.map_err(|e| Error::api(format!("read revision {name}"), e))?;
                let same = eventflow_crd::runs(&found, valid.uid)
                    && eventflow_crd::version(&found).is_ok_and(|kept| kept.spec.same_code(&version.spec));
                self.index.wrote(&self.key.namespace, found.clone());
                if !same {
                    return Err(Error::Stale(format!("revision {name}")));
                }
                return Ok(());
            }
            Err(error) => return Err(Error::api(format!("create revision {name}"), error)),
        };
        self.index.wrote(&self.key.namespace, found);
        self.events.version_created(&valid.object, version).await;
        Ok(())
    }

    /// Keeps the number of revisions within bounds, the oldest going first.
    async fn prune(&self, view: &View, valid: &Valid) -> Result<(), Error> {
        let own = view.revisions.iter().filter(|revision| eventflow_crd::runs(revision, valid.uid));
        let mut own: Vec<_> = own.collect();
        own.sort_by_key(|revision| revision.revision);
        let over = own.len().saturating_sub(REVISIONS);
        for revision in own.into_iter().take(over) {
            self.remove(valid, Some(revision)).await?;
        }
        Ok(())
    }

    /// Brings the children to what was built. A child that cannot be written does not keep the others from it.
    pub(crate) async fn apply(
        &self,
        view: &View,
        valid: &Valid,
        wanted: Resources,
    ) -> Result<Applied, Error> {
        let mut applied = Applied::default();
        let Resources { deployment, service, autoscaler, policies } = wanted;
        // Policies first: no pod is ever without one.
        let names: Vec<_> = policies.iter().map(kube::ResourceExt::name_any).collect();
        for policy in policies {
            let live = view.policies.iter().find(|live| live.name_any() == policy.name_any());
            applied.note(self.child(valid, policy, live).await?);
        }
        for live in view.policies.iter().filter(|live| !names.contains(&live.name_any())) {
            self.remove(valid, Some(live)).await?;
        }
        self.one(valid, service, view.service.as_ref(), &mut applied).await?;
        let written = Box::pin(self.one(valid, deployment, view.deployment.as_ref(), &mut applied)).await?;
        self.one(valid, autoscaler, view.autoscaler.as_ref(), &mut applied).await?;
        applied.deployment = written;
        Ok(applied)
    }

    /// One child that may or may not have to be; what there is of it now.
    async fn one<K: Owned>(
        &self,
        valid: &Valid,
        wanted: Option<K>,
        live: Option<&Arc<K>>,
        applied: &mut Applied,
    ) -> Result<Option<Arc<K>>, Error> {
        let Some(wanted) = wanted else {
            self.remove(valid, live).await?;
            return Ok(None);
        };
        let written = applied.note(self.child(valid, wanted, live).await?);
        Ok(written.map(Arc::new).or_else(|| live.cloned()))
    }
}
