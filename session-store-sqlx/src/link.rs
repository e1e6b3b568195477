//! The way to the database: through a line of writers where only one can write at a time, else directly.

use std::sync::Arc;
use std::time::Duration;

use session_core::{Error, Result};
use sqlx::{AssertSqlSafe, Pool, SqlSafeStr, SqlStr};

use crate::connections::{Connections, Lease};
use crate::driver::{Answer, Driver, Trouble, bind, run_one};
use crate::error::refusal;
use crate::queue::{Outcome, Source, Work, WriteQueue};
use crate::statement::Statement;

/// How often a call is made again that the database undid because of another one; its time-out may end it earlier.
const MOST_RACES: u32 = 400;

/// The longest pause before such a call is made again. The first ones are shorter: the call that was in the way is short.
const LONGEST_PAUSE: Duration = Duration::from_millis(20);

/// The way to the database.
pub(crate) enum Link<DB: Driver> {
    /// Writes wait in a line, and reads have connections of their own.
    Queued { readers: Pool<DB>, writes: Arc<WriteQueue<DB>> },
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
    pub(crate) fn queued(readers: Pool<DB>, writer: Source<DB>) -> Self {
        Self::Queued { readers, writes: Arc::new(WriteQueue::new(writer)) }
    }

    /// Runs a statement that only reads.
    pub(crate) async fn read(&self, work: Work) -> Result<Outcome<DB::Row>> {
        match self {
            Self::Queued { readers, .. } => {
                let mut connection = readers.acquire().await.map_err(refusal::<DB>)?;
                let now = work.clock.now();
                let statement = work.statements.first().ok_or_else(|| Error::backend("no statement"))?;
                let answer = run_one::<DB>(&mut connection, statement, &work.values, now).await;
                Ok(Outcome { answer: answer.map_err(refusal::<DB>)?, now, is_repeated: false })
            }
            Self::Direct(connections) => run_steps(connections, &work, Repeat::Once).await,
        }
    }

    /// Runs statements that write: in one transaction, or where there is no line, one after the other.
    pub(crate) async fn write(&self, work: Work, repeat: Repeat) -> Result<Outcome<DB::Row>> {
        match self {
            Self::Queued { writes, .. } => writes.submit(work).await,
            Self::Direct(connections) => run_steps(connections, &work, repeat).await,
        }
    }

    /// Runs statements without values, in one transaction.
    pub(crate) async fn set_up(&self, lock: &[Statement], work: Work) -> Result<()> {
        match self {
            Self::Queued { writes, .. } => writes.submit(work).await.map(drop),
            Self::Direct(connections) => {
                let texts = lock.iter().chain(&work.statements).map(|statement| statement.sql().as_str().to_owned());
                // The only text that is not the crate's own is the table's name, which is checked and quoted.
                let script = AssertSqlSafe(texts.collect::<Vec<_>>().join(";\n")).into_sql_str();
                connections
                    .within_time(async {
                        let lease = connections.lease().await?;
                        connections.finish(run(lease, script, None)).await.0
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

/// Runs the statements of one call, and returns what the first of them answers.
async fn run_steps<DB: Driver>(connections: &Connections<DB>, work: &Work, repeat: Repeat) -> Result<Outcome<DB::Row>> {
    let steps = async {
        let mut first = None;
        for statement in &work.statements {
            let outcome = run_step(connections, statement, work, repeat).await?;
            first.get_or_insert(outcome);
        }
        first.ok_or_else(|| sqlx::Error::Protocol("no statement".to_owned()))
    };
    connections.within_time(steps).await
}

async fn run_step<DB: Driver>(
    connections: &Connections<DB>,
    statement: &Statement,
    work: &Work,
    repeat: Repeat,
) -> sqlx::Result<Outcome<DB::Row>> {
    let (mut is_repeated, mut races) = (false, 0);
    loop {
        let lease = connections.lease().await?;
        let now = work.clock.now();
        let (sql, arguments) = if connections.sends_literals() {
            let text = statement.with_literals(|param| DB::literal(work.values.value(param, now)));
            // Every value is written by `literal`.
            (AssertSqlSafe(text).into_sql_str(), None)
        } else {
            let mut arguments = DB::Arguments::default();
            bind::<DB>(&mut arguments, statement, &work.values, now)?;
            (statement.sql(), Some(arguments))
        };
        let (outcome, is_broken) = connections.finish(run(lease, sql, arguments)).await;
        match outcome {
            Ok(mut answers) => return Ok(Outcome { answer: answers.pop().unwrap_or_default(), now, is_repeated }),
            Err(sqlx::Error::Database(error))
                if DB::trouble(&*error) == Trouble::UndoneByRace && races < MOST_RACES =>
            {
                races += 1;
                tokio::time::sleep(LONGEST_PAUSE.min(Duration::from_millis(u64::from(races)))).await;
            }
            Err(_) if is_broken && !is_repeated && repeat == Repeat::Once => is_repeated = true,
            Err(error) => return Err(error),
        }
    }
}

/// Runs a text and gives the connection back, or away if it broke, and says which.
async fn run<DB: Driver>(
    mut lease: Lease<DB>,
    sql: SqlStr,
    arguments: Option<DB::Arguments>,
) -> (sqlx::Result<Vec<Answer<DB::Row>>>, bool) {
    let outcome = DB::run(lease.connection(), sql, arguments).await;
    let is_broken = match &outcome {
        Ok(_) => false,
        Err(sqlx::Error::Database(error)) => DB::trouble(&**error) == Trouble::Broken,
        Err(_) => true,
    };
    if is_broken {
        lease.discard();
    } else {
        lease.keep();
    }
    (outcome, is_broken)
}
