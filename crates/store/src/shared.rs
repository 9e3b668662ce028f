//! What both adapters have in common: the record as a row, its steps in memory, and who waits for which answer.

pub(crate) mod cells;
pub(crate) mod codes;
pub(crate) mod configs;
pub(crate) mod fault;
pub(crate) mod functions;
pub(crate) mod group;
pub(crate) mod list;
pub(crate) mod logs;
pub(crate) mod new;
pub(crate) mod order;
pub(crate) mod record;
pub(crate) mod slots;
pub(crate) mod stats;
pub(crate) mod transition;
