//! Connections of ours, which are not asked after every call whether they still work.
//!
//! A connection is opened by a task of its own, which a caller's patience does not end, and goes to whoever waits longest. Each
//! runtime has connections of its own, because a connection sleeps when the runtime that opened it does.

use std::collections::HashMap;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};

use sqlx::{AssertSqlSafe, ConnectOptions, Connection, SqlSafeStr};
use tokio::runtime::{Handle, Id};
use tokio::sync::{Notify, Semaphore};

use crate::database::Driver;

/// An idle connection is asked whether it still works when it was idle for longer than this.
const TRUSTED: Duration = Duration::from_secs(1);
/// A connection that was idle for so long is closed; those that are needed are used again sooner.
const LONGEST_IDLE: Duration = Duration::from_secs(10 * 60);
/// A connection that is older is closed, so that servers behind a name can change, and their memory be freed.
const LONGEST_LIFE: Duration = Duration::from_secs(30 * 60);
/// The longest time that opening a connection takes; a server that was stopped may greet after it went on.
const LONGEST_OPENING: Duration = Duration::from_secs(10);
/// When all connections are still being opened after this, one more is tried: the server may be well again, and they not.
const SLOW_OPENING: Duration = Duration::from_millis(500);
/// How long nobody tries again after a connection was refused.
const PAUSE: Duration = Duration::from_millis(100);

pub(crate) type Options<DB> = <<DB as sqlx::Database>::Connection as Connection>::Options;

/// How connections of ours are opened.
pub(crate) struct Opening<DB: Driver> {
    pub(crate) options: Options<DB>,
    /// What each new connection is told first; nothing if empty. It answers the number by which the server knows it.
    pub(crate) greeting: String,
    /// How many connections there are at most.
    pub(crate) most: u32,
}

pub(crate) struct Ours<DB: Driver> {
    opening: Opening<DB>,
    of_runtimes: Mutex<HashMap<Id, Arc<Connections<DB>>>>,
}

/// The connections of one runtime.
pub(crate) struct Connections<DB: Driver> {
    ours: Arc<Ours<DB>>,
    /// As many as are idle.
    idle: Semaphore,
    state: Mutex<State<DB>>,
    /// Something happened that those who wait shall look at: an opening failed, a connection broke, a call is over.
    news: Notify,
}

struct State<DB: Driver> {
    idle: Vec<Open<DB>>,
    /// How many connections there are: idle, in use, and being opened.
    count: u32,
    being_opened: u32,
    last_opening: Option<Instant>,
    /// Why no connection could be opened, until one can.
    refused: Option<(Instant, Arc<sqlx::Error>)>,
    /// How many calls have a connection or wait for one.
    callers: u32,
    is_closed: bool,
}

/// A connection that is open.
pub(crate) struct Open<DB: Driver> {
    pub(crate) connection: DB::Connection,
    opened: Instant,
    pub(crate) idle_since: Instant,
    /// By which the server knows it.
    pub(crate) number: Option<i64>,
    identity: (u64, u64),
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Under the locks of this file nothing is left half done.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<DB: Driver> Ours<DB> {
    pub(crate) fn new(opening: Opening<DB>) -> Self {
        Self { opening, of_runtimes: Mutex::default() }
    }

    /// Closes the connections when all calls that have one, or wait for one, have ended. Later calls are refused.
    pub(crate) async fn close(&self) {
        let all: Vec<_> = lock(&self.of_runtimes).values().cloned().collect();
        for connections in all {
            connections.close().await;
        }
    }

    async fn open(&self) -> sqlx::Result<Open<DB>> {
        let identity = DB::identity(&self.opening.options)?;
        let (mut connection, mut answers) = (self.opening.options.connect().await?, Vec::new());
        if !self.opening.greeting.is_empty() {
            let greeting = AssertSqlSafe(self.opening.greeting.clone()).into_sql_str();
            DB::run(&mut connection, greeting, None, &mut answers).await?;
        }
        let number = answers.last().and_then(|answer| answer.rows.first());
        let number = number.and_then(|row| DB::integer(row, 0).ok().flatten());
        let now = Instant::now();
        Ok(Open { connection, opened: now, idle_since: now, number, identity })
    }

    /// Tells the server to end what a connection is doing.
    pub(crate) async fn cancel(&self, number: i64) -> sqlx::Result<()> {
        if let Some(text) = DB::cancel(number) {
            let mut connection = self.opening.options.connect().await?;
            DB::run(&mut connection, AssertSqlSafe(text).into_sql_str(), None, &mut Vec::new()).await?;
            connection.close().await?;
        }
        Ok(())
    }
}

impl<DB: Driver> Connections<DB> {
    /// Returns the connections of this runtime. When there is a new runtime, the others' idle ones are closed: they may be dead.
    pub(crate) fn of_this_runtime(ours: &Arc<Ours<DB>>) -> Result<Arc<Self>, Arc<sqlx::Error>> {
        let id = Handle::try_current().map_err(|_| Arc::new(sqlx::Error::WorkerCrashed))?.id();
        let mut all = lock(&ours.of_runtimes);
        if let Some(known) = all.get(&id) {
            return Ok(Arc::clone(known));
        }
        let is_closed = all.values().any(|other| lock(&other.state).is_closed);
        all.values().for_each(|other| other.drop_idle(Instant::now()));
        all.retain(|_, other| lock(&other.state).callers > 0);
        let state = State {
            idle: Vec::new(),
            count: 0,
            being_opened: 0,
            last_opening: None,
            refused: None,
            callers: 0,
            is_closed,
        };
        let (idle, state, news) = (Semaphore::new(0), Mutex::new(state), Notify::new());
        let new = Arc::new(Self { ours: Arc::clone(ours), idle, state, news });
        all.insert(id, Arc::clone(&new));
        Ok(new)
    }

    /// Waits for an idle connection, and has one opened if there are too few.
    pub(crate) async fn take(
        self: Arc<Self>,
        patience: Duration,
    ) -> Result<(Open<DB>, Home<DB>, Caller<DB>), Arc<sqlx::Error>> {
        let caller = self.caller()?;
        loop {
            let mut idle = pin!(self.idle.acquire());
            // In the order in which they came, also those who looked at the news.
            let permit = loop {
                let mut news = pin!(self.news.notified());
                news.as_mut().enable();
                self.open_if_short()?;
                let next = poll_fn(|context| match idle.as_mut().poll(context) {
                    Poll::Ready(permit) => Poll::Ready(Some(permit)),
                    Poll::Pending => news.as_mut().poll(context).map(|()| None),
                });
                if let Some(permit) = next.await {
                    break permit;
                }
            };
            permit.map_err(|_| Arc::new(sqlx::Error::PoolClosed))?.forget();
            let Some(mut open) = lock(&self.state).idle.pop() else { continue };
            let home = Home(Some(Arc::clone(&self)));
            if self.is_good(&mut open, patience).await? {
                return Ok((open, home, caller));
            }
        }
    }

    fn caller(self: &Arc<Self>) -> Result<Caller<DB>, Arc<sqlx::Error>> {
        let mut state = lock(&self.state);
        if state.is_closed {
            return Err(Arc::new(sqlx::Error::PoolClosed));
        }
        state.callers += 1;
        Ok(Caller(Arc::clone(self)))
    }

    /// Says whether a connection can be used. If it cannot, those that are idle for longer cannot either.
    async fn is_good(&self, open: &mut Open<DB>, patience: Duration) -> Result<bool, Arc<sqlx::Error>> {
        let identity = DB::identity(&self.ours.opening.options).map_err(|error| Arc::new(error.into()))?;
        let idle = open.idle_since.elapsed();
        if open.identity != identity || idle > LONGEST_IDLE {
            self.drop_idle(Instant::now());
            return Ok(false);
        }
        if open.opened.elapsed() > LONGEST_LIFE {
            return Ok(false);
        }
        let limit = (patience / 4).min(Duration::from_secs(1));
        let is_good = idle < TRUSTED || matches!(tokio::time::timeout(limit, open.connection.ping()).await, Ok(Ok(())));
        if !is_good {
            self.drop_idle(Instant::now());
        }
        Ok(is_good)
    }

    /// Has a connection opened if none is idle and there may be one more. Refuses if there is none, and the last one was
    /// refused just now.
    fn open_if_short(self: &Arc<Self>) -> Result<(), Arc<sqlx::Error>> {
        let most = self.ours.opening.most;
        let mut state = lock(&self.state);
        if let Some((when, why)) = &state.refused {
            let is_soon = when.elapsed() < PAUSE;
            if is_soon && state.count == 0 {
                return Err(Arc::clone(why));
            }
            // One at a time tries again. If the server takes fewer than there may be, those that are open go round.
            if is_soon || state.being_opened > 0 {
                return Ok(());
            }
        }
        let are_slow =
            state.being_opened >= most && state.last_opening.is_none_or(|last| last.elapsed() > SLOW_OPENING);
        if !state.idle.is_empty() || (state.count >= most && !are_slow) {
            return Ok(());
        }
        state.count += 1;
        state.being_opened += 1;
        state.last_opening = Some(Instant::now());
        drop(state);
        let (being_opened, ours) = (BeingOpened(Home(Some(Arc::clone(self)))), Arc::clone(&self.ours));
        tokio::spawn(async move {
            let outcome = match tokio::time::timeout(LONGEST_OPENING, ours.open()).await {
                Ok(outcome) => outcome,
                Err(late) => Err(sqlx::Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, late))),
            };
            being_opened.end(outcome);
        });
        Ok(())
    }

    /// Puts a connection back, or closes it if it is one too many.
    fn put(&self, open: Open<DB>) {
        let now = Instant::now();
        let mut state = lock(&self.state);
        if state.count - state.being_opened > self.ours.opening.most || (state.is_closed && state.callers == 0) {
            state.count -= 1;
            return;
        }
        state.idle.push(Open { idle_since: now, ..open });
        // What is idle for longest is at the front.
        let is_old = state.idle[0].idle_since.elapsed() > LONGEST_IDLE;
        let old = is_old.then(|| state.idle.remove(0));
        state.count -= u32::from(is_old);
        drop(state);
        drop(old);
        if !is_old {
            self.idle.add_permits(1);
        }
    }

    /// Gives up those that are idle since before a moment.
    fn drop_idle(&self, moment: Instant) {
        let mut state = lock(&self.state);
        let (old, good): (Vec<_>, Vec<_>) =
            std::mem::take(&mut state.idle).into_iter().partition(|open| open.idle_since <= moment);
        state.idle = good;
        // Each has a permit; a call that has taken it already finds nothing and waits again.
        self.idle.forget_permits(old.len());
        state.count -= u32::try_from(old.len()).unwrap_or(u32::MAX);
        drop(state);
        self.news.notify_waiters();
    }

    async fn close(&self) {
        lock(&self.state).is_closed = true;
        loop {
            let mut news = pin!(self.news.notified());
            news.as_mut().enable();
            if lock(&self.state).callers == 0 {
                break;
            }
            news.await;
        }
        let idle = std::mem::take(&mut lock(&self.state).idle);
        for open in idle {
            // A connection that cannot say good-bye is gone as well.
            drop(open.connection.close().await);
        }
    }
}

/// A call that has a connection, or waits for one.
pub(crate) struct Caller<DB: Driver>(Arc<Connections<DB>>);

impl<DB: Driver> Drop for Caller<DB> {
    fn drop(&mut self) {
        let mut state = lock(&self.0.state);
        state.callers -= 1;
        let is_last = state.is_closed && state.callers == 0;
        drop(state);
        if is_last {
            self.0.news.notify_waiters();
        }
    }
}

/// The place of a connection among the others. When it goes, another one may be opened.
pub(crate) struct Home<DB: Driver>(Option<Arc<Connections<DB>>>);

impl<DB: Driver> Home<DB> {
    pub(crate) fn ours(&self) -> Option<Arc<Ours<DB>>> {
        self.0.as_ref().map(|connections| Arc::clone(&connections.ours))
    }

    /// Gives up the others that are idle since before a moment.
    pub(crate) fn drop_idle(&self, moment: Instant) {
        if let Some(connections) = &self.0 {
            connections.drop_idle(moment);
        }
    }

    pub(crate) fn put(mut self, open: Open<DB>) {
        if let Some(connections) = self.0.take() {
            connections.put(open);
        }
    }
}

impl<DB: Driver> Drop for Home<DB> {
    fn drop(&mut self) {
        if let Some(connections) = &self.0 {
            lock(&connections.state).count -= 1;
            connections.news.notify_waiters();
        }
    }
}

/// A connection that is being opened; if its runtime ends meanwhile, it does not stay one.
struct BeingOpened<DB: Driver>(Home<DB>);

impl<DB: Driver> BeingOpened<DB> {
    fn end(mut self, outcome: sqlx::Result<Open<DB>>) {
        let Some(connections) = self.0.0.clone() else { return };
        let mut state = lock(&connections.state);
        match outcome {
            Ok(open) => {
                state.refused = None;
                drop(state);
                let home = Home(self.0.0.take());
                lock(&connections.state).being_opened -= 1;
                home.put(open);
            }
            Err(why) => state.refused = Some((Instant::now(), Arc::new(why))),
        }
    }
}

impl<DB: Driver> Drop for BeingOpened<DB> {
    fn drop(&mut self) {
        if let Some(connections) = &self.0.0 {
            lock(&connections.state).being_opened -= 1;
        }
    }
}
