//! The open transaction of a writer.

use super::shared::cells::Cells;
use super::shared::fault::{Fault, Outcome, is_constraint};
use super::shared::logs::LogSources;
use super::{Options, TimeSource, places};
use eventflow_domain::{FunctionUid, State, Timestamp};
use futures::future::BoxFuture;
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{AssertSqlSafe, Row as _, ValueRef as _};
use std::collections::BTreeMap;
use std::sync::Arc;
use uuid::Uuid;

/// Begins, and asks for the time in the same crossing.
const BEGIN: &str = "BEGIN; SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint";

/// Of a writer, how many of its transactions were committed.
const COMMITTED: &str = "SELECT number FROM writers WHERE id = $1 FOR UPDATE";
const ENTER: &str = "INSERT INTO writers (id, number, at) VALUES ($1, 0, $2) ON CONFLICT (id) DO NOTHING";
const FENCE: &str = "UPDATE writers SET number = $2 WHERE id = $1";

/// A connection that writes, across its reconnects.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seat {
    pub id: i64,
    /// Of its last transaction that was committed.
    pub number: i64,
    /// Where it counts what waits: of 64; two writers on one would wait for each other, no more.
    pub shard: i16,
}

impl Seat {
    /// Each question what became of a transaction takes a seat this many numbers on, so that the answer stays readable.
    const GENERATION: i64 = 1 << 40;

    pub(super) fn new() -> Self {
        let id = Uuid::new_v4().as_u64_pair().0 as i64;
        Self { id, number: 0, shard: (id & 63) as i16 }
    }
}

/// What a command works with.
#[derive(Debug)]
pub(super) struct Tx {
    pub conn: PgConnection,
    /// When it began.
    pub now: Timestamp,
    pub log_sources: LogSources,
    pub options: Arc<Options>,
    /// This process, as a holder of outbox rows.
    pub holder: i64,
    pub seat: Seat,
    /// It turned out that there was nothing to write: its commit then need not wait for the disk.
    pub unchanged: bool,
    /// How many more calls of a function wait than at the start.
    moved: BTreeMap<FunctionUid, i64>,
}

/// Something to be done in one transaction. It may be run again from its start.
pub(super) trait Unit: Send {
    type Done: Send;
    fn run<'a>(&'a mut self, tx: &'a mut Tx) -> BoxFuture<'a, Outcome<Self::Done>>;

    /// All of it in a single statement, where it is of a kind that can be. `None`: nothing was done.
    fn at_once<'a>(&'a mut self, _tx: &'a mut Tx) -> BoxFuture<'a, Option<Ended<Self::Done>>> {
        Box::pin(std::future::ready(None))
    }
}

/// How a transaction ended.
pub(super) enum Ended<T> {
    Done(T),
    /// Nothing of it is there. The connection is well.
    Undone(Fault, Next),
    /// Nothing of it is there. The connection is not to be used any more.
    Broken(Fault),
    /// The connection died between `COMMIT` and its answer: ask what became of it.
    Unknown(T),
}

impl<T> Ended<T> {
    pub(super) fn map<U>(self, with: impl FnOnce(T) -> U) -> Ended<U> {
        match self {
            Self::Done(done) => Ended::Done(with(done)),
            Self::Undone(fault, next) => Ended::Undone(fault, next),
            Self::Broken(fault) => Ended::Broken(fault),
            Self::Unknown(done) => Ended::Unknown(with(done)),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    GiveUp,
    Repeat,
}

impl Tx {
    pub(super) fn new(conn: PgConnection, options: Arc<Options>, holder: i64, seat: Seat) -> Self {
        Self {
            conn,
            now: Timestamp::default(),
            log_sources: LogSources::default(),
            options,
            holder,
            seat,
            unchanged: false,
            moved: BTreeMap::new(),
        }
    }

    /// A record of this function went from one state to another; `None` = it was not there.
    pub(super) fn moved(&mut self, uid: FunctionUid, from: Option<State>, to: State) {
        use super::shared::new::waits;
        let change = i64::from(waits(to)) - i64::from(from.is_some_and(waits));
        if change != 0 {
            *self.moved.entry(uid).or_default() += change;
        }
    }

    pub(super) async fn carry_out<U: Unit + ?Sized>(&mut self, unit: &mut U) -> Ended<U::Done> {
        if let Some(ended) = unit.at_once(self).await {
            return ended;
        }
        let done = match self.run(unit).await {
            Ok(done) => done,
            Err(fault) => return self.undo(fault).await,
        };
        let (commit, number) = if self.unchanged { ("COMMIT".to_owned(), 0) } else { (self.commit(), 1) };
        match sqlx::raw_sql(AssertSqlSafe(commit)).execute(&mut self.conn).await {
            Ok(_) => {
                self.seat.number += number;
                Ended::Done(done)
            }
            Err(error) => match Fault::from(error) {
                fault if is_broken(&fault) => Ended::Unknown(done),
                fault => self.undo(fault).await,
            },
        }
    }

    async fn run<U: Unit + ?Sized>(&mut self, unit: &mut U) -> Outcome<U::Done> {
        self.begin().await?;
        unit.run(self).await
    }

    async fn begin(&mut self) -> Outcome<()> {
        self.moved.clear();
        self.unchanged = false;
        let rows = sqlx::raw_sql(BEGIN).fetch_all(&mut self.conn).await?;
        let row = rows.first().ok_or(sqlx::Error::RowNotFound)?;
        self.now = match &self.options.time {
            TimeSource::Database => {
                let micros = text(row, 0)?.parse().map_err(|cause| Fault::corrupt("time", cause))?;
                Timestamp::from_micros(micros)
            }
            TimeSource::Clock(clock) => clock.now(),
        };
        Ok(())
    }

    async fn undo<T>(&mut self, fault: Fault) -> Ended<T> {
        self.log_sources.clear();
        if is_broken(&fault) {
            return Ended::Broken(fault);
        }
        match sqlx::raw_sql("ROLLBACK").execute(&mut self.conn).await {
            Ok(_) => {
                let next = if is_conflict(&fault) { Next::Repeat } else { Next::GiveUp };
                Ended::Undone(fault, next)
            }
            Err(_) => Ended::Broken(fault),
        }
    }

    /// Counts what moved, and commits under the next number of this seat, in one crossing. The counts come last, as rows
    /// that many share are to be held for the commit alone. One whose number is no longer the next fails: it was
    /// given up, and must not come true late.
    ///
    /// (The server's own number of the transaction tells nothing: after a crash it is given to another one.)
    fn commit(&self) -> String {
        let Seat { id, number, .. } = self.seat;
        let (next, now) = (number + 1, self.now.as_micros());
        let count = places::count(&self.moved, self.seat.shard);
        format!(
            "{count}INSERT INTO writers (id, number, at) VALUES ({id}, {next}, {now}) ON CONFLICT (id) DO UPDATE \
             SET at = excluded.at, number = CASE writers.number WHEN {number} THEN {next} \
             ELSE 1 / (writers.number * 0) END; COMMIT"
        )
    }

    /// Whether the last transaction of this seat, whose connection died at its commit, was committed. If it was not, it
    /// never will be.
    pub(super) async fn was_committed(&mut self) -> Outcome<bool> {
        self.begin().await?;
        let Seat { id, number, .. } = self.seat;
        // Both wait for a server process that is still at it.
        sqlx::query(ENTER).bind(id).bind(self.now.as_micros()).execute(&mut self.conn).await?;
        let found = sqlx::query(COMMITTED).bind(id).fetch_one(&mut self.conn).await?.int(0)?;
        let fenced = found + Seat::GENERATION;
        sqlx::query(FENCE).bind(id).bind(fenced).execute(&mut self.conn).await?;
        sqlx::raw_sql("COMMIT").execute(&mut self.conn).await?;
        self.seat.number = fenced;
        Ok((found - number - 1) % Seat::GENERATION == 0)
    }
}

/// Of the simple protocol, whose values are texts.
fn text(row: &PgRow, at: usize) -> Outcome<&str> {
    let value = row.try_get_raw(at)?;
    if value.is_null() {
        return Err(Fault::corrupt("column", "NULL"));
    }
    value.as_str().map_err(|cause| Fault::corrupt("column", cause))
}

fn code(error: &sqlx::Error) -> Option<String> {
    Some(error.as_database_error()?.code()?.into_owned())
}

/// Another transaction stood in the way: the same again may succeed.
pub(super) fn is_conflict(fault: &Fault) -> bool {
    let Fault::Db(error) = fault else {
        return false;
    };
    matches!(code(error).as_deref(), Some("40001" | "40P01"))
}

/// The connection is dead, the server goes down, it is a standby now, or its schema changed under a prepared statement.
pub(super) fn is_broken(fault: &Fault) -> bool {
    let Fault::Db(error) = fault else {
        return false;
    };
    match code(error) {
        Some(code) => {
            code.starts_with("08")
                || matches!(
                    code.as_str(),
                    "57P01" | "57P02" | "57P03" | "57P05" | "25006" | "25P03" | "0A000"
                )
        }
        None => matches!(
            error,
            sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) | sqlx::Error::PoolClosed
        ),
    }
}

/// Whether the unit alone is at fault, so that others of its group may be tried without it.
pub(super) fn is_alone(fault: &Fault) -> bool {
    match fault {
        Fault::Refused(_) | Fault::Corrupt { .. } => true,
        Fault::Db(error) => is_constraint(error) || matches!(error, sqlx::Error::Encode(_)),
        Fault::Late => false,
    }
}
