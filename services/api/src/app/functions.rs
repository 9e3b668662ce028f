use super::{App, require};
use crate::page;
use eventflow_domain::access::{Caller, Permission};
use eventflow_domain::ports::{
    Applied, Apply, EndedQuery, FunctionEvent, Precondition, QueueStats, WindowStats,
};
use eventflow_domain::spec::{Image, RuntimeKind};
use eventflow_domain::validate::Draft;
use eventflow_domain::{
    Error, ErrorKind, Function, FunctionKey, FunctionSpec, FunctionUid, FunctionVersion, Namespace, Result,
    Timestamp, VersionNumber,
};
use std::sync::Arc;
use std::time::Duration;

/// The window of the figures that are shown with a function.
pub(crate) const STATS_WINDOW: Duration = eventflow_domain::activity::Window::STATS;

/// Waiting and running calls of a deleted function are ended so many at a time.
const DELETE_BATCH: u32 = 1000;

/// Which functions to list.
#[derive(Debug, Clone, Default)]
pub struct FunctionQuery {
    pub namespace: Option<Namespace>,
    pub runtime: Option<RuntimeKind>,
    pub name_contains: String,
    pub page_size: Option<i32>,
    pub page_token: String,
}

#[derive(Debug)]
pub struct FunctionList {
    pub functions: Vec<Arc<Function>>,
    pub next_page_token: String,
}

impl App {
    /// Creates or replaces; checked by the declaration's rules, then by the runtime, then stored.
    pub async fn function_apply(
        &self,
        caller: &Caller,
        key: FunctionKey,
        draft: &Draft,
        precondition: Precondition,
        dry_run: bool,
    ) -> Result<Applied> {
        caller.require(Permission::FunctionsWrite, &key.namespace)?;
        self.refuse_while_draining()?;
        let spec = draft.validate().map_err(Error::violations)?;
        self.check_runnable(&key, &spec, caller).await?;
        let by = Arc::clone(&caller.subject);
        let applied = self.parts.registry.apply(Apply { key, spec, precondition, by, dry_run }).await?;
        if !dry_run {
            self.tell_applied(&applied);
        }
        Ok(applied)
    }

    fn tell_applied(&self, applied: &Applied) {
        let function = Arc::clone(&applied.function);
        if applied.created {
            self.parts.events.tell(FunctionEvent::Created(function));
        } else if applied.changed {
            self.parts.events.tell(FunctionEvent::Updated(function));
        }
    }

    /// What only the runtime and the blob store can say of a declaration. An artifact that nothing names yet may be
    /// old enough to be collected at any moment: touched, it stays until the declaration that names it is committed.
    async fn check_runnable(&self, key: &FunctionKey, spec: &FunctionSpec, caller: &Caller) -> Result<()> {
        let runtime = self.runtime(spec.runtime)?;
        if let Some(Image::Artifact(digest)) = &spec.image {
            match self.parts.blobs.touch(&format!("artifacts/{}", digest.hex())).await {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    let text =
                        format!("artifact {digest} was not uploaded here: POST it to /v1/artifacts first");
                    return Err(Error::invalid("image", text));
                }
                Err(error) => return Err(error),
            }
        }
        let version = FunctionVersion {
            key: key.clone(),
            uid: FunctionUid::generate(),
            number: VersionNumber(0),
            spec: Arc::new(spec.clone()),
            created_at: self.parts.clock.now(),
            created_by: caller.subject.to_string(),
        };
        runtime.check(&version).await
    }

    /// With its copies and what happened to them.
    pub async fn function_get(&self, caller: &Caller, key: &FunctionKey) -> Result<Arc<Function>> {
        let function = self.function_for(caller, key, Permission::FunctionsRead).await?;
        Ok(self.parts.registry.details(function).await)
    }

    /// The function, if the caller has this permission on it.
    pub(super) async fn function_for(
        &self,
        caller: &Caller,
        key: &FunctionKey,
        permission: Permission,
    ) -> Result<Arc<Function>> {
        let not_found = || Error::function_not_found(&key.name);
        require(caller, permission, &key.namespace, not_found)?;
        match self.parts.registry.get(key) {
            Some(function) => Ok(function),
            // Another process may have declared it a moment ago.
            None => self.parts.registry.refresh(key).await?.ok_or_else(not_found),
        }
    }

    /// Figures of recent calls.
    pub async fn function_stats(&self, key: &FunctionKey) -> Result<(WindowStats, Option<QueueStats>)> {
        let since = self.parts.clock.now() - STATS_WINDOW;
        let (mut window, queues) =
            tokio::try_join!(self.parts.store.window_stats(key, since), self.parts.store.queue_stats())?;
        if window.last_call.is_none() {
            let ever = Timestamp::from_micros(0);
            let last = EndedQuery { function: key.clone(), since: ever, step: STATS_WINDOW, limit: 1 };
            let ended = self.parts.store.ended(&last).await?;
            window.last_call = ended.cells.first().map(|cell| cell.last);
        }
        Ok((window, queues.into_iter().find(|queue| queue.function == *key)))
    }

    pub fn function_list(&self, caller: &Caller, query: &FunctionQuery) -> Result<FunctionList> {
        if let Some(namespace) = &query.namespace {
            caller.require(Permission::FunctionsRead, namespace)?;
        }
        let question =
            format!("functions {:?} {:?} {:?}", query.namespace, query.runtime, query.name_contains);
        let size = page::size(query.page_size)? as usize;
        let after = page::cursor(&query.page_token, &question)?;
        let mut functions: Vec<_> = self
            .parts
            .registry
            .list(query.namespace.as_ref())
            .into_iter()
            .filter(|function| caller.may(Permission::FunctionsRead, &function.key.namespace))
            .filter(|function| query.runtime.is_none_or(|runtime| function.spec.runtime == runtime))
            .filter(|function| function.key.name.as_str().contains(&query.name_contains))
            .skip_while(|function| after.as_ref().is_some_and(|after| function.key.to_string() <= *after))
            .take(size + 1)
            .collect();
        let more = functions.len() > size;
        functions.truncate(size);
        let next =
            functions.last().filter(|_| more).map(|last| page::token(&last.key.to_string(), &question));
        Ok(FunctionList { functions, next_page_token: next.unwrap_or_default() })
    }

    /// Deletes and ends what waits or runs; returns how many calls that were.
    pub async fn function_delete(
        &self,
        caller: &Caller,
        key: &FunctionKey,
        etag: Option<&str>,
    ) -> Result<u64> {
        self.function_for(caller, key, Permission::FunctionsWrite).await?;
        // Counted before: the dispatcher hears of the deletion too, and may end them first.
        let queues = self.parts.store.queue_stats().await?;
        let live = queues.iter().find(|queue| queue.function == *key);
        let live = live.map_or(0, |queue| queue.queued + queue.retrying + queue.running);
        let function = self.parts.registry.delete(key, etag).await?;
        self.parts.events.tell(FunctionEvent::Deleted(Arc::clone(&function)));
        let mut ended = 0;
        loop {
            let batch = self.parts.store.cancel_function(function.uid, DELETE_BATCH).await?;
            for swept in &batch {
                self.announce(swept.invocation, &swept.function, swept.state);
            }
            ended += batch.len() as u64;
            if batch.len() < DELETE_BATCH as usize {
                return Ok(ended.max(live));
            }
        }
    }

    pub async fn function_pause(
        &self,
        caller: &Caller,
        key: &FunctionKey,
        paused: bool,
    ) -> Result<Arc<Function>> {
        self.function_for(caller, key, Permission::FunctionsWrite).await?;
        let function = self.parts.registry.set_paused(key, paused).await?;
        self.parts.events.tell(FunctionEvent::Updated(Arc::clone(&function)));
        Ok(function)
    }

    /// Applies the declaration of an earlier version as a new version.
    pub async fn function_rollback(
        &self,
        caller: &Caller,
        key: &FunctionKey,
        to: VersionNumber,
    ) -> Result<Arc<Function>> {
        let function = self.function_for(caller, key, Permission::FunctionsWrite).await?;
        let version = self.version_of(&function, to).await?;
        let spec = version.spec.as_ref().clone();
        self.check_runnable(key, &spec, caller).await?;
        let apply = Apply {
            key: key.clone(),
            spec,
            precondition: Precondition::Etag(function.etag()),
            by: Arc::clone(&caller.subject),
            dry_run: false,
        };
        let applied = self.parts.registry.apply(apply).await?;
        self.tell_applied(&applied);
        Ok(applied.function)
    }

    /// A version of a function that exists; `NotFound` with reason `VersionNotFound` where there is none.
    pub(super) async fn version_of(
        &self,
        function: &Function,
        number: VersionNumber,
    ) -> Result<Arc<FunctionVersion>> {
        if number.0 < 1 {
            return Err(Error::invalid("version", format!("must be at least 1, is {number}")));
        }
        self.parts.registry.version(function.uid, number).await.map_err(|error| match error.kind() {
            ErrorKind::NotFound => Error::new(
                ErrorKind::NotFound,
                "VersionNotFound",
                format!("function {:?} has no version {number}", function.key.name),
            )
            .with_metadata("currentVersion", function.version),
            _ => error,
        })
    }

    /// Versions newest first, and the current one's number.
    pub async fn version_list(
        &self,
        caller: &Caller,
        key: &FunctionKey,
        page_size: Option<i32>,
        page_token: &str,
    ) -> Result<(Vec<Arc<FunctionVersion>>, VersionNumber, String)> {
        let function = self.function_for(caller, key, Permission::FunctionsRead).await?;
        let question = format!("versions {}", function.uid);
        let size = page::size(page_size)? as usize;
        let after = page::cursor(page_token, &question)?.and_then(|cursor| cursor.parse::<i32>().ok());
        let mut versions = self.parts.registry.versions(function.uid).await?;
        versions.retain(|version| after.is_none_or(|after| version.number.0 < after));
        let more = versions.len() > size;
        versions.truncate(size);
        let next = versions.last().filter(|_| more).map(|v| page::token(&v.number.to_string(), &question));
        Ok((versions, function.version, next.unwrap_or_default()))
    }
}
