use super::{App, require};
use crate::page;
use eventflow_domain::access::{Caller, Permission};
use eventflow_domain::invocation::{Body, Stored};
use eventflow_domain::ports::{ByteStream, DeadLetterGroup, InvocationFilter, Live, Topic};
use eventflow_domain::{Error, ErrorKind, Invocation, InvocationId, Namespace, Result, State, Timestamp};
use futures::{StreamExt as _, stream};
use std::time::Duration;

/// A record of a sync call is written within 100 ms of its end; an id this young may still be on its way.
const FLUSH_WINDOW: Duration = Duration::from_secs(2);
const FLUSH_POLL: Duration = Duration::from_millis(40);
/// How far the clock of another api may be ahead.
const SKEW: Duration = Duration::from_millis(500);
/// How often a waiting read looks by itself: a live message may be lost.
const WAIT_POLL: Duration = Duration::from_secs(1);
/// Most records that one bulk request acts on.
pub(super) const BULK: u32 = 1000;

/// What a bulk request did, or would do.
#[derive(Debug, Default)]
pub struct Bulk {
    pub count: u64,
    pub more: bool,
    pub ids: Vec<InvocationId>,
    /// When the oldest of the calls that were looked at was accepted.
    pub oldest: Option<Timestamp>,
}

impl App {
    /// The record, if the caller may see it. `namespace` is where the caller looks for it; `None` = anywhere.
    pub(super) async fn invocation_for(
        &self,
        caller: &Caller,
        namespace: Option<&Namespace>,
        id: InvocationId,
        permission: Permission,
    ) -> Result<Invocation> {
        let not_found = || Error::invocation_not_found(id);
        let record = self.read_young(id).await?.ok_or_else(not_found)?;
        if namespace.is_some_and(|namespace| *namespace != record.function.namespace) {
            return Err(not_found());
        }
        require(caller, permission, &record.function.namespace, not_found)?;
        Ok(record)
    }

    /// Reads a record; waits for the flush where the id is so young that it may not be written yet.
    async fn read_young(&self, id: InvocationId) -> Result<Option<Invocation>> {
        loop {
            let found = self.parts.store.get(id).await?;
            let age = self.parts.clock.now().since(id.created_at());
            // An id from further in the future than clocks differ is forged: no wait.
            let young = age < FLUSH_WINDOW && id.created_at() <= self.parts.clock.now() + SKEW;
            if found.is_some() || !young {
                return Ok(found);
            }
            tokio::time::sleep(FLUSH_POLL).await;
        }
    }

    /// The record whole, after waiting for its end for at most `wait`.
    pub async fn invocation_get(
        &self,
        caller: &Caller,
        namespace: Option<&Namespace>,
        id: InvocationId,
        wait: Duration,
    ) -> Result<Invocation> {
        let record = self.invocation_for(caller, namespace, id, Permission::InvocationsRead).await?;
        if wait.is_zero() || record.state().is_terminal() {
            return Ok(record);
        }
        if wait > self.config.limits.max_wait {
            let max = eventflow_domain::quantity::format_duration(self.config.limits.max_wait);
            return Err(Error::invalid("wait", format!("must be from 0s to {max}")));
        }
        self.settled(id, wait).await
    }

    /// The record when it has ended, or as it is after `wait`.
    pub(super) async fn settled(&self, id: InvocationId, wait: Duration) -> Result<Invocation> {
        let deadline = tokio::time::Instant::now() + wait;
        let mut live = self.parts.bus.listen(Topic::Invocation(id));
        loop {
            let record = self.parts.store.get(id).await?.ok_or_else(|| Error::invocation_not_found(id))?;
            if record.state().is_terminal()
                || tokio::time::Instant::now() >= deadline
                || self.handle.is_draining()
            {
                return Ok(record);
            }
            let next = (tokio::time::Instant::now() + WAIT_POLL).min(deadline);
            let _ = tokio::time::timeout_at(next, until_changed(&mut live)).await;
        }
    }

    pub async fn invocation_list(
        &self,
        caller: &Caller,
        filter: &InvocationFilter,
        page_size: Option<i32>,
        page_token: &str,
    ) -> Result<(Vec<Invocation>, String)> {
        require_list(caller, filter, Permission::InvocationsRead)?;
        let question = format!("invocations {filter:?}");
        let size = page::size(page_size)?;
        let after = page::cursor(page_token, &question)?.and_then(|cursor| cursor.parse().ok());
        let page = self.parts.store.list(filter, after, size).await?;
        let next = page.invocations.last().filter(|_| page.more);
        let next = next.map(|last| page::token(&last.id.to_string(), &question)).unwrap_or_default();
        Ok((page.invocations, next))
    }

    /// Dead letters that the filter holds, by function and reason.
    pub async fn dead_letter_groups(
        &self,
        caller: &Caller,
        mut filter: InvocationFilter,
    ) -> Result<Vec<DeadLetterGroup>> {
        require_list(caller, &filter, Permission::InvocationsRead)?;
        filter.dead_letter = Some(true);
        self.parts.store.dead_letter_groups(&filter, BULK).await
    }

    /// The bytes of a result, and their content type. `WrongState` where the call has none yet.
    pub async fn invocation_result(
        &self,
        caller: &Caller,
        namespace: Option<&Namespace>,
        id: InvocationId,
    ) -> Result<(Stored, ByteStream)> {
        let record = self.invocation_for(caller, namespace, id, Permission::InvocationsRead).await?;
        if !record.state().is_terminal() {
            return Err(Error::new(
                ErrorKind::WrongState,
                "NotFinished",
                format!("invocation {id} is {}: it has no result yet", record.state()),
            )
            .with_metadata("state", record.state()));
        }
        self.bytes_of(record.result, "result").await
    }

    pub async fn invocation_payload(
        &self,
        caller: &Caller,
        namespace: Option<&Namespace>,
        id: InvocationId,
    ) -> Result<(Stored, ByteStream)> {
        let record = self.invocation_for(caller, namespace, id, Permission::InvocationsRead).await?;
        self.bytes_of(record.payload, "payload").await
    }

    pub(super) async fn bytes_of(&self, stored: Stored, what: &str) -> Result<(Stored, ByteStream)> {
        let bytes: ByteStream = match &stored.body {
            Body::Inline(bytes) => {
                let bytes = bytes.clone();
                Box::pin(stream::once(async { Ok(bytes) }))
            }
            Body::Blob(key) => self.parts.blobs.get(key).await?.1,
            Body::None if stored.size == 0 => Box::pin(stream::empty()),
            Body::None => {
                let text = format!("the {what} was not kept: the function records metadata only");
                return Err(Error::new(ErrorKind::WrongState, "NotKept", text));
            }
        };
        Ok((stored, bytes))
    }

    pub async fn invocation_cancel(
        &self,
        caller: &Caller,
        namespace: Option<&Namespace>,
        id: InvocationId,
    ) -> Result<Invocation> {
        self.invocation_for(caller, namespace, id, Permission::InvocationsWrite).await?;
        self.cancel(id).await
    }

    async fn cancel(&self, id: InvocationId) -> Result<Invocation> {
        let record = self.parts.store.cancel(id).await?;
        if record.state() == State::Running {
            self.parts.bus.announce(Live::CancelRequested { invocation: id });
        } else {
            self.announce(id, &record.function, record.state());
        }
        Ok(record)
    }

    /// Cancels what the filter holds and has not ended.
    pub async fn invocations_cancel(
        &self,
        caller: &Caller,
        mut filter: InvocationFilter,
        dry_run: bool,
    ) -> Result<Bulk> {
        require_list(caller, &filter, Permission::InvocationsWrite)?;
        filter.states.retain(|state| !state.is_terminal());
        if filter.states.is_empty() {
            filter.states = vec![State::Queued, State::Running, State::Retrying];
        }
        if dry_run {
            return Ok(Bulk { count: self.parts.store.count(&filter).await?, ..Bulk::default() });
        }
        let page = self.parts.store.list(&filter, None, BULK).await?;
        let mut bulk = Bulk { more: page.more, ..Bulk::default() };
        for record in page.invocations {
            match self.cancel(record.id).await {
                Ok(_) => {
                    bulk.count += 1;
                    bulk.ids.push(record.id);
                }
                // It ended meanwhile.
                Err(error) if matches!(error.kind(), ErrorKind::WrongState | ErrorKind::NotFound) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(bulk)
    }
}

/// The next change of the record, passing over log lines. Never ends where the live stream has ended.
pub(super) async fn until_changed(live: &mut (impl futures::Stream<Item = Live> + Unpin)) {
    while let Some(live) = live.next().await {
        if matches!(live, Live::Changed { .. }) {
            return;
        }
    }
    futures::future::pending::<()>().await;
}

/// A list over all namespaces needs the permission in all of them.
pub(super) fn require_list(caller: &Caller, filter: &InvocationFilter, permission: Permission) -> Result<()> {
    match &filter.namespace {
        Some(namespace) => caller.require(permission, namespace),
        None if caller.grants.iter().any(|g| g.namespace.is_none() && g.role.allows(permission)) => Ok(()),
        None => Err(Error::new(
            ErrorKind::Forbidden,
            "PermissionDenied",
            format!("permission {permission} in all namespaces is needed"),
        )),
    }
}
