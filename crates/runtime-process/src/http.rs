//! Http mode: warm copies of a command that serve on `$PORT`.

mod output;
mod start;

pub(crate) use start::Commands;
