//! From Functions and ControllerRevisions to what is shown.

use super::{Inner, Watched};
use eventflow_crd as crd;
use eventflow_domain::{Function, FunctionKey, FunctionSpec, FunctionVersion, VersionNumber};
use eventflow_kubernetes::Change;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use k8s_openapi::api::apps::v1::ControllerRevision;
use kube::Resource as _;
use std::collections::HashSet;
use std::sync::Arc;

/// Shows every change, until the watches end.
pub(super) async fn follow(
    inner: &Inner,
    mut changed: BoxStream<'static, Change<Watched>>,
    mut numbered: BoxStream<'static, Change<ControllerRevision>>,
) {
    loop {
        tokio::select! {
            change = changed.next() => match change {
                Some(Change::Applied(object) | Change::Deleted(object)) => {
                    if let Ok(key) = crd::key(object.meta()) {
                        inner.join(&key);
                    }
                }
                Some(Change::Resync) => inner.join_all(),
                None => return,
            },
            change = numbered.next() => match change {
                Some(Change::Applied(revision)) => {
                    if let Ok(version) = crd::version(&revision) {
                        inner.join(&version.key);
                    }
                }
                // It goes with its function, or when it is too old to matter.
                Some(Change::Deleted(_)) => {}
                Some(Change::Resync) => inner.join_all(),
                None => return,
            },
        }
    }
}

impl Inner {
    /// Shows a function as the watches have it now.
    pub(super) fn join(&self, key: &FunctionKey) {
        let Some(object) = self.functions.get(key.namespace.as_str(), key.name.as_str()) else {
            return self.hide(key);
        };
        let shown = match &object.0 {
            Ok(object) => self.function(object),
            Err(invalid) => Err(invalid.error.clone()),
        };
        match shown {
            Ok((function, is_pending)) => self.show(function, is_pending),
            Err(error) => {
                // What was valid before goes on as it was; the operator says what is wrong.
                let same = self
                    .index
                    .get(key)
                    .is_some_and(|shown| crd::uid(object.meta()).is_some_and(|uid| uid == shown.uid));
                tracing::warn!(function = %key, error, same, "a Function is not valid");
                if !same {
                    self.hide(key);
                }
            }
        }
    }

    pub(super) fn join_all(&self) {
        let objects = self.functions.list(|_| true);
        let keys: HashSet<FunctionKey> =
            objects.iter().filter_map(|object| crd::key(object.meta()).ok()).collect();
        for shown in self.index.list(None) {
            if !keys.contains(&shown.key) {
                self.hide(&shown.key);
            }
        }
        for key in &keys {
            self.join(key);
        }
    }

    /// As it is to be shown, and whether its code waits for its number.
    pub(super) fn function(&self, object: &crd::Function) -> Result<(Function, bool), String> {
        let declared = crd::function(object).map_err(|refused| refused.to_string())?;
        let latest = self.revisions_of(&declared.key, declared.uid).pop_last().map(|(_, version)| version);
        Ok(numbered(declared, latest.as_deref()))
    }

    fn show(&self, function: Function, is_pending: bool) {
        let (uid, generation) = (function.uid, function.generation);
        {
            let mut pending = self.pending.lock();
            if is_pending {
                pending.insert(uid, generation);
            } else {
                pending.remove(&uid);
            }
        }
        self.index.put(function, |function, _| function.readiness.clone());
    }

    pub(super) fn hide(&self, key: &FunctionKey) {
        if let Some(gone) = self.index.remove(key) {
            self.pending.lock().remove(&gone.uid);
        }
    }
}

/// The code that is shown is that of the version that is shown.
fn numbered(mut function: Function, latest: Option<&FunctionVersion>) -> (Function, bool) {
    let Some(latest) = latest else {
        function.version = VersionNumber(0);
        return (function, true);
    };
    function.version = latest.number;
    if function.spec.same_code(&latest.spec) {
        return (function, false);
    }
    function.spec = Arc::new(with_code_of(&function.spec, &latest.spec));
    (function, true)
}

/// The policies of one spec with the code of another.
fn with_code_of(policy: &FunctionSpec, code: &FunctionSpec) -> FunctionSpec {
    FunctionSpec {
        runtime: code.runtime,
        mode: code.mode,
        image: code.image.clone(),
        command: code.command.clone(),
        args: code.args.clone(),
        env: code.env.clone(),
        env_from: code.env_from.clone(),
        port: code.port,
        resources: code.resources,
        timeout: code.timeout,
        ..policy.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use eventflow_domain::spec::Scale;
    use eventflow_testkit::FunctionBuilder;

    #[test]
    fn code_that_has_no_number_yet_is_held_back_and_policy_is_not() {
        let version = FunctionBuilder::new("f").version();
        let declared = |args: &str, copies| {
            let spec = FunctionSpec {
                args: vec![args.to_owned()],
                scale: Scale::Fixed(copies),
                ..FunctionSpec::clone(&version.spec)
            };
            Function { spec: Arc::new(spec), ..Function::clone(&FunctionBuilder::new("f").build()) }
        };
        let same = Function {
            spec: Arc::clone(&version.spec),
            ..Function::clone(&FunctionBuilder::new("f").build())
        };
        assert!(!numbered(same, Some(&version)).1);
        let (shown, pending) = numbered(declared("new", 7), Some(&version));
        assert!(pending && shown.spec.same_code(&version.spec));
        assert_eq!((shown.version, shown.spec.scale), (version.number, Scale::Fixed(7)));
        let (shown, pending) = numbered(declared("new", 7), None);
        assert_eq!((shown.version, pending), (VersionNumber(0), true));
    }
}
