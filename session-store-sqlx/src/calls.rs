//! Calls to a server: in time, again where nothing was done, and ended on the server when nobody waits for them any more.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use session_core::{Error, Result};
use sqlx::{AssertSqlSafe, SqlSafeStr};
use tokio::runtime::Handle;
use tokio::time::timeout;

use crate::database::{Answer, Driver, Trouble, bind};
use crate::error::{LATE, refusal, shared_refusal, trouble};
use crate::pool::{Lease, Pool};
use crate::setup;
use crate::sql::{Statement, Value};
use crate::table::TableName;
use crate::way::{Way, When};

/// How often a call is made again that the database undid because of another one; its time-out may end it earlier.
const MOST_RACES: u32 = 400;
/// The longest pause before such a call is made again. The first ones are shorter: the call that was in the way is short.
const LONGEST_PAUSE: Duration = Duration::from_millis(20);
/// How long a statement that nobody waits for any more may still end by itself.
const GRACE: Duration = Duration::from_millis(20);
/// How long the server may take to end it. After that its connection is closed.
const LONGEST_END: Duration = Duration::from_secs(1);

/// How calls get to a server.
pub struct Calls<DB: Driver> {
    pub(crate) pool: Pool<DB>,
    pub(crate) timeout: Duration,
    /// Whether a pooler gives each transaction another connection: all values are parts of the text then.
    pub(crate) has_pooler: bool,
}

impl<DB: Driver> Calls<DB> {
    /// The time in which a call ends, unless said otherwise.
    pub(crate) const TIMEOUT: Duration = Duration::from_secs(5);

    pub(crate) fn new(pool: Pool<DB>) -> Self {
        Self { pool, timeout: Self::TIMEOUT, has_pooler: false }
    }

    /// Ends a call that takes too long.
    pub(crate) async fn within_time<T>(&self, call: impl Future<Output = Result<T>>) -> Result<T> {
        timeout(self.timeout, call).await.unwrap_or_else(|_| Err(Error::unavailable(LATE)))
    }

    pub(crate) async fn lease(&self) -> Result<Lease<DB>> {
        self.pool.lease(self.timeout).await.map_err(|error| shared_refusal::<DB>(&error))
    }

    /// Runs one statement on one of the connections. Again if nothing was done; what only reads also if the connection broke.
    async fn run(&self, statement: &Statement, values: &[Value], when: &When, reads: bool) -> Result<Answer<DB::Row>> {
        let (mut is_repeated, mut is_elsewhere, mut races) = (false, false, 0);
        loop {
            let lease = self.lease().await?;
            let now = when.now();
            let (sql, arguments) = if self.has_pooler {
                let literal =
                    |place: usize| values.get(place).map_or_else(String::new, |value| DB::literal(value.bound(now)));
                let millis = self.timeout.as_millis().clamp(1, 1 << 30);
                // For this transaction only, which is this text. Every value is written by `literal`.
                let set = format!(
                    "SET LOCAL statement_timeout = {millis}; SET LOCAL enable_sort = off; SET LOCAL jit = off;"
                );
                let text = set + &statement.with_literals(literal);
                (AssertSqlSafe(text).into_sql_str(), None)
            } else {
                let mut arguments = DB::Arguments::default();
                bind::<DB>(&mut arguments, statement, values, now).map_err(refusal::<DB>)?;
                (statement.sql(), Some(arguments))
            };
            let cancelling = lease.cancelling().map(|cancelling| Box::pin(cancelling) as Boxed<_>);
            let is_cancelled = Arc::new(AtomicBool::new(false));
            let work = {
                let (mut lease, mut answers, is_cancelled) = (lease, Vec::new(), Arc::clone(&is_cancelled));
                Box::pin(async move {
                    let outcome = DB::run(lease.connection(), sql, arguments, &mut answers).await;
                    // What was to be ended and had ended already would end the next one.
                    if outcome.is_err() || !is_cancelled.load(Ordering::SeqCst) {
                        lease.end(&outcome);
                    }
                    outcome.map(|()| answers.pop().unwrap_or_default())
                })
            };
            let error = match (UnderWay { work: Some(work), cancelling, is_cancelled }).await {
                Ok(answer) => return Ok(Answer { now, ..answer }),
                Err(error) => error,
            };
            match trouble::<DB>(&error) {
                Trouble::UndoneByRace if races < MOST_RACES => {
                    races += 1;
                    tokio::time::sleep(LONGEST_PAUSE.min(Duration::from_millis(u64::from(races)))).await;
                }
                Trouble::ReadOnly if !is_elsewhere => is_elsewhere = true,
                Trouble::Broken if reads && !is_repeated => is_repeated = true,
                _ => return Err(refusal::<DB>(error)),
            }
        }
    }
}

impl<DB: Driver> Way<DB> for Calls<DB> {
    async fn read(&self, statement: &Statement, values: &[Value], when: &When) -> Result<Answer<DB::Row>> {
        self.within_time(self.run(statement, values, when, true)).await
    }

    async fn write(&self, statements: &Arc<[Statement]>, values: Vec<Value>, when: When) -> Result<Answer<DB::Row>> {
        self.within_time(async {
            let (mut answer, mut when) = (Answer::default(), when);
            for (number, statement) in statements.iter().enumerate() {
                answer = Answer { statement: number, ..self.run(statement, &values, &when, false).await? };
                if answer.has_found() {
                    break;
                }
                // One time for all steps, or a record may be over by one of them and live by the next.
                when = When::Known(answer.now);
            }
            Ok(answer)
        })
        .await
    }

    async fn set_up(&self, table: &TableName, makes: bool) -> Result<()> {
        self.within_time(async {
            let mut lease = self.lease().await?;
            if let Some(reason) = DB::unfit(lease.connection()).await.map_err(refusal::<DB>)? {
                return Err(Error::backend(reason));
            }
            let outcome = setup::set_up::<DB>(lease.connection(), table, makes).await;
            // What was only looked at leaves nothing behind; what was begun is undone when the connection is closed.
            if outcome.is_ok() || (!makes && outcome.as_ref().is_err_and(|error| error.layout().is_some())) {
                lease.end(&Ok(()));
            }
            outcome
        })
        .await
    }

    async fn close(&self) {
        self.pool.close().await;
    }
}

impl<DB: Driver> Clone for Calls<DB> {
    fn clone(&self) -> Self {
        Self { pool: self.pool.clone(), timeout: self.timeout, has_pooler: self.has_pooler }
    }
}

impl<DB: Driver> fmt::Debug for Calls<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Calls").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// What is being done on a connection. When nobody waits for it any more the server is told to end it, and its connection is
/// only given to another call when it has.
struct UnderWay<T: Send + 'static> {
    work: Option<Boxed<T>>,
    cancelling: Option<Boxed<sqlx::Result<()>>>,
    is_cancelled: Arc<AtomicBool>,
}

impl<T: Send + 'static> Future for UnderWay<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        // Nobody polls a future that is ready.
        let poll = self.work.as_mut().expect("work that is not finished").as_mut().poll(context);
        if poll.is_ready() {
            self.work = None;
        }
        poll
    }
}

impl<T: Send + 'static> Drop for UnderWay<T> {
    fn drop(&mut self) {
        let (Some(mut work), cancelling) = (self.work.take(), self.cancelling.take()) else { return };
        let (Ok(runtime), is_cancelled) = (Handle::try_current(), Arc::clone(&self.is_cancelled)) else { return };
        runtime.spawn(async move {
            if timeout(GRACE, &mut work).await.is_ok() {
                return;
            }
            if let Some(cancelling) = cancelling {
                is_cancelled.store(true, Ordering::SeqCst);
                // If it is not known whether that was heard, the connection is closed.
                if !matches!(timeout(LONGEST_END, cancelling).await, Ok(Ok(()))) {
                    return;
                }
            }
            drop(timeout(LONGEST_END, work).await);
        });
    }
}
