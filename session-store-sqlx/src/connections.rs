//! Connections to a server: the application's own pool, or connections of ours that are not asked after every call whether
//! they still work.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use session_core::{Error, Result};
use sqlx::pool::PoolConnection;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Pool, SqlSafeStr};
use tokio::sync::Semaphore;

use crate::driver::Driver;
use crate::error::refusal;
use crate::statement::Value;

/// An idle connection is asked whether it still works when it was idle for longer than this.
const TRUSTED: Duration = Duration::from_secs(10);
/// A connection that was idle for so long is closed; those that are needed are used again sooner.
const LONGEST_IDLE: Duration = Duration::from_secs(10 * 60);
/// A connection that is older is closed, so that servers behind a name can change, and their memory be freed.
const LONGEST_LIFE: Duration = Duration::from_secs(30 * 60);

type Options<DB> = <<DB as sqlx::Database>::Connection as Connection>::Options;

/// Where the connections of calls come from. A clone shares them.
pub(crate) struct Connections<DB: Driver> {
    source: Source<DB>,
    timeout: Duration,
    literal: Option<Literal>,
}

/// Writes a value as a piece of a text that is sent as it is.
pub(crate) type Literal = fn(Value<'_>) -> String;

enum Source<DB: Driver> {
    /// A pool of the application's own.
    Pool(Pool<DB>),
    Own(Arc<Own<DB>>),
}

/// Connections of ours.
struct Own<DB: Driver> {
    options: Options<DB>,
    /// What each new connection is told first; nothing if empty.
    greeting: String,
    /// How many connections there are at most.
    most: u32,
    permits: Semaphore,
    idle: Mutex<VecDeque<Idle<DB>>>,
}

struct Idle<DB: Driver> {
    connection: DB::Connection,
    opened: Instant,
    since: Instant,
}

impl<DB: Driver> Connections<DB> {
    /// The time in which a call ends, unless said otherwise.
    pub(crate) const TIMEOUT: Duration = Duration::from_secs(5);

    pub(crate) fn pooled(pool: Pool<DB>) -> Self {
        Self { source: Source::Pool(pool), timeout: Self::TIMEOUT, literal: None }
    }

    pub(crate) fn own(options: Options<DB>, greeting: String, most: u32) -> Self {
        let (permits, idle) = (Semaphore::new(most as usize), Mutex::new(VecDeque::new()));
        let own = Own { options, greeting, most, permits, idle };
        Self { source: Source::Own(Arc::new(own)), timeout: Self::TIMEOUT, literal: None }
    }

    /// Sets in which time a call ends.
    pub(crate) fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Has all values sent as parts of the text, and nothing prepared.
    pub(crate) fn with_literals(mut self, literal: Literal) -> Self {
        self.literal = Some(literal);
        self
    }

    pub(crate) fn literal(&self) -> Option<Literal> {
        self.literal
    }

    /// Ends a call that takes too long.
    pub(crate) async fn within_time<T>(&self, call: impl Future<Output = sqlx::Result<T>>) -> Result<T> {
        match tokio::time::timeout(self.timeout, call).await {
            Ok(outcome) => outcome.map_err(refusal::<DB>),
            Err(elapsed) => Err(Error::unavailable(elapsed)),
        }
    }

    /// Returns a connection, for one call.
    pub(crate) async fn lease(&self) -> sqlx::Result<Lease<DB>> {
        let held = match &self.source {
            Source::Pool(pool) => Held::Pooled(pool.acquire().await?),
            Source::Own(own) => {
                let permit = own.permits.acquire().await.map_err(|_| sqlx::Error::PoolClosed)?;
                let Idle { connection, opened, .. } = own.connection(self.timeout).await?;
                permit.forget();
                Held::Own { connection, opened, home: Home(Arc::clone(own)) }
            }
        };
        Ok(Lease { held: Some(held) })
    }

    /// Does something on a connection, to its end.
    pub(crate) fn finish<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> Finishing<T> {
        Finishing { work: Some(Box::pin(work)), late: Instant::now().checked_add(self.timeout) }
    }

    /// Closes the connections when all calls that have one, or wait for one, have ended.
    pub(crate) async fn close(&self) {
        match &self.source {
            Source::Pool(pool) => pool.close().await,
            Source::Own(own) => {
                let all = own.permits.acquire_many(own.most).await;
                own.permits.close();
                drop(all);
                let idle = std::mem::take(&mut *own.idle());
                for Idle { connection, .. } in idle {
                    // A connection that cannot say good-bye is gone as well.
                    drop(connection.close().await);
                }
            }
        }
    }
}

impl<DB: Driver> Clone for Connections<DB> {
    fn clone(&self) -> Self {
        let source = match &self.source {
            Source::Pool(pool) => Source::Pool(pool.clone()),
            Source::Own(own) => Source::Own(Arc::clone(own)),
        };
        Self { source, timeout: self.timeout, literal: self.literal }
    }
}

impl<DB: Driver> Own<DB> {
    /// Returns the connection that was used last, or a new one.
    async fn connection(&self, patience: Duration) -> sqlx::Result<Idle<DB>> {
        while let Some(mut idle) = self.pop() {
            let is_good = idle.since.elapsed() < TRUSTED
                || matches!(tokio::time::timeout(patience / 2, idle.connection.ping()).await, Ok(Ok(())));
            if is_good {
                return Ok(idle);
            }
        }
        let mut connection = self.options.connect().await?;
        if !self.greeting.is_empty() {
            DB::run(&mut connection, AssertSqlSafe(self.greeting.clone()).into_sql_str(), None).await?;
        }
        let now = Instant::now();
        Ok(Idle { connection, opened: now, since: now })
    }

    fn pop(&self) -> Option<Idle<DB>> {
        self.idle().pop_back().filter(|idle| idle.opened.elapsed() < LONGEST_LIFE)
    }

    fn push(&self, connection: DB::Connection, opened: Instant) {
        let since = Instant::now();
        let mut idle = self.idle();
        idle.push_back(Idle { connection, opened, since });
        let is_old = idle.front().is_some_and(|oldest| oldest.since.elapsed() >= LONGEST_IDLE);
        let old = if is_old { idle.pop_front() } else { None };
        drop(idle);
        drop(old);
    }

    fn idle(&self) -> MutexGuard<'_, VecDeque<Idle<DB>>> {
        // Under the lock connections are only pushed and taken, which leaves the list whole at every step.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection for one call. It is closed if it is neither kept nor given up: what is under way on it is not known.
pub(crate) struct Lease<DB: Driver> {
    held: Option<Held<DB>>,
}

enum Held<DB: Driver> {
    Pooled(PoolConnection<DB>),
    Own { connection: DB::Connection, opened: Instant, home: Home<DB> },
}

/// Where a connection belongs. When this goes, another call may have a connection.
struct Home<DB: Driver>(Arc<Own<DB>>);

impl<DB: Driver> Drop for Home<DB> {
    fn drop(&mut self) {
        self.0.permits.add_permits(1);
    }
}

impl<DB: Driver> Lease<DB> {
    pub(crate) fn connection(&mut self) -> &mut DB::Connection {
        // A lease holds its connection until it is kept, discarded or dropped.
        match self.held.as_mut().expect("a lease that is not over") {
            Held::Pooled(connection) => connection,
            Held::Own { connection, .. } => connection,
        }
    }

    /// Gives the connection back.
    pub(crate) fn keep(mut self) {
        if let Some(Held::Own { connection, opened, home }) = self.held.take() {
            home.0.push(connection, opened);
        }
    }

    /// Gives up a connection that broke, and those that were idle meanwhile: they go to the same server.
    pub(crate) fn discard(mut self) {
        if let Some(Held::Own { home, .. }) = &mut self.held {
            drop(std::mem::take(&mut *home.0.idle()));
        }
    }
}

impl<DB: Driver> Drop for Lease<DB> {
    fn drop(&mut self) {
        if let Some(Held::Pooled(connection)) = &mut self.held {
            connection.close_on_drop();
        }
    }
}

type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// What is being done on a connection. It is done to its end also when nobody waits for it any more: the server does it
/// anyway, and a connection is only of use again when its answer was read.
pub(crate) struct Finishing<T: Send + 'static> {
    work: Option<Boxed<T>>,
    /// When there is no time left for it, if ever.
    late: Option<Instant>,
}

impl<T: Send + 'static> Future for Finishing<T> {
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

impl<T: Send + 'static> Drop for Finishing<T> {
    fn drop(&mut self) {
        let remaining = self.late.map_or(Duration::MAX, |late| late.saturating_duration_since(Instant::now()));
        if let (false, Some(work)) = (remaining.is_zero(), self.work.take())
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(async move { drop(tokio::time::timeout(remaining, work).await) });
        }
    }
}
