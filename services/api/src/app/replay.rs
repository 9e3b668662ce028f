use super::App;
use super::invocations::{BULK, Bulk, require_list};
use super::invoke::{InvokeAnswer, NewCall, takes_calls};
use bytes::BytesMut;
use eventflow_domain::access::{Caller, Permission};
use eventflow_domain::invocation::{Content, Stored};
use eventflow_domain::ports::{IdempotencyKey, InvocationFilter};
use eventflow_domain::trace::TraceContext;
use eventflow_domain::{
    Error, ErrorKind, Invocation, InvocationId, Namespace, Result, Source, State, VersionNumber,
};
use futures::TryStreamExt as _;
use std::time::Duration;

/// By then the end of a sync call that its caller knows of is in the record.
const END_WRITTEN: Duration = Duration::from_millis(500);

/// How the new call of a replay differs from the recorded one.
struct Anew {
    version: Option<VersionNumber>,
    payload: Option<Content>,
    trace: TraceContext,
    idempotency: Option<IdempotencyKey>,
    delay: Duration,
}

/// How many new calls start in a second; 0: all at once.
#[derive(Debug, Clone, Copy)]
struct Pace(u32);

impl Pace {
    fn new(rate: i32) -> Result<Self> {
        let refused = |_| Error::invalid("rate", format!("must be at least 0, is {rate}"));
        u32::try_from(rate).map(Self).map_err(refused)
    }

    /// How long the call behind so many others waits.
    fn delay(self, before: u64) -> Duration {
        if self.0 == 0 { Duration::ZERO } else { Duration::from_secs_f64(before as f64 / f64::from(self.0)) }
    }
}

impl App {
    /// Makes a new call of the same function; the old record stays as it is. `WrongState` where that call has not
    /// ended: to run it beside itself is a new call and no replay.
    pub async fn invocation_replay(
        &self,
        caller: &Caller,
        namespace: Option<&Namespace>,
        id: InvocationId,
        version: Option<VersionNumber>,
        payload: Option<Content>,
        trace: TraceContext,
    ) -> Result<Invocation> {
        let record = self.invocation_for(caller, namespace, id, Permission::InvocationsWrite).await?;
        let record = self.ended(record).await?;
        let anew = Anew { version, payload, trace, idempotency: None, delay: Duration::ZERO };
        let new = self.replay(caller, record, anew).await?;
        self.parts.store.get(new).await?.ok_or_else(|| Error::invocation_not_found(new))
    }

    /// The record as it ended. The end of a sync call is written shortly after its caller was answered.
    async fn ended(&self, mut record: Invocation) -> Result<Invocation> {
        if record.state() == State::Running {
            record = self.settled(record.id, END_WRITTEN).await?;
        }
        if record.state().is_terminal() {
            return Ok(record);
        }
        let (id, state) = (record.id, record.state());
        let text = format!("invocation {id} is {state}: replay it when it has ended, or call the function");
        Err(Error::new(ErrorKind::WrongState, "WrongState", text).with_metadata("state", state))
    }

    async fn replay(&self, caller: &Caller, record: Invocation, anew: Anew) -> Result<InvocationId> {
        let Anew { version, payload, trace, idempotency, delay } = anew;
        self.refuse_while_draining()?;
        let function = self.function_for(caller, &record.function, Permission::FunctionsInvoke).await?;
        takes_calls(&function)?;
        let version = match version {
            Some(number) => self.version_of(&function, number).await?.number,
            None => function.version,
        };
        let payload = match payload {
            Some(payload) => payload,
            None => self.recorded_payload(record.payload).await?,
        };
        self.check_payload(&payload)?;
        let id = InvocationId::generate();
        // A copy, not a second name: the old record may be removed while this one still waits.
        let payload = self.store_payload(id, payload).await?;
        let call = NewCall { id, function, version, source: Source::Replay, replay_of: Some(record.id) };
        match self.accept(caller, call, payload, trace, idempotency, Some(delay)).await? {
            InvokeAnswer::Accepted { id, .. } => Ok(id),
            InvokeAnswer::Finished { invocation, .. } => Ok(invocation.id),
        }
    }

    async fn recorded_payload(&self, stored: Stored) -> Result<Content> {
        let content_type = stored.content_type.clone();
        let (stored, chunks) = self.bytes_of(stored, "payload").await?;
        let mut bytes = BytesMut::with_capacity(usize::try_from(stored.size).unwrap_or_default());
        let mut chunks = chunks;
        while let Some(chunk) =
            chunks.try_next().await.map_err(|error| Error::internal("read the payload", error))?
        {
            bytes.extend_from_slice(&chunk);
        }
        Ok(Content { bytes: bytes.freeze(), content_type })
    }

    /// Replays ended calls that the filter holds, newest first; `rate` new calls a second.
    pub async fn invocations_replay(
        &self,
        caller: &Caller,
        mut filter: InvocationFilter,
        version: Option<VersionNumber>,
        rate: i32,
        dry_run: bool,
    ) -> Result<Bulk> {
        require_list(caller, &filter, Permission::InvocationsWrite)?;
        let pace = Pace::new(rate)?;
        filter.states.retain(|state| state.is_terminal());
        if filter.states.is_empty() {
            filter.states = vec![State::Succeeded, State::Failed, State::Cancelled];
        }
        // What this request makes is not replayed by it.
        let now = self.parts.clock.now();
        filter.created_before = Some(filter.created_before.map_or(now, |before| before.min(now)));
        if dry_run {
            return Ok(Bulk { count: self.parts.store.count(&filter).await?, ..Bulk::default() });
        }
        let page = self.parts.store.list(&filter, None, BULK).await?;
        let mut bulk = Bulk { more: page.more, ..Bulk::default() };
        for record in page.invocations {
            bulk.oldest = Some(bulk.oldest.map_or(record.created_at, |at| at.min(record.created_at)));
            // Listed records have no bodies.
            let Some(record) = self.parts.store.get(record.id).await? else { continue };
            let trace = TraceContext::generate();
            let delay = pace.delay(bulk.count);
            let anew = Anew { version, payload: None, trace, idempotency: None, delay };
            let new = self.replay(caller, record, anew).await?;
            bulk.count += 1;
            bulk.ids.push(new);
        }
        Ok(bulk)
    }

    /// Replays dead letters that the filter holds and takes the flag from them; `rate` new calls a second.
    pub async fn invocations_redrive(
        &self,
        caller: &Caller,
        mut filter: InvocationFilter,
        version: Option<VersionNumber>,
        rate: i32,
        dry_run: bool,
    ) -> Result<Bulk> {
        require_list(caller, &filter, Permission::InvocationsWrite)?;
        let pace = Pace::new(rate)?;
        filter.dead_letter = Some(true);
        if dry_run {
            return Ok(Bulk { count: self.parts.store.count(&filter).await?, ..Bulk::default() });
        }
        let page = self.parts.store.list(&filter, None, BULK).await?;
        let mut bulk = Bulk { more: page.more, ..Bulk::default() };
        for record in page.invocations {
            // Listed records have no bodies.
            let Some(record) = self.parts.store.get(record.id).await? else { continue };
            let new = self.redrive(caller, record, version, pace.delay(bulk.count)).await?;
            bulk.count += 1;
            bulk.ids.push(new);
        }
        Ok(bulk)
    }

    /// Replays one dead letter and takes the flag from it; what is none is refused.
    pub async fn invocation_redrive(
        &self,
        caller: &Caller,
        namespace: Option<&Namespace>,
        id: InvocationId,
        version: Option<VersionNumber>,
        dry_run: bool,
    ) -> Result<Bulk> {
        let record = self.invocation_for(caller, namespace, id, Permission::InvocationsWrite).await?;
        if !record.lifecycle.dead_letter {
            let text = format!("invocation {id} is no dead letter, or not any more");
            return Err(Error::new(ErrorKind::WrongState, "NoDeadLetter", text));
        }
        if dry_run {
            return Ok(Bulk { count: 1, ..Bulk::default() });
        }
        let new = self.redrive(caller, record, version, Duration::ZERO).await?;
        Ok(Bulk { count: 1, ids: vec![new], ..Bulk::default() })
    }

    async fn redrive(
        &self,
        caller: &Caller,
        record: Invocation,
        version: Option<VersionNumber>,
        delay: Duration,
    ) -> Result<InvocationId> {
        let id = record.id;
        // The key makes two redrives of one dead letter at the same time one new call.
        let key = IdempotencyKey {
            scope: format!("redrive/{id}").into(),
            payload_hash: [0; 32],
            expires_at: self.parts.clock.now() + self.config.limits.idempotency,
        };
        // Many calls that run at different times are no one trace.
        let trace = TraceContext::generate();
        let anew = Anew { version, payload: None, trace, idempotency: Some(key), delay };
        let new = self.replay(caller, record, anew).await?;
        self.parts.store.clear_dead_letter(id).await?;
        Ok(new)
    }

    /// Takes the flag from dead letters that the filter holds.
    pub async fn invocations_discard(
        &self,
        caller: &Caller,
        mut filter: InvocationFilter,
        dry_run: bool,
    ) -> Result<Bulk> {
        require_list(caller, &filter, Permission::InvocationsWrite)?;
        filter.dead_letter = Some(true);
        if dry_run {
            return Ok(Bulk { count: self.parts.store.count(&filter).await?, ..Bulk::default() });
        }
        let page = self.parts.store.list(&filter, None, BULK).await?;
        let mut bulk = Bulk { more: page.more, ..Bulk::default() };
        for record in page.invocations {
            if self.parts.store.clear_dead_letter(record.id).await? {
                bulk.count += 1;
                bulk.ids.push(record.id);
            }
        }
        Ok(bulk)
    }
}
