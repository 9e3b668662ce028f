//! The end of a run.

use super::steps::{Order, Took};
use super::transition::Wish;
use super::writer::Writer;
use eventflow_domain::Result;
use eventflow_domain::ports::{Settled, Settlement};

pub(super) async fn settle(writer: &Writer, end: Settlement) -> Result<Settled> {
    let order = Order { id: end.invocation, wish: Wish::Settle(Box::new(end)) };
    let took = writer.take(vec![order]).await?.into_iter().next();
    Ok(match took.unwrap_or(Ok(Took::Unknown))? {
        Took::Done(record) => Settled::Done(record),
        Took::Refused(refused) => Settled::Refused(refused),
        Took::Unknown => Settled::Unknown,
    })
}
