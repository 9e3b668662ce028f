//! What one transaction of a group does.

use super::shared::fault::{Fault, Outcome};
use super::shared::group::Done;
use super::shared::logs::Append;
use super::shared::order::Order;
use super::tx::{Ended, Tx, Unit};
use super::{accept, at_once, logs, steps};
use eventflow_domain::ports::{Accepted, NewInvocation};
use futures::future::BoxFuture;

/// Some of a group's work.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part<'w> {
    pub news: &'w [NewInvocation],
    pub appends: &'w [Append],
    pub orders: &'w [Order],
}

impl Part<'_> {
    const NONE: Self = Part { news: &[], appends: &[], orders: &[] };

    pub(super) fn len(&self) -> usize {
        self.news.len() + self.appends.len() + self.orders.len()
    }

    /// By kind, then in the middle; the order stays.
    pub(super) fn halves(self) -> (Self, Self) {
        let Self { news, appends, orders } = self;
        if !news.is_empty() && news.len() < self.len() {
            return (Part { news, ..Self::NONE }, Part { appends, orders, ..Self::NONE });
        }
        if !appends.is_empty() && !orders.is_empty() {
            return (Part { appends, ..Self::NONE }, Part { orders, ..Self::NONE });
        }
        let (n, a, o) = (
            news.split_at(news.len() / 2),
            appends.split_at(appends.len() / 2),
            orders.split_at(orders.len() / 2),
        );
        (Part { news: n.0, appends: a.0, orders: o.0 }, Part { news: n.1, appends: a.1, orders: o.1 })
    }

    /// The same for all of it; the one that is alone is told why.
    pub(super) fn failed(&self, fault: Fault) -> Done {
        let mut done = Done {
            accepted: self.news.iter().map(|_| Err(fault.to_all())).collect(),
            appended: self.appends.iter().map(|_| Err(fault.to_all())).collect(),
            took: self.orders.iter().map(|_| Err(fault.to_all())).collect(),
        };
        if let ([only], [], []) = (&mut *done.accepted, &*done.appended, &*done.took) {
            *only = Err(fault.into());
        } else if let ([], [only], []) = (&*done.accepted, &mut *done.appended, &*done.took) {
            *only = Err(fault.into());
        } else if let ([], [], [only]) = (&*done.accepted, &*done.appended, &mut *done.took) {
            *only = Err(fault.into());
        }
        done
    }
}

impl Unit for Part<'_> {
    type Done = Done;

    fn run<'a>(&'a mut self, tx: &'a mut Tx) -> BoxFuture<'a, Outcome<Done>> {
        Box::pin(async move {
            let accepted = accept::all(tx, self.news).await?;
            let appended = logs::append_all(tx, self.appends).await?;
            let took = steps::take_all(tx, self.orders).await?.into_iter().map(Ok).collect();
            Ok(Done { accepted, appended, took })
        })
    }

    fn at_once<'a>(&'a mut self, tx: &'a mut Tx) -> BoxFuture<'a, Option<Ended<Done>>> {
        Box::pin(async move {
            if self.news.len() < self.len() || !at_once::suits(self.news) {
                return None;
            }
            let done = |accepted: Vec<Accepted>| Done {
                accepted: accepted.into_iter().map(Ok).collect(),
                ..Done::default()
            };
            Some(at_once::accept(tx, self.news).await?.map(done))
        })
    }
}
