//! One writer for all: calls that write wait in a line, and those that wait together are committed together.
//!
//! A database with one writer at a time answers `busy` to a second one, and a commit costs the same for one write as for
//! a hundred. So writes are done by a task that lives while there are any. It belongs to no caller: a call that is
//! dropped does not take with it the writes of others that share its transaction (`CANCEL-01`).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use session_core::{Clock, Error, Result, Timestamp};
use sqlx::{Connection, Pool, SqlSafeStr};
use tokio::sync::oneshot;

use crate::driver::{Driver, arguments};
use crate::error::{is_outage, shared_refusal};
use crate::statement::{Statement, Values};

/// The most calls that one transaction takes: enough to share a commit, and short enough to hold up nobody.
const LARGEST_BATCH: usize = 64;

/// What a call that writes wants done, in one step.
#[derive(Debug)]
pub(crate) struct Work {
    /// Run one after the other, in one transaction if there are several.
    pub(crate) statements: Vec<Statement>,
    pub(crate) values: Values,
    pub(crate) clock: Arc<dyn Clock>,
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Outcome<R> {
    /// The rows that the statements returned.
    pub(crate) rows: Vec<R>,
    /// How many rows the last statement that returns none has changed.
    pub(crate) changed: u64,
    /// The time by which the statements decided.
    pub(crate) now: Timestamp,
}

/// The line of calls that write, in front of one connection.
pub(crate) struct WriteQueue<DB: Driver> {
    pool: Pool<DB>,
    line: Mutex<Line<DB>>,
}

struct Line<DB: Driver> {
    waiting: Vec<Call<DB>>,
    /// Whether a task is there that will come to what is waiting.
    has_writer: bool,
}

struct Call<DB: Driver> {
    work: Work,
    answer: oneshot::Sender<Result<Outcome<DB::Row>>>,
}

impl<DB: Driver> Call<DB> {
    fn answer(self, outcome: Result<Outcome<DB::Row>>) {
        // Nobody listens if the caller was dropped; what was written stays written.
        drop(self.answer.send(outcome));
    }
}

impl<DB: Driver> WriteQueue<DB> {
    pub(crate) fn new(pool: Pool<DB>) -> Self {
        Self { pool, line: Mutex::new(Line { waiting: Vec::new(), has_writer: false }) }
    }

    pub(crate) fn pool(&self) -> &Pool<DB> {
        &self.pool
    }

    /// Has the work done and waits for its outcome, which is committed when it arrives.
    pub(crate) async fn submit(self: &Arc<Self>, work: Work) -> Result<Outcome<DB::Row>> {
        let (answer, outcome) = oneshot::channel();
        let is_alone = {
            let mut line = self.line();
            line.waiting.push(Call { work, answer });
            !std::mem::replace(&mut line.has_writer, true)
        };
        if is_alone {
            tokio::spawn(Writer { queue: Arc::clone(self), has_ended: false }.run());
        }
        outcome.await.unwrap_or_else(|gone| Err(Error::unavailable(gone)))
    }

    /// Returns whoever waits, and lets the next call make a new writer.
    fn give_up(&self) -> Vec<Call<DB>> {
        let mut line = self.line();
        line.has_writer = false;
        std::mem::take(&mut line.waiting)
    }

    fn line(&self) -> MutexGuard<'_, Line<DB>> {
        // Under the lock calls are only pushed and taken, which leaves the line whole at every step.
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the next calls that somebody still waits for, or ends the writer's time if there are none.
    fn next_batch(&self) -> Vec<Call<DB>> {
        let mut line = self.line();
        line.waiting.retain(|call| !call.answer.is_closed());
        let size = line.waiting.len().min(LARGEST_BATCH);
        line.has_writer = size > 0;
        line.waiting.drain(..size).collect()
    }
}

/// The one who writes. When it goes, also with a runtime that shuts down, the next call makes a new one.
struct Writer<DB: Driver> {
    queue: Arc<WriteQueue<DB>>,
    has_ended: bool,
}

impl<DB: Driver> Writer<DB> {
    async fn run(mut self) {
        let mut connection = match self.queue.pool.acquire().await {
            Ok(connection) => connection,
            Err(error) => {
                let waiting = self.queue.give_up();
                self.has_ended = true;
                return refuse_all(waiting, error);
            }
        };
        loop {
            let batch = self.queue.next_batch();
            if batch.is_empty() {
                self.has_ended = true;
                return;
            }
            write_batch(&mut *connection, batch).await;
        }
    }
}

impl<DB: Driver> Drop for Writer<DB> {
    /// Tells those who wait when the writer's own runtime ends before its work does.
    fn drop(&mut self) {
        if !self.has_ended {
            drop(self.queue.give_up());
        }
    }
}

/// Writes some calls together and answers them.
async fn write_batch<DB: Driver>(connection: &mut DB::Connection, batch: Vec<Call<DB>>) {
    match write_together::<DB>(connection, &batch).await {
        Ok(outcomes) => {
            for (call, outcome) in batch.into_iter().zip(outcomes) {
                call.answer(Ok(outcome));
            }
        }
        // In an outage each call alone would meet the same, after the same wait.
        Err(error) if batch.len() == 1 || is_outage::<DB>(&error) => refuse_all(batch, error),
        // The fault of one of them, and nothing is written yet. The others must not suffer for it.
        Err(_) => {
            for call in batch {
                match write_together::<DB>(connection, std::slice::from_ref(&call)).await {
                    Ok(mut outcomes) => call.answer(outcomes.pop().ok_or_else(|| Error::backend("no outcome"))),
                    Err(error) => refuse_all(vec![call], error),
                }
            }
        }
    }
}

/// Writes some calls in one transaction, or one statement without; all of them, or none.
async fn write_together<DB: Driver>(
    connection: &mut DB::Connection,
    batch: &[Call<DB>],
) -> sqlx::Result<Vec<Outcome<DB::Row>>> {
    let mut outcomes = Vec::with_capacity(batch.len());
    match batch {
        [call] if call.work.statements.len() == 1 => outcomes.push(write::<DB>(connection, &call.work).await?),
        _ => {
            let mut transaction = connection.begin_with(DB::dialect().0.begin.into_sql_str()).await?;
            for call in batch {
                outcomes.push(write::<DB>(&mut transaction, &call.work).await?);
            }
            transaction.commit().await?;
        }
    }
    Ok(outcomes)
}

async fn write<DB: Driver>(connection: &mut DB::Connection, work: &Work) -> sqlx::Result<Outcome<DB::Row>> {
    // As late as possible: a call that waited for its turn would else revive what others have seen expired.
    let now = work.clock.now();
    let mut outcome = Outcome { rows: Vec::new(), changed: 0, now };
    for statement in &work.statements {
        let arguments = arguments::<DB>(statement, &work.values, now)?;
        if statement.has_rows {
            outcome.rows = DB::fetch(connection, statement.sql.clone(), arguments).await?;
        } else {
            outcome.changed = DB::execute(connection, statement.sql.clone(), arguments).await?;
        }
    }
    Ok(outcome)
}

fn refuse_all<DB: Driver>(calls: Vec<Call<DB>>, error: sqlx::Error) {
    let error = Arc::new(error);
    for call in calls {
        call.answer(Err(shared_refusal::<DB>(&error)));
    }
}
