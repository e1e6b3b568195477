//! SQLite's one writer: calls that write wait in a line, and those that wait together are committed together.
//!
//! SQLite answers `busy` to a second writer, and a commit costs the same for one write as for a hundred. So writes are done by a
//! thread of the store's own, which begins with the first of them and ends with the store. It belongs to no caller and to
//! no runtime: a call that is dropped does not take with it the writes of others that share its transaction (`CANCEL-01`).

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use session_core::{Error, Result};
use sqlx::pool::PoolConnection;
use sqlx::sqlite::{SqliteArguments, SqliteConnectOptions, SqliteConnection, SqliteRow};
use sqlx::{ConnectOptions, Connection, SqlSafeStr, Sqlite, SqlitePool};
use tokio::sync::{mpsc, oneshot, watch};

use crate::database::{self, Driver, Trouble, bind};
use crate::error::{LATE, is_outage, refusal, shared_refusal, trouble};
use crate::sql::{Statement, Value};
use crate::way::When;

/// The most calls that one transaction takes: enough to share a commit, and short enough to hold up nobody.
const LARGEST_BATCH: usize = 256;

/// The longest pause while another process writes. The first ones are shorter: most writes are short.
const LONGEST_PAUSE: Duration = Duration::from_millis(20);

type Answer = database::Answer<SqliteRow>;

/// Where the connection that writes comes from.
#[derive(Clone)]
pub(crate) enum Source {
    /// A pool of the application's own, which gets it back after each batch. Its connections wait by themselves while another
    /// process writes.
    Pool(SqlitePool),
    /// Nobody else uses it, so it is opened once and kept. It does not wait; the writer does.
    Own(Box<SqliteConnectOptions>),
}

/// The line of calls in front of the thread that writes.
pub(crate) struct Writer {
    source: Source,
    patience: Duration,
    line: Mutex<Line>,
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").field("patience", &self.patience).finish_non_exhaustive()
    }
}

#[derive(Default)]
struct Line {
    /// Where calls are put, and what tells that the thread has ended. Nothing before the first call.
    thread: Option<(mpsc::UnboundedSender<Call>, watch::Receiver<()>)>,
    is_closed: bool,
}

/// A call that waits.
struct Call {
    /// The first that finds something has done it.
    statements: Arc<[Statement]>,
    values: Vec<Value>,
    when: When,
    late: Option<Instant>,
    answer: oneshot::Sender<Result<Answer>>,
}

impl Call {
    fn end(self, outcome: Result<Answer>) {
        // Nobody listens if the caller was dropped; what was written stays written.
        drop(self.answer.send(outcome));
    }

    fn is_late(&self) -> bool {
        self.late.is_some_and(|late| late <= Instant::now())
    }

    /// Says whether two calls run the same statements, so that they can be done at once.
    fn is_like(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.statements, &other.statements)
    }
}

impl Writer {
    pub(crate) fn new(source: Source, patience: Duration) -> Self {
        Self { source, patience, line: Mutex::default() }
    }

    /// Has a call done and waits for its outcome, which is committed when it arrives.
    pub(crate) async fn submit(&self, statements: &Arc<[Statement]>, values: Vec<Value>, when: When) -> Result<Answer> {
        let (answer, outcome) = oneshot::channel();
        let late = Instant::now().checked_add(self.patience);
        let call = Call { statements: Arc::clone(statements), values, when, late, answer };
        self.put(call)?;
        match tokio::time::timeout(self.patience, outcome).await {
            Ok(outcome) => outcome.unwrap_or_else(|gone| Err(Error::unavailable(gone))),
            Err(_) => Err(Error::unavailable(LATE)),
        }
    }

    /// Puts a call into the line, and begins the thread if there is none.
    fn put(&self, call: Call) -> Result<()> {
        let mut line = self.line();
        if line.is_closed {
            return Err(refusal::<Sqlite>(sqlx::Error::PoolClosed));
        }
        let call = match &line.thread {
            None => call,
            Some((calls, _)) => match calls.send(call) {
                Ok(()) => return Ok(()),
                // A thread that is gone is replaced.
                Err(unsent) => unsent.0,
            },
        };
        let (calls, waiting) = mpsc::unbounded_channel();
        let (ended, has_ended) = watch::channel(());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        let (runtime, source) = (runtime.map_err(Error::unavailable)?, self.source.clone());
        let write = move || {
            runtime.block_on(write_all(source, waiting));
            drop(ended);
        };
        std::thread::Builder::new().name("sqlite-writer".to_owned()).spawn(write).map_err(Error::unavailable)?;
        calls.send(call).map_err(|_| Error::unavailable("the thread that writes is gone"))?;
        line.thread = Some((calls, has_ended));
        Ok(())
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        // Under the lock nothing is left half done.
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the thread when all is written that is in the line. Calls that come later are refused.
    pub(crate) async fn close(&self) {
        let has_ended = {
            let mut line = self.line();
            line.is_closed = true;
            line.thread.as_mut().map(|(calls, has_ended)| {
                // Another one that nothing is put into.
                *calls = mpsc::unbounded_channel().0;
                has_ended.clone()
            })
        };
        if let Some(mut has_ended) = has_ended {
            // An error says that the other end is gone, which is what is waited for.
            while has_ended.changed().await.is_ok() {}
        }
        if let Source::Pool(pool) = &self.source {
            pool.close().await;
        }
    }
}

/// The connection that writes.
enum Held {
    Pooled(PoolConnection<Sqlite>),
    Own(SqliteConnection, (u64, u64)),
}

impl Held {
    async fn open(source: &Source) -> sqlx::Result<Self> {
        match source {
            Source::Pool(pool) => pool.acquire().await.map(Self::Pooled),
            Source::Own(options) => {
                let identity = Sqlite::identity(options)?;
                Ok(Self::Own(options.connect().await?, identity))
            }
        }
    }

    /// Says whether the file under its name is another one by now.
    fn is_elsewhere(&self, source: &Source) -> bool {
        match (self, source) {
            (Self::Own(_, identity), Source::Own(options)) => Sqlite::identity(options).ok() != Some(*identity),
            _ => false,
        }
    }

    fn connection(&mut self) -> &mut SqliteConnection {
        match self {
            Self::Pooled(connection) => connection,
            Self::Own(connection, _) => connection,
        }
    }

    /// Closes it, also where a pool would hand it to the next one.
    async fn close(self) {
        let closed = match self {
            Self::Pooled(connection) => connection.close().await,
            Self::Own(connection, _) => connection.close().await,
        };
        // A connection that cannot say good-bye is gone as well.
        drop(closed);
    }
}

/// What the thread does until nobody can put calls into the line any more.
async fn write_all(source: Source, mut waiting: mpsc::UnboundedReceiver<Call>) {
    let mut held: Option<Held> = None;
    while let Some(first) = waiting.recv().await {
        let mut batch = vec![first];
        while batch.len() < LARGEST_BATCH
            && let Ok(call) = waiting.try_recv()
        {
            batch.push(call);
        }
        if let Some(old) = held.take_if(|held| held.is_elsewhere(&source)) {
            old.close().await;
        }
        let mut connected = match held.take() {
            Some(connected) => connected,
            None => match Held::open(&source).await {
                Ok(connected) => connected,
                Err(error) => {
                    refuse_all(batch, error);
                    continue;
                }
            },
        };
        match (write_in_turn(connected.connection(), batch, &source).await, &source) {
            (true, Source::Own(_)) => held = Some(connected),
            (true, Source::Pool(_)) => drop(connected),
            // A transaction that the database has undone by itself is one that sqlx still counts.
            (false, _) => connected.close().await,
        }
    }
    if let Some(held) = held {
        held.close().await;
    }
}

fn refuse_all(calls: Vec<Call>, error: sqlx::Error) {
    let error = Arc::new(error);
    for call in calls {
        call.end(Err(shared_refusal::<Sqlite>(&error)));
    }
}

/// Writes some calls when no other process writes, by the time that it is then, answers them, and says whether the connection is still
/// good. A connection that waits by itself would write by the time at which it began to wait, and revive what others have
/// seen expired.
async fn write_in_turn(connection: &mut SqliteConnection, mut batch: Vec<Call>, source: &Source) -> bool {
    // All of them are under way, so any order is right; this one brings those together that can be done at once.
    batch.sort_by_key(|call| call.statements.as_ptr().addr());
    let mut pause = Duration::from_millis(1);
    loop {
        // What nobody waits for any more is not written.
        batch.retain(|call| !call.answer.is_closed());
        if batch.is_empty() {
            return true;
        }
        let error = match write_together(connection, &batch).await {
            Ok(outcomes) => {
                for (call, outcome) in batch.into_iter().zip(outcomes) {
                    call.end(outcome.map_err(refusal::<Sqlite>));
                }
                return true;
            }
            Err(error) => error,
        };
        let is_busy = trouble::<Sqlite>(&error) == Trouble::UndoneByRace;
        if !is_busy || matches!(source, Source::Pool(_)) {
            refuse_all(batch, error);
            return is_busy;
        }
        // Nothing is written yet. Each waits for as long as it may.
        let (late, patient) = batch.into_iter().partition(Call::is_late);
        refuse_all(late, error);
        batch = patient;
        tokio::time::sleep(pause).await;
        pause = LONGEST_PAUSE.min(pause * 2);
    }
}

/// Writes some calls in one transaction, or one statement without. One that is refused leaves the others as they are; in an
/// outage none is written.
async fn write_together(connection: &mut SqliteConnection, batch: &[Call]) -> sqlx::Result<Vec<sqlx::Result<Answer>>> {
    if let [call] = batch
        && call.statements.len() == 1
    {
        return write_same(connection, batch).await;
    }
    let mut outcomes = Vec::with_capacity(batch.len());
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    for calls in batch.chunk_by(Call::is_like) {
        outcomes.extend(write_same(&mut transaction, calls).await?);
    }
    transaction.commit().await?;
    Ok(outcomes)
}

/// Writes calls of the same statements: with the first one those that find something, with the next one the others.
async fn write_same(connection: &mut SqliteConnection, calls: &[Call]) -> sqlx::Result<Vec<sqlx::Result<Answer>>> {
    let mut outcomes: Vec<sqlx::Result<Answer>> = calls.iter().map(|_| Ok(Answer::default())).collect();
    let mut rest: Vec<usize> = (0..calls.len()).collect();
    let Some(statements) = calls.first().map(|call| &call.statements) else { return Ok(outcomes) };
    for statement in statements.iter() {
        let mut remaining = &rest[..];
        while !remaining.is_empty() {
            let (text, count) = statement.block(remaining.len());
            let mut arguments = SqliteArguments::default();
            let mut times = Vec::with_capacity(count);
            for place in &remaining[..count] {
                // As late as possible: a call that waited for its turn would else revive what others have seen expired.
                let now = calls[*place].when.now();
                bind::<Sqlite>(&mut arguments, statement, &calls[*place].values, now)?;
                times.push(now);
            }
            let mut answers = Vec::with_capacity(count);
            let ran = Sqlite::run(connection, text.into_sql_str(), Some(arguments), &mut answers).await;
            let mut done = answers.len();
            for ((place, answer), now) in remaining.iter().zip(answers).zip(times) {
                outcomes[*place] = Ok(Answer { now, ..answer });
            }
            match ran {
                Ok(()) if done == count => {}
                Ok(()) => return Err(sqlx::Error::Protocol("a statement was not answered".to_owned())),
                Err(error) if is_outage::<Sqlite>(&error) => return Err(error),
                // SQLite undoes the statement that it refuses, and leaves those before it.
                Err(error) => {
                    outcomes[remaining[done]] = Err(error);
                    done += 1;
                }
            }
            remaining = &remaining[done..];
        }
        rest.retain(|place| outcomes[*place].as_ref().is_ok_and(|answer| !answer.has_found()));
    }
    Ok(outcomes)
}
