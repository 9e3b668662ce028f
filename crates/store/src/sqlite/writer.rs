//! The one writer: takes what waits as a group, commits it once, then answers all.

mod group;

use super::Options;
use super::accept::Accept;
use super::fault::{Fault, Outcome};
use super::hot::Hot;
use super::lock::FolderLock;
use super::logs::{Append, LogSources};
use super::steps::{Order, Took};
use super::waiting::Waiting;
use eventflow_domain::ports::{Accepted, Clock, NewInvocation};
use eventflow_domain::{Error, ErrorKind, Result, Timestamp};
use futures::future::BoxFuture;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

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
trait Job: Send {
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

/// Orders of one caller.
struct Orders {
    orders: Vec<Order>,
    reply: oneshot::Sender<Taken>,
}

type Taken = Result<Vec<Result<Took>>>;

/// Lines of one call.
struct Lines {
    lines: Append,
    reply: oneshot::Sender<Result<()>>,
}

enum Command {
    Accept(Box<Accept>),
    Orders(Orders),
    Lines(Box<Lines>),
    Job(Box<dyn Job>),
    Close(oneshot::Sender<()>),
}

fn stopped() -> Error {
    Error::unavailable("the record is closed")
}

/// The cheap handle to the writer.
#[derive(Clone)]
pub(super) struct Writer {
    commands: mpsc::Sender<Command>,
    wait: Duration,
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer").field("places", &self.commands.capacity()).finish_non_exhaustive()
    }
}

impl Writer {
    pub(super) fn start(
        conn: SqliteConnection,
        lock: FolderLock,
        reconnect: SqliteConnectOptions,
        clock: Arc<dyn Clock>,
        options: &Options,
    ) -> Self {
        let (sender, commands) = mpsc::channel(options.queue.max(1));
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
        Self { commands: sender, wait: options.wait }
    }

    pub(super) async fn accept(&self, new: NewInvocation) -> Result<Accepted> {
        let (reply, answer) = oneshot::channel();
        self.send(Command::Accept(Box::new(Accept { new, reply }))).await?;
        answer.await.map_err(|_| stopped())?
    }

    /// Carries out the orders; one answer for each, in order.
    pub(super) async fn take(&self, orders: Vec<Order>) -> Taken {
        let (reply, answer) = oneshot::channel();
        self.send(Command::Orders(Orders { orders, reply })).await?;
        answer.await.map_err(|_| stopped())?
    }

    pub(super) async fn append(&self, lines: Append) -> Result<()> {
        let (reply, answer) = oneshot::channel();
        self.send(Command::Lines(Box::new(Lines { lines, reply }))).await?;
        answer.await.map_err(|_| stopped())?
    }

    /// Runs `work` in a transaction and returns its value once that is committed.
    pub(super) async fn write<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'a> FnOnce(&'a mut Tx) -> BoxFuture<'a, Outcome<T>> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        self.send(Command::Job(Box::new(Call { work: Some(work), value: None, reply }))).await?;
        answer.await.map_err(|_| stopped())?
    }

    pub(super) async fn close(&self) {
        let (reply, closed) = oneshot::channel();
        if self.commands.send(Command::Close(reply)).await.is_ok() {
            let _ = closed.await;
        }
    }

    async fn send(&self, command: Command) -> Result<()> {
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

#[expect(
    clippy::disallowed_methods,
    reason = "ends by itself once the last handle is gone; close() waits for it"
)]
fn spawn(future: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(future);
}

impl Fault {
    /// The same fault told to each caller of a group.
    fn to_all(&self) -> Error {
        Error::unavailable("the record cannot be written now").with_cause(self.to_string())
    }
}
