use crate::function::{Function, FunctionKey};
use crate::ids::{InvocationId, VersionNumber};
use crate::invocation::Source;
use std::fmt::Debug;
use std::sync::Arc;

/// What happened to a function, for anyone outside.
#[derive(Debug, Clone)]
pub enum FunctionEvent {
    Created(Arc<Function>),
    /// Its declaration was replaced, or it was paused or resumed.
    Updated(Arc<Function>),
    Deleted(Arc<Function>),
    /// A call of it was taken.
    Invoked {
        function: FunctionKey,
        invocation: InvocationId,
        version: VersionNumber,
        source: Source,
    },
}

/// Tells the world, best effort: news, not the record.
pub trait FunctionEvents: Debug + Send + Sync {
    /// Never waits; what does not fit is dropped and counted.
    fn tell(&self, event: FunctionEvent);
}

/// Tells nobody: where there is no broker that anyone could listen at.
#[derive(Debug, Clone, Copy)]
pub struct NoEvents;

impl FunctionEvents for NoEvents {
    fn tell(&self, _: FunctionEvent) {}
}
