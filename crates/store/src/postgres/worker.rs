//! The writers: each takes what waits as a group, commits it once, then answers all.

use super::part::Part;
use super::shared::fault::{Fault, Outcome};
use super::shared::group::{self, Callers, Command, Done, GROUP, Group, Reply, Work, stopped};
use super::tx::{Ended, Next, Seat, Tx, Unit, is_alone};
use super::{Options, connect};
use eventflow_domain::Result;
use eventflow_domain::error::Chain;
use futures::future::BoxFuture;
use sqlx::postgres::PgConnectOptions;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::{Mutex, Notify, mpsc};

/// Repetitions of a transaction that another one stood in the way of.
const REPEATS: u32 = 8;
/// Between two attempts to reach a server that is away.
const PAUSE: Duration = Duration::from_millis(50);

/// Commands that are worth a transaction beside one that is in flight: fewer wait for it to end, for at most
/// [`LINGER`], and become one group. So a busy store commits few large groups, and an idle one commits at once.
const ENOUGH: usize = 32;
const LINGER: Duration = Duration::from_millis(2);

/// A command of its own transaction.
pub(super) trait Job: Unit<Done = ()> {
    fn answer(self: Box<Self>, outcome: Result<()>);
}

struct Call<T, A, F> {
    args: A,
    work: F,
    value: Option<T>,
    reply: Reply<T>,
}

impl<T, A, F> Unit for Call<T, A, F>
where
    T: Send,
    A: Send + Sync,
    F: for<'a> Fn(&'a mut Tx, &'a A) -> BoxFuture<'a, Outcome<T>> + Send,
{
    type Done = ();

    fn run<'a>(&'a mut self, tx: &'a mut Tx) -> BoxFuture<'a, Outcome<()>> {
        let Self { args, work, value, .. } = self;
        let work = work(tx, args);
        Box::pin(async move {
            *value = Some(work.await?);
            Ok(())
        })
    }
}

impl<T, A, F> Job for Call<T, A, F>
where
    T: Send,
    A: Send + Sync,
    F: for<'a> Fn(&'a mut Tx, &'a A) -> BoxFuture<'a, Outcome<T>> + Send,
{
    fn answer(self: Box<Self>, outcome: Result<()>) {
        let Self { value, reply, .. } = *self;
        // The caller may have left; what was committed stays.
        let _ = reply.send(outcome.and_then(|()| value.ok_or_else(stopped)));
    }
}

/// The cheap handle to the writers.
pub(super) type Writer = group::Writer<Box<dyn Job>>;

impl Writer {
    /// Runs `work` in a transaction, again if need be, and returns its value once that is committed.
    pub(super) async fn write<T, A, F>(&self, args: A, work: F) -> Result<T>
    where
        T: Send + 'static,
        A: Send + Sync + 'static,
        F: for<'a> Fn(&'a mut Tx, &'a A) -> BoxFuture<'a, Outcome<T>> + Send + 'static,
    {
        self.ask(|reply| Command::Job(Box::new(Call { args, work, value: None, reply }))).await
    }
}

type Commands = mpsc::Receiver<Command<Box<dyn Job>>>;

/// Groups in flight, over all writers.
#[derive(Debug, Default)]
struct Busy {
    count: AtomicUsize,
    ended: Notify,
}

impl Busy {
    fn begin(self: &Arc<Self>) -> InFlight {
        self.count.fetch_add(1, Ordering::Relaxed);
        InFlight(Arc::clone(self))
    }

    /// Waits until none is in flight.
    async fn none(&self) {
        loop {
            let ended = self.ended.notified();
            if self.count.load(Ordering::Relaxed) == 0 {
                return;
            }
            ended.await;
        }
    }
}

struct InFlight(Arc<Busy>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.count.fetch_sub(1, Ordering::Relaxed);
        // One writer gathers at a time. A permit that nobody waited for costs it a look.
        self.0.ended.notify_one();
    }
}

struct Worker {
    commands: Arc<Mutex<Commands>>,
    busy: Arc<Busy>,
    connect: PgConnectOptions,
    options: Arc<Options>,
    holder: i64,
    seat: Seat,
    tx: Option<Tx>,
}

/// Starts the writers, which end once their last handle is gone.
pub(super) fn start(connect: &PgConnectOptions, options: &Arc<Options>, holder: i64) -> Writer {
    // Of the whole deadline, a half is for the work.
    let wait = options.deadline / 4;
    let (writer, commands) = Writer::new(options.queue, wait, Some(wait * 3));
    let commands = Arc::new(Mutex::new(commands));
    let busy = Arc::new(Busy::default());
    for _ in 0..options.writers.max(1) {
        let worker = Worker {
            commands: Arc::clone(&commands),
            busy: Arc::clone(&busy),
            connect: connect.clone(),
            options: Arc::clone(options),
            holder,
            seat: Seat::new(),
            tx: None,
        };
        spawn(worker.run());
    }
    writer
}

#[expect(
    clippy::disallowed_methods,
    reason = "ends by itself once the last handle is gone; close() waits for it"
)]
fn spawn(future: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(future);
}

impl Worker {
    async fn run(mut self) {
        let mut closed = None;
        while let Some((mut group, in_flight)) = self.next().await {
            closed = group.close.take();
            group.forget_left();
            let (work, jobs, callers) = group.split();
            self.commit(&work, callers).await;
            drop(in_flight);
            for mut job in jobs {
                let outcome = self.carry_out(&mut *job).await;
                job.answer(outcome.map_err(|fault| warned(fault).into()));
            }
            if closed.is_some() {
                break;
            }
        }
        let Self { tx, .. } = self;
        if let Some(tx) = tx {
            // Tells the server; not worth failing for.
            let _ = tokio::time::timeout(PAUSE * 10, sqlx::Connection::close(tx.conn)).await;
        }
        if let Some(closed) = closed {
            let _ = closed.send(());
        }
    }

    /// What waits, as soon as it is worth a transaction.
    async fn next(&self) -> Option<(Group<Box<dyn Job>>, Option<InFlight>)> {
        let mut commands = self.commands.lock().await;
        let mut group = Group::of(commands.recv().await?);
        fill(&mut group, &mut commands);
        if is_small(&group) {
            let more = async {
                let none = self.busy.none();
                tokio::pin!(none);
                while is_small(&group) {
                    tokio::select! {
                        biased;
                        () = &mut none => break,
                        command = commands.recv() => match command {
                            Some(command) => group.add(command),
                            None => break,
                        },
                    }
                }
            };
            // One that is stuck must not hold up the others.
            let _ = tokio::time::timeout(LINGER, more).await;
            fill(&mut group, &mut commands);
        }
        // A job says nothing of how many come in groups.
        let in_flight = (group.jobs.len() < group.size).then(|| self.busy.begin());
        Some((group, in_flight))
    }

    async fn commit(&mut self, work: &Work, callers: Callers) {
        let part = Part { news: &work.news, appends: &work.appends, orders: &work.orders };
        let done = self.parts(part).await;
        callers.answer(done);
    }

    /// All at once; where one is bad, in halves until it is alone.
    fn parts<'a>(&'a mut self, mut part: Part<'a>) -> BoxFuture<'a, Done> {
        Box::pin(async move {
            if part.len() == 0 {
                return Done::default();
            }
            match self.carry_out(&mut part).await {
                Ok(done) => done,
                Err(fault) if is_alone(&fault) && part.len() > 1 => {
                    let (first, second) = part.halves();
                    let mut done = self.parts(first).await;
                    done.append(self.parts(second).await);
                    done
                }
                Err(fault) => part.failed(warned(fault)),
            }
        })
    }

    /// In bounded time. `Late`: it may have been done or not.
    async fn carry_out<U: Unit + ?Sized>(&mut self, unit: &mut U) -> Outcome<U::Done> {
        let patience = self.options.patience();
        let Ok(outcome) = tokio::time::timeout(patience, self.attempts(unit)).await else {
            // Whatever it was doing, it is to be stopped; and what was said last under this number is not known.
            self.tx = None;
            self.seat = Seat::new();
            return Err(Fault::Late);
        };
        outcome
    }

    /// Until it is done or refused. A server that is away is waited for.
    async fn attempts<U: Unit + ?Sized>(&mut self, unit: &mut U) -> Outcome<U::Done> {
        let mut repeats = 0;
        loop {
            match self.connected().await.carry_out(unit).await {
                Ended::Done(done) => return Ok(done),
                Ended::Undone(_, Next::Repeat) if repeats < REPEATS => repeats += 1,
                Ended::Undone(fault, _) => return Err(fault),
                Ended::Broken(fault) => {
                    self.leave();
                    tracing::warn!(error = %Chain(&fault), "lost the database, connecting again");
                }
                Ended::Unknown(done) => {
                    self.leave();
                    tracing::warn!("lost the database at a commit, asking what became of it");
                    if self.was_committed().await {
                        return Ok(done);
                    }
                }
            }
        }
    }

    fn leave(&mut self) {
        if let Some(tx) = self.tx.take() {
            self.seat = tx.seat;
        }
    }

    /// The connection, made where there is none.
    async fn connected(&mut self) -> &mut Tx {
        let tx = match self.tx.take() {
            Some(tx) => tx,
            None => loop {
                match connect::writing(&self.connect, &self.options).await {
                    Ok(conn) => break Tx::new(conn, Arc::clone(&self.options), self.holder, self.seat),
                    Err(error) => {
                        tracing::debug!(error = %Chain(&error), "failed to connect to the database");
                        tokio::time::sleep(PAUSE).await;
                    }
                }
            },
        };
        self.tx.insert(tx)
    }

    /// What became of a transaction whose connection died at its commit.
    async fn was_committed(&mut self) -> bool {
        loop {
            match self.connected().await.was_committed().await {
                Ok(committed) => return committed,
                Err(fault) => {
                    tracing::debug!(error = %Chain(&fault), "failed to ask");
                    self.leave();
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }
}

fn fill(group: &mut Group<Box<dyn Job>>, commands: &mut Commands) {
    while group.size < GROUP && group.jobs.is_empty() && group.close.is_none() {
        match commands.try_recv() {
            Ok(command) => group.add(command),
            Err(_) => break,
        }
    }
}

/// A job is done alone, whatever else waits.
fn is_small(group: &Group<Box<dyn Job>>) -> bool {
    group.size < ENOUGH && group.jobs.is_empty() && group.close.is_none()
}

fn warned(fault: Fault) -> Fault {
    if !matches!(fault, Fault::Refused(_)) {
        tracing::warn!(error = %Chain(&fault), "failed to write; the callers were told");
    }
    fault
}
