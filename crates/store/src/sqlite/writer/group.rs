//! Group commit.

use super::{Command, Job, Tx};
use crate::sqlite::accept::{self, Accept};
use crate::sqlite::fault::{Fault, Outcome};
use crate::sqlite::lock::FolderLock;
use eventflow_domain::error::Chain;
use eventflow_domain::{Error, Result};
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
    close: Option<oneshot::Sender<()>>,
}

impl Group {
    fn len(&self) -> usize {
        self.accepts.len() + self.jobs.len()
    }

    fn add(&mut self, command: Command) {
        match command {
            Command::Accept(accept) => self.accepts.push(*accept),
            Command::Job(job) => self.jobs.push(job),
            Command::Close(closed) => self.close = Some(closed),
        }
    }
}

impl Loop {
    pub(super) async fn run(mut self) {
        let mut closed = None;
        while let Some(first) = self.commands.recv().await {
            let mut group = Group::default();
            group.add(first);
            while group.len() < GROUP && group.close.is_none() {
                match self.commands.try_recv() {
                    Ok(next) => group.add(next),
                    Err(_) => break,
                }
            }
            closed = group.close.take();
            if group.len() > 0 {
                self.commit(group).await;
            }
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
        let Group { accepts, mut jobs, .. } = group;
        let (news, replies): (Vec<_>, Vec<_>) =
            accepts.into_iter().map(|accept| (accept.new, accept.reply)).unzip();
        match self.transact(news, &mut jobs).await {
            Ok((accepted, outcomes)) => {
                for (reply, answer) in replies.into_iter().zip(accepted) {
                    let _ = reply.send(answer);
                }
                for (job, outcome) in jobs.into_iter().zip(outcomes) {
                    job.answer(outcome);
                }
            }
            Err(fault) => {
                tracing::warn!(error = %Chain(&fault), "failed to write a group; its callers were told");
                self.recover(&fault).await;
                for reply in replies {
                    let _ = reply.send(Err(fault.to_all()));
                }
                for job in jobs {
                    job.answer(Err(fault.to_all()));
                }
            }
        }
    }

    /// The whole transaction. `Err`: nothing of it is there.
    async fn transact(
        &mut self,
        news: Vec<eventflow_domain::ports::NewInvocation>,
        jobs: &mut [Box<dyn Job>],
    ) -> Outcome<(Vec<accept::Answer>, Vec<Result<()>>)> {
        self.execute("BEGIN IMMEDIATE").await?;
        let accepted = if news.is_empty() { Vec::new() } else { accept::all(&mut self.tx, news).await? };
        // A lone command needs no savepoint: the transaction is one.
        if let ([job], []) = (&mut *jobs, accepted.as_slice()) {
            let outcome = alone(job.run(&mut self.tx).await)?;
            if outcome.is_err() {
                self.tx.waiting.forget();
            }
            self.execute(if outcome.is_ok() { "COMMIT" } else { "ROLLBACK" }).await?;
            return Ok((accepted, vec![outcome]));
        }
        let mut outcomes = Vec::with_capacity(jobs.len());
        // What goes before the next command; `COMMIT` releases the last savepoint itself.
        let mut next = "SAVEPOINT command";
        for job in jobs {
            self.script(next).await?;
            let outcome = alone(job.run(&mut self.tx).await)?;
            next = "RELEASE command; SAVEPOINT command";
            if outcome.is_err() {
                self.tx.waiting.forget();
                self.execute("ROLLBACK TO command").await?;
            }
            outcomes.push(outcome);
        }
        self.execute("COMMIT").await?;
        Ok((accepted, outcomes))
    }

    /// Several statements in one crossing to the database's thread.
    async fn script(&mut self, sql: &'static str) -> Outcome<()> {
        sqlx::raw_sql(sql).execute(&mut self.tx.conn).await?;
        Ok(())
    }

    async fn execute(&mut self, sql: &'static str) -> Outcome<()> {
        sqlx::query(sql).execute(&mut self.tx.conn).await?;
        Ok(())
    }

    /// Leaves no transaction open, and makes a new connection where this one is dead.
    async fn recover(&mut self, fault: &Fault) {
        self.tx.waiting.forget();
        // SQLite may have rolled back by itself; then this fails, which is as good.
        let _ = self.execute("ROLLBACK").await;
        if let Fault::Db(sqlx::Error::WorkerCrashed) = fault {
            match self.reconnect.connect().await {
                Ok(conn) => self.tx.conn = conn,
                Err(error) => tracing::error!(error = %Chain(&error), "failed to open the record again"),
            }
        }
    }
}

/// Passes on what is the command's own failure; lifts what makes the whole group fail.
fn alone(outcome: Outcome<()>) -> Outcome<Result<()>> {
    match outcome {
        Ok(()) => Ok(Ok(())),
        Err(fault) if fault.is_alone() => Ok(Err(Error::from(fault))),
        Err(fault) => Err(fault),
    }
}
