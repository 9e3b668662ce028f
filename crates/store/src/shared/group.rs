//! Who waits for which answer: commands on their way to a writer, and the group that is committed at once.

use super::fault::Fault;
use super::logs::Append;
use super::new::Answer;
use super::order::{Order, Took};
use eventflow_domain::ports::{Accepted, NewInvocation};
use eventflow_domain::{Error, ErrorKind, Result};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// Commands of one commit. More would make the first of them wait longer than they save.
pub(crate) const GROUP: usize = 256;

pub(crate) type Reply<T> = oneshot::Sender<Result<T>>;

/// One caller of `accept`.
#[derive(Debug)]
pub(crate) struct Accept {
    pub new: NewInvocation,
    pub reply: Reply<Accepted>,
}

/// Orders of one caller.
#[derive(Debug)]
pub(crate) struct Orders {
    pub orders: Vec<Order>,
    pub reply: Reply<Vec<Result<Took>>>,
}

/// Lines of one call.
#[derive(Debug)]
pub(crate) struct Lines {
    pub lines: Append,
    pub reply: Reply<()>,
}

/// What a writer is asked for; `J` is its kind of any other work.
#[derive(Debug)]
pub(crate) enum Command<J> {
    Accept(Box<Accept>),
    Orders(Orders),
    Lines(Box<Lines>),
    Job(J),
    Close(oneshot::Sender<()>),
}

pub(crate) fn stopped() -> Error {
    Error::unavailable("the record is closed")
}

/// The cheap handle to a writer.
pub(crate) struct Writer<J> {
    commands: mpsc::Sender<Command<J>>,
    /// For a place in the queue.
    wait: Duration,
    /// From then on, for the answer; `None`: the writer always answers in time.
    patience: Option<Duration>,
}

impl<J> Clone for Writer<J> {
    fn clone(&self) -> Self {
        Self { commands: self.commands.clone(), ..*self }
    }
}

impl<J> std::fmt::Debug for Writer<J> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer").field("places", &self.commands.capacity()).finish_non_exhaustive()
    }
}

impl<J> Writer<J> {
    /// The handle, and what the writer reads from.
    pub(crate) fn new(
        queue: usize,
        wait: Duration,
        patience: Option<Duration>,
    ) -> (Self, mpsc::Receiver<Command<J>>) {
        let (commands, receiver) = mpsc::channel(queue.max(1));
        (Self { commands, wait, patience }, receiver)
    }

    pub(crate) async fn accept(&self, new: NewInvocation) -> Result<Accepted> {
        self.ask(|reply| Command::Accept(Box::new(Accept { new, reply }))).await
    }

    /// Carries out the orders; one answer for each, in order.
    pub(crate) async fn take(&self, orders: Vec<Order>) -> Result<Vec<Result<Took>>> {
        if orders.is_empty() {
            return Ok(Vec::new());
        }
        self.ask(|reply| Command::Orders(Orders { orders, reply })).await
    }

    pub(crate) async fn append(&self, lines: Append) -> Result<()> {
        self.ask(|reply| Command::Lines(Box::new(Lines { lines, reply }))).await
    }

    pub(crate) async fn ask<T>(&self, command: impl FnOnce(Reply<T>) -> Command<J>) -> Result<T> {
        let (reply, answer) = oneshot::channel();
        self.send(command(reply)).await?;
        let answer = match self.patience {
            None => answer.await,
            // Gone with the caller: what was not begun by then is not done.
            Some(patience) => tokio::time::timeout(patience, answer)
                .await
                .map_err(|_| Error::unavailable("the record did not answer in time"))?,
        };
        answer.map_err(|_| stopped())?
    }

    pub(crate) async fn close(&self) {
        let (reply, closed) = oneshot::channel();
        if self.commands.send(Command::Close(reply)).await.is_ok() {
            let _ = closed.await;
        }
    }

    async fn send(&self, command: Command<J>) -> Result<()> {
        match self.commands.send_timeout(command, self.wait).await {
            Ok(()) => Ok(()),
            Err(mpsc::error::SendTimeoutError::Closed(_)) => Err(stopped()),
            Err(mpsc::error::SendTimeoutError::Timeout(_)) => {
                Err(Error::new(ErrorKind::Exhausted, "StoreBusy", "too many writes wait for the record")
                    .with_retry_after(Duration::from_secs(1)))
            }
        }
    }
}

/// What was drained for one commit.
#[derive(Debug)]
pub(crate) struct Group<J> {
    accepts: Vec<Accept>,
    pub jobs: Vec<J>,
    lines: Vec<Lines>,
    orders: Vec<Orders>,
    pub close: Option<oneshot::Sender<()>>,
    pub size: usize,
}

/// What is to be done in one transaction, in this order.
#[derive(Debug)]
pub(crate) struct Work {
    pub news: Vec<NewInvocation>,
    pub appends: Vec<Append>,
    /// Last, so that a lease renewed in the same group counts.
    pub orders: Vec<Order>,
}

/// Who waits, in the order of the work.
#[derive(Debug)]
pub(crate) struct Callers {
    accepts: Vec<Reply<Accepted>>,
    lines: Vec<Reply<()>>,
    /// With the number of their orders.
    orders: Vec<(usize, Reply<Vec<Result<Took>>>)>,
}

/// What came of the work; one answer for each part of it, in order.
#[derive(Debug, Default)]
pub(crate) struct Done {
    pub accepted: Vec<Answer>,
    pub appended: Vec<Result<()>>,
    pub took: Vec<Result<Took>>,
}

impl Done {
    pub(crate) fn append(&mut self, mut more: Self) {
        self.accepted.append(&mut more.accepted);
        self.appended.append(&mut more.appended);
        self.took.append(&mut more.took);
    }
}

impl<J> Group<J> {
    pub(crate) fn of(first: Command<J>) -> Self {
        let mut group = Self {
            accepts: Vec::new(),
            jobs: Vec::new(),
            lines: Vec::new(),
            orders: Vec::new(),
            close: None,
            size: 0,
        };
        group.add(first);
        group
    }

    pub(crate) fn add(&mut self, command: Command<J>) {
        self.size +=
            if let Command::Orders(Orders { orders, .. }) = &command { orders.len().max(1) } else { 1 };
        match command {
            Command::Accept(accept) => self.accepts.push(*accept),
            Command::Orders(orders) => self.orders.push(orders),
            Command::Lines(lines) => self.lines.push(*lines),
            Command::Job(job) => self.jobs.push(job),
            Command::Close(closed) => self.close = Some(closed),
        }
    }

    /// Drops what nobody waits for any more.
    pub(crate) fn forget_left(&mut self) {
        self.accepts.retain(|accept| !accept.reply.is_closed());
        self.lines.retain(|lines| !lines.reply.is_closed());
        self.orders.retain(|orders| !orders.reply.is_closed());
    }

    /// Parts the work from those who wait for its answers. Jobs answer by themselves.
    pub(crate) fn split(self) -> (Work, Vec<J>, Callers) {
        let (news, accepts) = self.accepts.into_iter().map(|accept| (accept.new, accept.reply)).unzip();
        let (appends, lines) = self.lines.into_iter().map(|lines| (lines.lines, lines.reply)).unzip();
        let mut all = Vec::with_capacity(self.size);
        let orders = self.orders.into_iter().map(|mut orders| {
            let count = orders.orders.len();
            all.append(&mut orders.orders);
            (count, orders.reply)
        });
        let orders = orders.collect();
        (Work { news, appends, orders: all }, self.jobs, Callers { accepts, lines, orders })
    }
}

impl Callers {
    pub(crate) fn answer(self, done: Done) {
        // A caller may have left; what was committed stays.
        let mut took = done.took.into_iter();
        for (count, reply) in self.orders {
            let _ = reply.send(Ok(took.by_ref().take(count).collect()));
        }
        for (reply, answer) in self.accepts.into_iter().zip(done.accepted) {
            let _ = reply.send(answer);
        }
        for (reply, answer) in self.lines.into_iter().zip(done.appended) {
            let _ = reply.send(answer);
        }
    }

    pub(crate) fn fail(self, fault: &Fault) {
        for (_, reply) in self.orders {
            let _ = reply.send(Err(fault.to_all()));
        }
        for reply in self.accepts {
            let _ = reply.send(Err(fault.to_all()));
        }
        for reply in self.lines {
            let _ = reply.send(Err(fault.to_all()));
        }
    }
}
