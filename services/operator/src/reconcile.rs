//! One function from what is declared to what is there: dereference → validate → build → apply → update status.
//!
//! It never asks why it runs. Everything that it does it could do again: names are fixed, writes carry what they were
//! based on, and where nothing differs nothing is written.

mod apply;
mod build;
mod children;
mod conditions;
mod dereference;
mod number;
mod problem;
mod update_status;
mod validate;

pub(crate) use apply::Writer;
use build::build;
pub(crate) use conditions::Findings;
pub use dereference::References;
pub(crate) use problem::Problem;
pub(crate) use validate::{Valid, validate};

use crate::client::is_not_leading;
use crate::events::Events;
use crate::index::{Index, Key, View};
use crate::queue::Verdict;
use crate::{Config, Metrics};
use eventflow_domain::ports::Clock;
use kube::Client;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Between two looks at referenced Secrets and ConfigMaps, which no watch tells of.
pub(crate) const REREAD: Duration = Duration::from_secs(60);
/// Between two tries of what others stand in the way of: six a minute.
const BLOCKED: Duration = Duration::from_secs(11);
/// Until a stale view has caught up, or the leftovers of an earlier function are gone.
const SOON: Duration = Duration::from_secs(2);

/// Why a reconcile did not come to its end; it is tried again.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("failed to {doing}")]
    Api {
        doing: String,
        #[source]
        source: kube::Error,
    },
    /// The view is older than the cluster.
    #[error("the view of {0} lags behind")]
    Stale(String),
}

impl Error {
    pub(crate) fn api(doing: impl Into<String>, source: kube::Error) -> Self {
        Self::Api { doing: doing.into(), source }
    }

    /// Whether it came from no longer leading: then nothing is wrong.
    pub fn is_not_leading(&self) -> bool {
        matches!(self, Self::Api { source, .. } if is_not_leading(source))
    }
}

/// What every reconcile needs.
pub struct Context {
    /// Behind the gate.
    pub client: Client,
    pub index: Arc<Index>,
    pub references: References,
    pub events: Events,
    pub config: Arc<Config>,
    pub metrics: Metrics,
    pub clock: Arc<dyn Clock>,
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("config", &self.config).finish_non_exhaustive()
    }
}

/// Brings one function to what it declares.
pub async fn reconcile(context: &Context, key: &Key) -> Result<Verdict, Error> {
    let Some(view) = context.index.view(key) else {
        context.events.forget(key);
        return Ok(Verdict::Done(None));
    };
    // What it owns goes with it; nothing is made for it any more.
    if view.declared.metadata.deletion_timestamp.is_some() {
        return Ok(Verdict::Done(None));
    }
    let writer = Writer { client: &context.client, index: &context.index, events: &context.events, key };
    match validate(&view, &context.config.installation) {
        Err(refusal) => {
            let mut findings = Findings::of(&view, key);
            findings.refusal = Some(refusal);
            update_status::update_status(context, &writer, &view, &findings).await?;
            Ok(Verdict::Done(None))
        }
        Ok(valid) => Box::pin(carry_out(context, &writer, &view, &valid)).await,
    }
}

async fn carry_out(
    context: &Context,
    writer: &Writer<'_>,
    view: &View,
    valid: &Valid,
) -> Result<Verdict, Error> {
    let configs = context.references.read(&context.client, valid).await?;
    let version = writer.version(view, valid).await?;
    let resources = build(view, valid, version, &configs, &context.config.installation);
    let applied = Box::pin(writer.apply(view, valid, resources)).await?;

    let mut findings = Findings::of(view, writer.key);
    findings.version = Some(version.number);
    findings.spec = Some(Arc::clone(&valid.spec));
    findings.deployment = applied.deployment;
    findings.missing = configs.missing;
    findings.problem = applied.problem;
    update_status::update_status(context, writer, view, &findings).await?;

    let reread = (!valid.spec.env_from.is_empty()).then_some(REREAD);
    Ok(match &findings.problem {
        Some(Problem::Leftover { .. }) => Verdict::Done(Some(SOON)),
        Some(_) => Verdict::Hold(BLOCKED),
        None if applied.took_back => Verdict::Hold(BLOCKED),
        None => Verdict::Done(reread),
    })
}
