//! The one writer: takes what waits as a group, commits it once, then answers all.

mod group;

use super::Options;
use super::fault::Outcome;
use super::hot::Hot;
use super::lock::FolderLock;
use super::shared;
use super::shared::group::{Command, stopped};
use super::shared::logs::LogSources;
use super::waiting::Waiting;
use eventflow_domain::ports::Clock;
use eventflow_domain::{Result, Timestamp};
use futures::future::BoxFuture;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use std::sync::Arc;
use tokio::sync::oneshot;

/// The open transaction: what a command works with.
#[derive(Debug)]
pub(super) struct Tx {
    pub conn: SqliteConnection,
    pub waiting: Waiting,
    pub hot: Hot,
    pub log_sources: LogSources,
    pub unfenced: bool,
    due: Due,
    clock: Arc<dyn Clock>,
}

impl Tx {
    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(super) async fn execute(&mut self, sql: &'static str) -> Outcome<()> {
        sqlx::query(sql).execute(&mut self.conn).await?;
        Ok(())
    }

    /// Begins the transaction; sent together with the first part of it.
    pub(super) fn begin(&mut self) {
        self.due = Due::Begin;
    }

    /// Drops what is due, because the transaction has failed.
    pub(super) fn nothing_due(&mut self) {
        self.due = Due::Nothing;
    }

    /// Sends what is due, where no part begins.
    pub(super) async fn settle_due(&mut self) -> Outcome<()> {
        match std::mem::take(&mut self.due) {
            Due::Nothing => Ok(()),
            Due::Begin => self.execute("BEGIN IMMEDIATE").await,
            Due::Release => self.execute("RELEASE part").await,
        }
    }

    pub(super) async fn commit(&mut self) -> Outcome<()> {
        match std::mem::take(&mut self.due) {
            // There was nothing to do.
            Due::Begin => Ok(()),
            Due::Nothing | Due::Release => self.execute("COMMIT").await,
        }
    }

    /// Begins a part that may fail alone, also within another; [`Tx::kept`] ends it.
    pub(super) async fn save(&mut self) -> Outcome<()> {
        let sql = match std::mem::take(&mut self.due) {
            Due::Nothing => "SAVEPOINT part",
            Due::Begin => "BEGIN IMMEDIATE; SAVEPOINT part",
            Due::Release => "RELEASE part; SAVEPOINT part",
        };
        self.execute(sql).await
    }

    /// Ends the part: undoes what failed alone and passes its error on; lifts what makes the whole group fail.
    pub(super) async fn kept<T>(&mut self, outcome: Outcome<T>) -> Outcome<Result<T>> {
        match outcome {
            Ok(value) => {
                self.settle_due().await?;
                self.due = Due::Release;
                Ok(Ok(value))
            }
            Err(fault) if fault.is_alone() => {
                self.settle_due().await?;
                self.forget();
                self.execute("ROLLBACK TO part; RELEASE part").await?;
                Ok(Err(fault.into()))
            }
            Err(fault) => Err(fault),
        }
    }

    /// Forgets what was remembered of the rows, because some of it is undone.
    pub(super) fn forget(&mut self) {
        self.waiting.forget();
        self.hot.forget();
        self.log_sources.clear();
    }
}

/// What is still to be sent, with the next statement that controls the transaction: one crossing for both.
#[derive(Debug, Default)]
enum Due {
    #[default]
    Nothing,
    Begin,
    /// Of the innermost part. `COMMIT` releases it by itself.
    Release,
}

/// A command other than an accept. Runs in the group's transaction; its answer goes out once that is committed.
pub(super) trait Job: Send {
    fn run<'a>(&'a mut self, tx: &'a mut Tx) -> BoxFuture<'a, Outcome<()>>;
    fn answer(self: Box<Self>, outcome: Result<()>);
}

struct Call<T, F> {
    work: Option<F>,
    value: Option<T>,
    reply: oneshot::Sender<Result<T>>,
}

impl<T, F> Job for Call<T, F>
where
    T: Send,
    F: for<'a> FnOnce(&'a mut Tx) -> BoxFuture<'a, Outcome<T>> + Send,
{
    fn run<'a>(&'a mut self, tx: &'a mut Tx) -> BoxFuture<'a, Outcome<()>> {
        Box::pin(async move {
            if let Some(work) = self.work.take() {
                self.value = Some(work(tx).await?);
            }
            Ok(())
        })
    }

    fn answer(self: Box<Self>, outcome: Result<()>) {
        let Self { value, reply, .. } = *self;
        // The caller may have left; what was committed stays.
        let _ = reply.send(outcome.and_then(|()| value.ok_or_else(stopped)));
    }
}

/// The cheap handle to the writer.
pub(super) type Writer = shared::group::Writer<Box<dyn Job>>;

/// Starts the writer, which ends once its last handle is gone.
pub(super) fn start(
    conn: SqliteConnection,
    lock: FolderLock,
    reconnect: SqliteConnectOptions,
    clock: Arc<dyn Clock>,
    options: &Options,
) -> Writer {
    let (writer, commands) = Writer::new(options.queue, options.wait, None);
    let tx = Tx {
        conn,
        waiting: Waiting::default(),
        hot: Hot::default(),
        log_sources: LogSources::default(),
        unfenced: options.unfenced,
        due: Due::default(),
        clock,
    };
    spawn(group::Loop { commands, tx, reconnect, _lock: lock }.run());
    writer
}

impl Writer {
    /// Runs `work` in a transaction and returns its value once that is committed.
    pub(super) async fn write<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'a> FnOnce(&'a mut Tx) -> BoxFuture<'a, Outcome<T>> + Send + 'static,
    {
        self.ask(|reply| Command::Job(Box::new(Call { work: Some(work), value: None, reply }))).await
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "ends by itself once the last handle is gone; close() waits for it"
)]
fn spawn(future: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(future);
}
