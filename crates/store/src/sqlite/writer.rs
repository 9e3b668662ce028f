//! The one writer: takes what waits as a group, commits it once, then answers all.

mod group;

use super::Options;
use super::accept::Accept;
use super::fault::{Fault, Outcome};
use super::lock::FolderLock;
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
    pub unfenced: bool,
    clock: Arc<dyn Clock>,
}

impl Tx {
    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }
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

enum Command {
    Accept(Box<Accept>),
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
        let tx = Tx { conn, waiting: Waiting::default(), unfenced: options.unfenced, clock };
        spawn(group::Loop { commands, tx, reconnect, _lock: lock }.run());
        Self { commands: sender, wait: options.wait }
    }

    pub(super) async fn accept(&self, new: NewInvocation) -> Result<Accepted> {
        let (reply, answer) = oneshot::channel();
        self.send(Command::Accept(Box::new(Accept { new, reply }))).await?;
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
