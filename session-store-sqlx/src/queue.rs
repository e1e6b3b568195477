//! One writer for all: calls that write wait in a line, and those that wait together are committed together.
//!
//! A database with one writer at a time answers `busy` to a second one, and a commit costs the same for one write as for
//! a hundred. So writes are done by a task that lives while there are any. It belongs to no caller: a call that is
//! dropped does not take with it the writes of others that share its transaction (`CANCEL-01`).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use session_core::{Clock, Error, Result, Timestamp};
use sqlx::pool::PoolConnection;
use sqlx::{ConnectOptions, Connection, Pool};
use tokio::sync::{Notify, oneshot};

use crate::batch::write_batch;
use crate::driver::{Answer, Driver};
use crate::error::{refusal, shared_refusal};
use crate::statement::{Statement, Values};

/// The most calls that one transaction takes: enough to share a commit, and short enough to hold up nobody.
const LARGEST_BATCH: usize = 256;

/// What a call that writes wants done, in one step.
#[derive(Debug)]
pub(crate) struct Work {
    /// Run one after the other, in one transaction if there are several.
    pub(crate) statements: Vec<Statement>,
    pub(crate) values: Values,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Work {
    pub(crate) fn is_same_statement(&self, other: &Self) -> bool {
        match (&*self.statements, &*other.statements) {
            ([one], [other]) => one.is_same(other),
            _ => false,
        }
    }
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Outcome<R> {
    /// What the statement answered, the first one if there are several.
    pub(crate) answer: Answer<R>,
    /// The time by which the statements decided.
    pub(crate) now: Timestamp,
    /// Whether the work was done again after a connection broke, so that it may have been done twice.
    pub(crate) is_repeated: bool,
}

/// Where the connection that writes comes from.
pub(crate) enum Source<DB: Driver> {
    /// A pool of the application's own, which gets it back whenever nothing is to be written. Its connections wait by
    /// themselves while another process writes.
    Pool(Pool<DB>),
    /// Nobody else uses it, so it is opened once and kept. It does not wait; the writer does, for as long as `patience`.
    Own { options: Box<<DB::Connection as Connection>::Options>, patience: Duration },
}

/// The line of calls that write, in front of one connection.
pub(crate) struct WriteQueue<DB: Driver> {
    source: Source<DB>,
    line: Mutex<Line<DB>>,
    /// Tells those who close that a writer has ended.
    ended: Notify,
}

struct Line<DB: Driver> {
    waiting: Vec<Call<DB>>,
    /// Whether a task is there that will come to what is waiting.
    has_writer: bool,
    /// The connection that is kept between one writer and the next.
    kept: Option<DB::Connection>,
    is_closed: bool,
}

/// A call that waits.
pub(crate) struct Call<DB: Driver> {
    pub(crate) work: Work,
    answer: oneshot::Sender<Result<Outcome<DB::Row>>>,
}

impl<DB: Driver> Call<DB> {
    pub(crate) fn answer(self, outcome: Result<Outcome<DB::Row>>) {
        // Nobody listens if the caller was dropped; what was written stays written.
        drop(self.answer.send(outcome));
    }
}

impl<DB: Driver> WriteQueue<DB> {
    pub(crate) fn new(source: Source<DB>) -> Self {
        let line = Line { waiting: Vec::new(), has_writer: false, kept: None, is_closed: false };
        Self { source, line: Mutex::new(line), ended: Notify::new() }
    }

    /// Closes the connection when all is written that is in the line. Calls that come later are refused.
    pub(crate) async fn close(&self) {
        let kept = loop {
            let ended = self.ended.notified();
            {
                let mut line = self.line();
                line.is_closed = true;
                if !line.has_writer {
                    break line.kept.take();
                }
            }
            ended.await;
        };
        if let Some(kept) = kept {
            Held::<DB>::Own(kept).close().await;
        }
        if let Source::Pool(pool) = &self.source {
            pool.close().await;
        }
    }

    /// Has the work done and waits for its outcome, which is committed when it arrives.
    pub(crate) async fn submit(self: &Arc<Self>, work: Work) -> Result<Outcome<DB::Row>> {
        let (answer, outcome) = oneshot::channel();
        let is_alone = {
            let mut line = self.line();
            if line.is_closed {
                return Err(refusal::<DB>(sqlx::Error::PoolClosed));
            }
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
        self.ended.notify_waiters();
        std::mem::take(&mut line.waiting)
    }

    fn line(&self) -> MutexGuard<'_, Line<DB>> {
        // Under the lock calls are only pushed and taken, which leaves the line whole at every step.
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the next calls that somebody still waits for, or ends the writer's time if there are none.
    fn next_batch(&self, connection: &mut Option<Held<DB>>) -> Vec<Call<DB>> {
        let mut line = self.line();
        line.waiting.retain(|call| !call.answer.is_closed());
        let size = line.waiting.len().min(LARGEST_BATCH);
        if size == 0 {
            line.has_writer = false;
            if let Some(Held::Own(own)) = connection.take() {
                line.kept = Some(own);
            }
            self.ended.notify_waiters();
        }
        line.waiting.drain(..size).collect()
    }

    async fn connect(&self) -> sqlx::Result<Held<DB>> {
        match &self.source {
            Source::Pool(pool) => pool.acquire().await.map(Held::Pooled),
            Source::Own { options, .. } => {
                let kept = self.line().kept.take();
                match kept {
                    Some(connection) => Ok(Held::Own(connection)),
                    None => options.connect().await.map(Held::Own),
                }
            }
        }
    }
}

/// The connection of a writer.
enum Held<DB: Driver> {
    Pooled(PoolConnection<DB>),
    Own(DB::Connection),
}

impl<DB: Driver> Held<DB> {
    fn connection(&mut self) -> &mut DB::Connection {
        match self {
            Self::Pooled(connection) => connection,
            Self::Own(connection) => connection,
        }
    }

    /// Closes it, also where a pool would hand it to the next one.
    async fn close(self) {
        let closed = match self {
            Self::Pooled(connection) => connection.close().await,
            Self::Own(connection) => connection.close().await,
        };
        // A connection that cannot say good-bye is gone as well.
        drop(closed);
    }
}

/// The one who writes. When it goes, also with a runtime that shuts down, the next call makes a new one.
struct Writer<DB: Driver> {
    queue: Arc<WriteQueue<DB>>,
    has_ended: bool,
}

impl<DB: Driver> Writer<DB> {
    async fn run(mut self) {
        let mut held = None;
        let patience = match &self.queue.source {
            Source::Pool(_) => Duration::ZERO,
            Source::Own { patience, .. } => *patience,
        };
        loop {
            let batch = self.queue.next_batch(&mut held);
            if batch.is_empty() {
                self.has_ended = true;
                return;
            }
            let mut connected = match held.take() {
                Some(connected) => connected,
                None => match self.queue.connect().await {
                    Ok(connected) => connected,
                    Err(error) => {
                        refuse_all(batch, error);
                        continue;
                    }
                },
            };
            if write_batch(connected.connection(), batch, patience).await {
                held = Some(connected);
            } else {
                // A transaction that the database has undone by itself is one that sqlx still counts.
                connected.close().await;
            }
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

/// Tells some calls of the error that they share.
pub(crate) fn refuse_all<DB: Driver>(calls: Vec<Call<DB>>, error: sqlx::Error) {
    let error = Arc::new(error);
    for call in calls {
        call.answer(Err(shared_refusal::<DB>(&error)));
    }
}
