//! Group commit.

use super::{Job, Tx};
use crate::shared::group::{Command, Done, GROUP, Group, Work};
use crate::sqlite::fault::{Fault, Outcome};
use crate::sqlite::lock::FolderLock;
use crate::sqlite::{accept, logs, steps};
use eventflow_domain::Result;
use eventflow_domain::error::Chain;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::sync::mpsc;

pub(super) struct Loop {
    pub commands: mpsc::Receiver<Command<Box<dyn Job>>>,
    pub tx: Tx,
    pub reconnect: SqliteConnectOptions,
    /// Let go of last, after the file is closed.
    pub _lock: FolderLock,
}

impl Loop {
    pub(super) async fn run(mut self) {
        let mut closed = None;
        while let Some(first) = self.commands.recv().await {
            let mut group = Group::of(first);
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

    async fn commit(&mut self, group: Group<Box<dyn Job>>) {
        let (mut work, mut jobs, callers) = group.split();
        match self.transact(&mut work, &mut jobs).await {
            Ok((done, outcomes)) => {
                callers.answer(done);
                for (job, outcome) in jobs.into_iter().zip(outcomes) {
                    job.answer(outcome);
                }
            }
            Err(fault) => {
                tracing::warn!(error = %Chain(&fault), "failed to write a group; its callers were told");
                self.recover(&fault).await;
                callers.fail(&fault);
                for job in jobs {
                    job.answer(Err(fault.to_all()));
                }
            }
        }
    }

    /// The whole transaction, with what came of each job. `Err`: nothing of it is there.
    async fn transact(
        &mut self,
        work: &mut Work,
        jobs: &mut [Box<dyn Job>],
    ) -> Outcome<(Done, Vec<Result<()>>)> {
        let tx = &mut self.tx;
        tx.begin();
        let news = std::mem::take(&mut work.news);
        let mut accepted = Vec::new();
        if !news.is_empty() {
            tx.settle_due().await?;
            accepted = accept::all(tx, news).await?;
        }
        let mut outcomes = Vec::with_capacity(jobs.len());
        for job in jobs {
            tx.save().await?;
            let outcome = job.run(tx).await;
            outcomes.push(tx.kept(outcome).await?);
        }
        let appended = logs::append_all(tx, &work.appends).await?;
        let took = steps::take_all(tx, &work.orders).await?;
        tx.commit().await?;
        Ok((Done { accepted, appended, took }, outcomes))
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
