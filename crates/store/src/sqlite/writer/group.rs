//! Group commit.

use super::{Command, Job, Lines, Orders, Taken, Tx};
use crate::sqlite::accept::{self, Accept};
use crate::sqlite::fault::{Fault, Outcome};
use crate::sqlite::lock::FolderLock;
use crate::sqlite::logs::{self, Append};
use crate::sqlite::steps::{self, Order, Took};
use eventflow_domain::Result;
use eventflow_domain::error::Chain;
use eventflow_domain::ports::NewInvocation;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::sync::{mpsc, oneshot};

/// Commands of one commit. More would make the first of them wait longer than they save.
const GROUP: usize = 256;

pub(super) struct Loop {
    pub commands: mpsc::Receiver<Command>,
    pub tx: Tx,
    pub reconnect: SqliteConnectOptions,
    /// Let go of last, after the file is closed.
    pub _lock: FolderLock,
}

/// What was drained for one commit.
#[derive(Default)]
struct Group {
    accepts: Vec<Accept>,
    jobs: Vec<Box<dyn Job>>,
    lines: Vec<Lines>,
    orders: Vec<Orders>,
    close: Option<oneshot::Sender<()>>,
    size: usize,
}

impl Group {
    fn add(&mut self, command: Command) {
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

    /// Parts the work from those who wait for its answers.
    fn split(self) -> (Work, Callers) {
        let (news, accepts) = self.accepts.into_iter().map(|accept| (accept.new, accept.reply)).unzip();
        let (appends, lines) = self.lines.into_iter().map(|lines| (lines.lines, lines.reply)).unzip();
        let mut all = Vec::with_capacity(self.size);
        let orders = self.orders.into_iter().map(|mut orders| {
            let count = orders.orders.len();
            all.append(&mut orders.orders);
            (count, orders.reply)
        });
        let orders = orders.collect();
        (Work { news, jobs: self.jobs, appends, orders: all }, Callers { accepts, lines, orders })
    }
}

/// What is to be done in one transaction, in this order.
struct Work {
    news: Vec<NewInvocation>,
    jobs: Vec<Box<dyn Job>>,
    appends: Vec<Append>,
    /// Last, so that a lease renewed in the same group counts.
    orders: Vec<Order>,
}

/// Who waits, in the order of the work. Jobs answer by themselves.
struct Callers {
    accepts: Vec<oneshot::Sender<accept::Answer>>,
    lines: Vec<oneshot::Sender<Result<()>>>,
    /// With the number of their orders.
    orders: Vec<(usize, oneshot::Sender<Taken>)>,
}

/// What came of the work.
struct Done {
    accepted: Vec<accept::Answer>,
    jobs: Vec<Result<()>>,
    appended: Vec<Result<()>>,
    took: Vec<Result<Took>>,
}

impl Callers {
    fn answer(self, done: Done, jobs: Vec<Box<dyn Job>>) {
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
        for (job, outcome) in jobs.into_iter().zip(done.jobs) {
            job.answer(outcome);
        }
    }

    fn fail(self, fault: &Fault, jobs: Vec<Box<dyn Job>>) {
        for (_, reply) in self.orders {
            let _ = reply.send(Err(fault.to_all()));
        }
        for reply in self.accepts {
            let _ = reply.send(Err(fault.to_all()));
        }
        for reply in self.lines {
            let _ = reply.send(Err(fault.to_all()));
        }
        for job in jobs {
            job.answer(Err(fault.to_all()));
        }
    }
}

impl Loop {
    pub(super) async fn run(mut self) {
        let mut closed = None;
        while let Some(first) = self.commands.recv().await {
            let mut group = Group::default();
            group.add(first);
            while group.size < GROUP && group.close.is_none() {
                match self.commands.try_recv() {
                    Ok(next) => group.add(next),
                    Err(_) => break,
                }
            }
            closed = group.close.take();
            self.commit(group).await;
            if closed.is_some() {
                self.commands.close();
                break;
            }
        }
        let Self { tx, _lock: lock, .. } = self;
        let mut conn = tx.conn;
        // The next start need not read a long log back; not worth failing for.
        let _ = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut conn).await;
        if let Err(error) = conn.close().await {
            tracing::warn!(error = %Chain(&error), "failed to close the record");
        }
        drop(lock);
        if let Some(closed) = closed {
            let _ = closed.send(());
        }
    }

    async fn commit(&mut self, group: Group) {
        let (mut work, callers) = group.split();
        match self.transact(&mut work).await {
            Ok(done) => callers.answer(done, work.jobs),
            Err(fault) => {
                tracing::warn!(error = %Chain(&fault), "failed to write a group; its callers were told");
                self.recover(&fault).await;
                callers.fail(&fault, work.jobs);
            }
        }
    }

    /// The whole transaction. `Err`: nothing of it is there.
    async fn transact(&mut self, work: &mut Work) -> Outcome<Done> {
        let tx = &mut self.tx;
        tx.begin();
        let news = std::mem::take(&mut work.news);
        let mut accepted = Vec::new();
        if !news.is_empty() {
            tx.settle_due().await?;
            accepted = accept::all(tx, news).await?;
        }
        let mut jobs = Vec::with_capacity(work.jobs.len());
        for job in &mut work.jobs {
            tx.save().await?;
            let outcome = job.run(tx).await;
            jobs.push(tx.kept(outcome).await?);
        }
        let appended = logs::append_all(tx, &work.appends).await?;
        let took = steps::take_all(tx, &work.orders).await?;
        tx.commit().await?;
        Ok(Done { accepted, jobs, appended, took })
    }

    /// Leaves no transaction open, and makes a new connection where this one is dead.
    async fn recover(&mut self, fault: &Fault) {
        self.tx.nothing_due();
        self.tx.forget();
        // SQLite may have rolled back by itself; then this fails, which is as good.
        let _ = self.tx.execute("ROLLBACK").await;
        if let Fault::Db(sqlx::Error::WorkerCrashed) = fault {
            match self.reconnect.connect().await {
                Ok(conn) => self.tx.conn = conn,
                Err(error) => tracing::error!(error = %Chain(&error), "failed to open the record again"),
            }
        }
    }
}
