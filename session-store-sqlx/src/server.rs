//! Servers: how connections to one are opened so that they suit sessions.

use std::fmt;
#[cfg(any(feature = "mysql", feature = "postgres"))]
use std::str::FromStr;
use std::time::Duration;

use session_core::{Error, Result};
#[cfg(any(feature = "mysql", feature = "postgres"))]
use sqlx::ConnectOptions;
#[cfg(feature = "mysql")]
use sqlx::mysql::{MySql, MySqlConnectOptions};
#[cfg(feature = "postgres")]
use sqlx::postgres::{PgConnectOptions, Postgres};

use crate::calls::Calls;
use crate::connections::{Opening, Options};
use crate::database::SqlDatabase;
use crate::error::refusal;
use crate::pool::Pool;
use crate::store::SqlStore;

/// A store in a PostgreSQL database.
#[cfg(feature = "postgres")]
pub type PostgresStore = SqlStore<Postgres>;

/// How a PostgreSQL server is connected to.
#[cfg(feature = "postgres")]
pub type PostgresOptions = ServerOptions<Postgres>;

/// A store in a MySQL or MariaDB database.
#[cfg(feature = "mysql")]
pub type MySqlStore = SqlStore<MySql>;

/// How a MySQL or MariaDB server is connected to.
#[cfg(feature = "mysql")]
pub type MySqlOptions = ServerOptions<MySql>;

/// A database that runs as a server. The crate implements it; others do not.
pub trait ServerDatabase: SqlDatabase<Way = Calls<Self>> {
    /// Returns what each connection of ours is told first, in a text whose last statement answers its number.
    #[doc(hidden)]
    fn greeting(timeout: Duration) -> String;

    /// Reads a URL, and the options that suit sessions beside it.
    #[doc(hidden)]
    fn options(url: &str) -> sqlx::Result<Options<Self>>;
}

/// How a server is connected to: with connections of the store's own, which are kept open and are not asked before or
/// after every call whether they still work.
///
/// One that was idle for a second is asked first. If a connection breaks in the middle of a call, a call that only reads is
/// made once more on a new one, and one that writes is refused with [`Unavailable`](session_core::Error::Unavailable): nobody can
/// say whether it was made.
pub struct ServerOptions<DB: ServerDatabase> {
    connection: Options<DB>,
    connections: u32,
    timeout: Duration,
    has_pooler: bool,
}

impl<DB: ServerDatabase> ServerOptions<DB> {
    /// Takes a URL such as `postgres://user:password@host/database` or `mysql://user:password@host/database`, whose options
    /// sqlx describes.
    ///
    /// # Errors
    ///
    /// [`Backend`](session_core::Error::Backend) for what is not such a URL.
    pub fn new(url: &str) -> Result<Self> {
        check(url).map_err(Error::backend)?;
        let connection = DB::options(url).map_err(refusal::<DB>)?;
        Ok(Self { connection, connections: 10, timeout: Calls::<DB>::TIMEOUT, has_pooler: false })
    }

    /// Sets how many connections there are at most; 10 unless said otherwise, and 0 is taken for 1. An application with several
    /// tokio runtimes has so many for each.
    #[must_use]
    pub fn with_max_connections(mut self, connections: u32) -> Self {
        self.connections = connections.clamp(1, 10_000);
        self
    }

    /// Sets in which time a call ends, waiting for a connection included; 5 seconds unless said otherwise. The server is told
    /// to give up each statement after it too.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Opens a first connection. The table is made by [`setup`](SqlStore::setup).
    ///
    /// # Errors
    ///
    /// [`Unavailable`](session_core::Error::Unavailable) if the server does not answer in time, and
    /// [`Backend`](session_core::Error::Backend) if it does not accept who connects.
    pub async fn open(self) -> Result<SqlStore<DB>> {
        let store = self.connect_later();
        let calls = &store.way;
        calls.within_time(async { calls.lease().await.map(|lease| lease.end(&Ok(()))) }).await?;
        Ok(store)
    }

    /// Makes the store without a connection: the first one is opened by the first call.
    #[must_use]
    pub fn connect_later(self) -> SqlStore<DB> {
        let greeting = if self.has_pooler { String::new() } else { DB::greeting(self.timeout) };
        let pool = Pool::ours(Opening { options: self.connection, greeting, most: self.connections });
        SqlStore::with_way(Calls { timeout: self.timeout, has_pooler: self.has_pooler, ..Calls::new(pool) })
    }
}

impl<DB: ServerDatabase> SqlStore<DB> {
    /// Uses a pool of the application's own, as it is.
    ///
    /// sqlx asks the server after every call whether the connection still works, and before the next one again unless the
    /// pool has `test_before_acquire(false)`; [`open`](SqlStore::open) does neither. And a call that nobody waits for any more
    /// is not ended on the server.
    pub fn new(pool: sqlx::Pool<DB>) -> Self {
        Self::with_way(Calls::new(Pool::Theirs(pool)))
    }

    /// Connects to the server of a URL, as [`ServerOptions::new`] and [`ServerOptions::open`] describe.
    ///
    /// # Errors
    ///
    /// What they refuse.
    pub async fn open(url: &str) -> Result<Self> {
        ServerOptions::new(url)?.open().await
    }

    /// Sets in which time a call of this handle, and of the clones made from it, ends, waiting for a connection included; 5
    /// seconds unless said otherwise. After that it is refused with [`Unavailable`](session_core::Error::Unavailable).
    ///
    /// It does not change when the server gives up, which connections of ours were told when they were opened: a time that
    /// is longer than that of [`ServerOptions::with_timeout`] lets no statement take longer.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.way.timeout = timeout;
        self
    }
}

#[cfg(feature = "postgres")]
impl ServerOptions<Postgres> {
    /// Says that a pooler is between: see [`PostgresStore::with_transaction_pooler`](SqlStore::with_transaction_pooler).
    #[must_use]
    pub fn with_transaction_pooler(mut self) -> Self {
        self.has_pooler = true;
        self
    }
}

#[cfg(feature = "postgres")]
impl SqlStore<Postgres> {
    /// Says that a pooler is between, which gives each transaction another connection, as pgbouncer does in its mode
    /// `transaction`: this handle, and the clones made from it, prepare no statements then, because another
    /// client's connection would not know them.
    #[must_use]
    pub fn with_transaction_pooler(mut self) -> Self {
        self.way.has_pooler = true;
        self
    }
}

#[cfg(feature = "postgres")]
impl ServerDatabase for Postgres {
    fn greeting(timeout: Duration) -> String {
        let millis = timeout.as_millis().clamp(1, 1 << 30);
        // A plan that does not know the limit would sort a whole table for a page, where an index has it in order. Up to 17 a
        // sort that cannot be done without has then a cost at which the server compiles the plan, for a quarter of a second.
        format!("SET statement_timeout = {millis}; SET enable_sort = off; SET jit = off; SELECT pg_backend_pid()")
    }

    fn options(url: &str) -> sqlx::Result<PgConnectOptions> {
        // What other drivers know and sqlx does not: the connection is opened in time, and a read-only server is noticed.
        let url = without_parameters(url, &["channel_binding", "connect_timeout", "target_session_attrs"]);
        // No number here has digits after the point, and poolers refuse to be asked for them.
        let options = PgConnectOptions::from_str(&url)?.extra_float_digits(None).disable_statement_logging();
        let host = without_brackets(options.get_host());
        Ok(options.host(&host))
    }
}

#[cfg(feature = "mysql")]
impl ServerDatabase for MySql {
    fn greeting(timeout: Duration) -> String {
        // Each statement finds its rows by a key, so that it needs no protection of the gaps between rows; without it
        // fewer of them stand in each other's way. MySQL takes the part that is MariaDB's for a comment.
        let seconds = timeout.as_secs().clamp(1, 3600);
        format!(
            "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED; SET SESSION autocommit = 1, sql_safe_updates = 0, \
             time_zone = '+00:00', innodb_lock_wait_timeout = {seconds} /*M!, max_statement_time = {} */; \
             SELECT CONNECTION_ID()",
            timeout.as_secs_f64().clamp(0.001, 3600.0)
        )
    }

    fn options(url: &str) -> sqlx::Result<MySqlConnectOptions> {
        let options = MySqlConnectOptions::from_str(url)?.disable_statement_logging();
        let host = without_brackets(options.get_host());
        Ok(options.host(&host))
    }
}

/// Refuses a URL of which a part of the password would be read as something else, and then be shown.
fn check(url: &str) -> Result<(), &'static str> {
    let (_, rest) =
        url.split_once("://").ok_or("the location of a server is a url, as in `postgres://user@host/database`")?;
    match rest.find(['/', '?', '#']) {
        Some(end) if rest[end..].contains('@') => Err("a `/`, `?`, `#` or `@` in the url has to be percent-encoded"),
        _ => Ok(()),
    }
}

/// Returns a URL without some of its parameters.
fn without_parameters(url: &str, names: &[&str]) -> String {
    let Some((place, query)) = url.split_once('?') else { return url.to_owned() };
    let is_known = |pair: &&str| !names.contains(&pair.split('=').next().unwrap_or_default());
    format!("{place}?{}", query.split('&').filter(is_known).collect::<Vec<_>>().join("&"))
}

/// Returns an address of IPv6 as the system's resolver takes it.
fn without_brackets(host: &str) -> String {
    host.trim_start_matches('[').trim_end_matches(']').to_owned()
}

impl<DB: ServerDatabase> Clone for ServerOptions<DB> {
    fn clone(&self) -> Self {
        let Self { connection, connections, timeout, has_pooler } = self;
        Self { connection: connection.clone(), connections: *connections, timeout: *timeout, has_pooler: *has_pooler }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_not_read_as_something_else() {
        for good in ["postgres://u:p%3f@h/d?a=b", "mysql://h", "postgres://u:p@[::1]:5/d#x"] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        for bad in ["postgres://u:p?x@h/d", "postgres://u:12/x@h/d", "mysql://u:p#x@h/d", "h/d"] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn parameters_of_other_drivers_are_left_out() {
        let url = "postgres://h/d?channel_binding=require&sslmode=require&connect_timeout=5";
        assert_eq!(without_parameters(url, &["channel_binding", "connect_timeout"]), "postgres://h/d?sslmode=require");
        assert_eq!(without_brackets("[::1]"), "::1");
    }
}
