//! In place of `cluster`, where a program is built without the feature `kubernetes`.

use crate::sections::{Kubernetes, Limits};
use crate::service::StartError;
use eventflow_auth::Key;
use eventflow_domain::ports::{Blobs, Clock, FunctionRegistry, Peers, Runtime};
use eventflow_lifecycle::Handle;
use eventflow_store::PostgresStore;
use std::sync::Arc;

/// There are none.
#[derive(Debug, Clone)]
pub enum Endpoints {}

impl Endpoints {
    /// Always an error.
    #[expect(clippy::unused_async, reason = "as in the module whose place this takes")]
    pub async fn open(_: &Kubernetes) -> Result<Self, StartError> {
        Err(without())
    }

    pub fn of(&self, _: &str, _: &str, _: &Handle) -> Arc<dyn Peers> {
        match *self {}
    }
}

fn without() -> StartError {
    StartError::new("this program was built without Kubernetes: build it with the feature `kubernetes`")
}

/// There is none.
#[derive(Debug, Clone)]
pub enum Cluster {}

/// What the runtime would be built from.
#[derive(Debug, Clone, Copy)]
pub struct RuntimeParts<'a> {
    pub section: &'a Kubernetes,
    pub limits: &'a Limits,
    pub key: &'a Key,
    pub store: &'a Arc<PostgresStore>,
    pub blobs: &'a Arc<dyn Blobs>,
    pub clock: &'a Arc<dyn Clock>,
}

impl Cluster {
    /// Always an error.
    #[expect(clippy::unused_async, reason = "as in the module whose place this takes")]
    pub async fn open(_: &Kubernetes, _: &Handle) -> Result<Self, StartError> {
        Err(without())
    }

    pub async fn registry(
        &self,
        _: &Arc<PostgresStore>,
        _: &Arc<dyn Clock>,
        _: &Handle,
    ) -> Arc<dyn FunctionRegistry> {
        match *self {}
    }

    pub fn endpoints(&self) -> &Endpoints {
        match *self {}
    }

    pub async fn runtime(&self, _: RuntimeParts<'_>, _: &Handle) -> Result<Arc<dyn Runtime>, StartError> {
        match *self {}
    }

    pub fn checking(
        &self,
        _: &Kubernetes,
        _: &Limits,
        _: &Arc<dyn Blobs>,
        _: &Arc<dyn Clock>,
    ) -> Arc<dyn Runtime> {
        match *self {}
    }

    pub fn scale(
        &self,
        _: &Kubernetes,
        _: &Arc<dyn FunctionRegistry>,
        _: &Arc<PostgresStore>,
        _: &Arc<dyn Clock>,
        _: &Handle,
    ) {
        match *self {}
    }
}
