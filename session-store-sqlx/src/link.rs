//! The way to the database: through a line of writers where only one can write at a time, else directly.

use std::sync::Arc;
use std::time::Duration;

use session_core::{Clock, Result, Timestamp};
use sqlx::{AssertSqlSafe, SqlSafeStr, SqlStr};

use crate::connections::{Connections, Lease};
use crate::driver::{Answer, Driver, Trouble, bind};
use crate::error::{refusal, trouble};
use crate::queue::{Outcome, Source, Work, WriteQueue};
use crate::statement::{Statement, Values};

/// How often a call is made again that the database undid because of another one; its time-out may end it earlier.
const MOST_RACES: u32 = 400;

/// The longest pause before such a call is made again. The first ones are shorter: the call that was in the way is short.
const LONGEST_PAUSE: Duration = Duration::from_millis(20);

/// The way to the database.
pub(crate) enum Link<DB: Driver> {
    /// Writes wait in a line, and reads have connections of their own.
    Queued { readers: Connections<DB>, writes: Arc<WriteQueue<DB>> },
    /// A server lets many write at once.
    Direct(Connections<DB>),
}

/// Whether work is done again when its connection breaks, although it may have been done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// Doing it twice is as good as once, or the caller can tell.
    Once,
    /// The answer would be wrong.
    Never,
}

impl<DB: Driver> Link<DB> {
    pub(crate) fn queued(readers: Connections<DB>, writer: Source<DB>) -> Self {
        Self::Queued { readers, writes: Arc::new(WriteQueue::new(writer)) }
    }

    /// Runs a statement that only reads.
    pub(crate) async fn read(
        &self,
        statement: &Statement,
        values: &Values,
        clock: &dyn Clock,
    ) -> Result<Outcome<DB::Row>> {
        match self {
            // Of a file nothing is asked twice, and what is read is not cut off by a time.
            Self::Queued { readers, .. } => {
                let lease = readers.within_time(readers.lease()).await?;
                let now = clock.now();
                let mut arguments = DB::Arguments::default();
                bind::<DB>(&mut arguments, statement, values, now).map_err(refusal::<DB>)?;
                let outcome = readers.finish(run(lease, statement.sql(), Some(arguments))).await;
                let answer = outcome.map_err(refusal::<DB>)?.pop().unwrap_or_default();
                Ok(Outcome { answer, now, is_repeated: false })
            }
            Self::Direct(connections) => {
                connections.within_time(run_step(connections, statement, values, || clock.now(), Repeat::Once)).await
            }
        }
    }

    /// Runs statements that write, and returns what the first of them answers: in one transaction, or where there is no
    /// line, one after the other.
    pub(crate) async fn write(
        &self,
        statements: &[Statement],
        values: Values,
        clock: &Arc<dyn Clock>,
        repeat: Repeat,
    ) -> Result<Outcome<DB::Row>> {
        match self {
            Self::Queued { writes, .. } => {
                writes.submit(Work { statements: statements.to_vec(), values, clock: Arc::clone(clock) }).await
            }
            Self::Direct(connections) => {
                let steps = async {
                    let mut first: Option<Outcome<DB::Row>> = None;
                    for statement in statements {
                        // One time for all steps, or a record may be over by one of them and live by the next.
                        let decided = first.as_ref().map(|first| first.now);
                        let now = || decided.unwrap_or_else(|| clock.now());
                        let outcome = run_step(connections, statement, &values, now, repeat).await?;
                        first.get_or_insert(outcome);
                    }
                    first.ok_or_else(|| sqlx::Error::Protocol("no statement".to_owned()))
                };
                connections.within_time(steps).await
            }
        }
    }

    /// Runs statements without values, in one transaction.
    pub(crate) async fn set_up(&self, lock: &[Statement], schema: &[Statement], clock: &Arc<dyn Clock>) -> Result<()> {
        match self {
            Self::Queued { .. } => self.write(schema, Values::default(), clock, Repeat::Once).await.map(drop),
            Self::Direct(connections) => {
                let texts = lock.iter().chain(schema).map(|statement| statement.sql().as_str().to_owned());
                // The only text that is not the crate's own is the table's name, which is checked and quoted.
                let script = AssertSqlSafe(texts.collect::<Vec<_>>().join(";\n")).into_sql_str();
                connections
                    .within_time(async {
                        let lease = connections.lease().await?;
                        connections.finish(run(lease, script, None)).await
                    })
                    .await
                    .map(drop)
            }
        }
    }

    pub(crate) async fn close(&self) {
        match self {
            Self::Queued { readers, writes } => {
                writes.close().await;
                readers.close().await;
            }
            Self::Direct(connections) => connections.close().await,
        }
    }
}

impl<DB: Driver> Clone for Link<DB> {
    fn clone(&self) -> Self {
        match self {
            Self::Queued { readers, writes } => Self::Queued { readers: readers.clone(), writes: Arc::clone(writes) },
            Self::Direct(connections) => Self::Direct(connections.clone()),
        }
    }
}

/// Runs one statement on one of the connections.
async fn run_step<DB: Driver>(
    connections: &Connections<DB>,
    statement: &Statement,
    values: &Values,
    clock: impl Fn() -> Timestamp,
    repeat: Repeat,
) -> sqlx::Result<Outcome<DB::Row>> {
    let (mut is_repeated, mut is_elsewhere, mut races) = (false, false, 0);
    loop {
        let lease = connections.lease().await?;
        let now = clock();
        let (sql, arguments) = if let Some(literal) = connections.literal() {
            let text = statement.with_literals(|param| literal(values.value(param, now)));
            // Every value is written by `literal`.
            (AssertSqlSafe(text).into_sql_str(), None)
        } else {
            let mut arguments = DB::Arguments::default();
            bind::<DB>(&mut arguments, statement, values, now)?;
            (statement.sql(), Some(arguments))
        };
        let error = match connections.finish(run(lease, sql, arguments)).await {
            Ok(mut answers) => return Ok(Outcome { answer: answers.pop().unwrap_or_default(), now, is_repeated }),
            Err(error) => error,
        };
        match trouble::<DB>(&error) {
            Trouble::UndoneByRace if races < MOST_RACES => {
                races += 1;
                tokio::time::sleep(LONGEST_PAUSE.min(Duration::from_millis(u64::from(races)))).await;
            }
            Trouble::ReadOnly if !is_elsewhere => is_elsewhere = true,
            Trouble::Broken if !is_repeated && repeat == Repeat::Once => is_repeated = true,
            _ => return Err(error),
        }
    }
}

/// Runs a text and gives the connection back, or up if another one may do better.
async fn run<DB: Driver>(
    mut lease: Lease<DB>,
    sql: SqlStr,
    arguments: Option<DB::Arguments>,
) -> sqlx::Result<Vec<Answer<DB::Row>>> {
    let outcome = DB::run(lease.connection(), sql, arguments).await;
    match outcome.as_ref().map_err(trouble::<DB>) {
        Err(Trouble::Broken | Trouble::ReadOnly) => lease.discard(),
        _ => lease.keep(),
    }
    outcome
}
