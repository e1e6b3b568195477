//! Servers: how connections to one are opened so that they suit sessions.

use std::fmt;
use std::time::Duration;

use session_core::Result;
use sqlx::Connection;

use crate::connections::{Connections, Literal};
use crate::driver::{Driver, SqlDatabase};
use crate::link::Link;
use crate::store::SqlStore;

/// A database that runs as a server. The crate implements it; others do not.
pub trait ServerDatabase: SqlDatabase + Tuned {}

/// What is set on each connection of ours.
pub trait Tuned: Driver {
    /// Returns the options with what can be asked when a connection opens, and what is to be said afterwards.
    #[doc(hidden)]
    fn tune(
        options: <Self::Connection as Connection>::Options,
        timeout: Duration,
        has_pooler: bool,
    ) -> (<Self::Connection as Connection>::Options, String);
}

/// How a server is connected to: with connections of the store's own, which are kept open and are not asked before or
/// after every call whether they still work.
///
/// One that was idle for 10 seconds is asked first. If a connection breaks in the middle of a call, the call is made once
/// more on a new one if that does no harm, and else refused with [`Unavailable`](session_core::Error::Unavailable).
#[derive(Clone)]
pub struct ServerOptions<DB: ServerDatabase> {
    pub(crate) connection: <DB::Connection as Connection>::Options,
    pub(crate) connections: u32,
    pub(crate) timeout: Duration,
    /// Set if a pooler is between, behind which nothing can be prepared.
    pub(crate) literal: Option<Literal>,
}

impl<DB: ServerDatabase> ServerOptions<DB> {
    pub(crate) fn with_options(connection: <DB::Connection as Connection>::Options) -> Self {
        Self { connection, connections: 10, timeout: Connections::<DB>::TIMEOUT, literal: None }
    }

    /// Sets how many connections there are at most; 10 unless said otherwise, and 0 is taken for 1.
    #[must_use]
    pub fn with_max_connections(mut self, connections: u32) -> Self {
        self.connections = connections.clamp(1, 10_000);
        self
    }

    /// Sets in which time a call ends, waiting for a connection included; 5 seconds unless said otherwise. The server is told
    /// to give up after it too: PostgreSQL each statement, MySQL and MariaDB a wait for a lock.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Opens a first connection. The table is made by [`setup`](SqlStore::setup).
    ///
    /// Refuses with [`Unavailable`](session_core::Error::Unavailable) if the server does not answer in time, and with
    /// [`Backend`](session_core::Error::Backend) if it does not accept who connects.
    pub async fn open(self) -> Result<SqlStore<DB>> {
        let (options, greeting) = DB::tune(self.connection, self.timeout, self.literal.is_some());
        let mut connections = Connections::own(options, greeting, self.connections).with_timeout(self.timeout);
        if let Some(literal) = self.literal {
            connections = connections.with_literals(literal);
        }
        connections.within_time(connections.lease()).await?.keep();
        Ok(SqlStore::with_link(Link::Direct(connections)))
    }
}

impl<DB: ServerDatabase> SqlStore<DB> {
    /// Sets in which time a call of this handle, and of the clones made from it, ends, waiting for a connection included; 5
    /// seconds unless said otherwise. After that it is refused with [`Unavailable`](session_core::Error::Unavailable).
    ///
    /// It does not change when the server gives up, which connections of ours were told when they were opened: a time that
    /// is longer than that of [`ServerOptions::with_timeout`] lets no statement take longer in PostgreSQL, and no wait for a
    /// lock in MySQL and MariaDB.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        if let Link::Direct(connections) = self.link {
            self.link = Link::Direct(connections.with_timeout(timeout));
        }
        self
    }
}

impl<DB: ServerDatabase> fmt::Debug for ServerOptions<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Where it connects to may have a password.
        f.debug_struct("ServerOptions")
            .field("database", &DB::NAME)
            .field("connections", &self.connections)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}
