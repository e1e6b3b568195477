//! Where the connections of calls come from: the application's own pool, or connections of ours.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::pool::PoolConnection;
#[cfg(feature = "sqlite")]
use sqlx::{AssertSqlSafe, SqlSafeStr};

use crate::connections::{Caller, Connections, Home, Open, Opening, Ours};
use crate::database::{Driver, Trouble};
use crate::error::trouble;

/// Where connections come from.
pub(crate) enum Pool<DB: Driver> {
    /// A pool of the application's own.
    Theirs(sqlx::Pool<DB>),
    Ours(Arc<Ours<DB>>),
}

impl<DB: Driver> Pool<DB> {
    pub(crate) fn ours(opening: Opening<DB>) -> Self {
        Self::Ours(Arc::new(Ours::new(opening)))
    }

    /// Returns a connection, for one call.
    pub(crate) async fn lease(&self, patience: Duration) -> Result<Lease<DB>, Arc<sqlx::Error>> {
        match self {
            Self::Theirs(pool) => Ok(Lease(Some(Held::Theirs(pool.acquire().await.map_err(Arc::new)?)))),
            Self::Ours(ours) => {
                let (open, home, caller) = Connections::of_this_runtime(ours)?.take(patience).await?;
                Ok(Lease(Some(Held::Ours { open, home, _caller: caller })))
            }
        }
    }

    /// Closes the connections when all calls that have one, or wait for one, have ended. Later calls are refused.
    pub(crate) async fn close(&self) {
        match self {
            Self::Theirs(pool) => pool.close().await,
            Self::Ours(ours) => ours.close().await,
        }
    }
}

impl<DB: Driver> Clone for Pool<DB> {
    fn clone(&self) -> Self {
        match self {
            Self::Theirs(pool) => Self::Theirs(pool.clone()),
            Self::Ours(ours) => Self::Ours(Arc::clone(ours)),
        }
    }
}

/// A connection for one call. It is closed if it is neither kept nor given up: what is under way on it is not known.
pub(crate) struct Lease<DB: Driver>(Option<Held<DB>>);

enum Held<DB: Driver> {
    Theirs(PoolConnection<DB>),
    Ours { open: Open<DB>, home: Home<DB>, _caller: Caller<DB> },
}

impl<DB: Driver> Lease<DB> {
    pub(crate) fn connection(&mut self) -> &mut DB::Connection {
        // A lease holds its connection until it is given back or dropped.
        match self.0.as_mut().expect("a lease that is not over") {
            Held::Theirs(connection) => connection,
            Held::Ours { open, .. } => &mut open.connection,
        }
    }

    /// Lets a connection of SQLite's readers write, or read only again.
    #[cfg(feature = "sqlite")]
    pub(crate) async fn may_write(&mut self, may: bool) -> sqlx::Result<()> {
        match &self.0 {
            Some(Held::Ours { .. }) => {
                let text = if may { "PRAGMA query_only = OFF" } else { "PRAGMA query_only = ON" };
                DB::run(self.connection(), AssertSqlSafe(text).into_sql_str(), None, &mut Vec::new()).await
            }
            _ => Ok(()),
        }
    }

    /// Returns what tells the server to end what this connection is doing, where that can be told.
    pub(crate) fn cancelling(&self) -> Option<impl Future<Output = sqlx::Result<()>> + Send + use<DB>> {
        let Some(Held::Ours { open, home, .. }) = &self.0 else { return None };
        let (number, ours) = (open.number?, home.ours()?);
        Some(async move { ours.cancel(number).await })
    }

    /// Gives the connection back after a call, or up if another one may do better.
    pub(crate) fn end<T>(mut self, outcome: &sqlx::Result<T>) {
        let broke = outcome.as_ref().err().map(trouble::<DB>);
        match (self.0.take(), broke) {
            (
                Some(Held::Theirs(mut connection)),
                Some(Trouble::Broken | Trouble::ReadOnly | Trouble::RefusedAndBroken),
            ) => {
                connection.close_on_drop();
            }
            // Those that were idle meanwhile go to the same server.
            (Some(Held::Ours { home, .. }), Some(Trouble::Broken | Trouble::ReadOnly)) => {
                home.drop_idle(Instant::now());
            }
            (Some(Held::Ours { .. }), Some(Trouble::RefusedAndBroken)) | (None, _) => {}
            (Some(Held::Ours { open, home, _caller }), _) => home.put(open),
            (Some(Held::Theirs(_)), _) => {}
        }
    }
}

impl<DB: Driver> Drop for Lease<DB> {
    fn drop(&mut self) {
        match &mut self.0 {
            Some(Held::Theirs(connection)) => connection.close_on_drop(),
            // It did not answer; those that are idle for longer will hardly do.
            Some(Held::Ours { open, home, .. }) => {
                home.drop_idle(open.idle_since);
            }
            None => {}
        }
    }
}
