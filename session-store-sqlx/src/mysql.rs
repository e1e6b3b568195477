//! MySQL and MariaDB: the driver, and the way to connect.

use std::str::FromStr;
use std::time::Duration;

use session_core::Result;
use sqlx::error::{BoxDynError, DatabaseError};
use sqlx::mysql::{
    MySql, MySqlArguments, MySqlConnectOptions, MySqlConnection, MySqlDatabaseError, MySqlPool, MySqlRow,
};
use sqlx::{Arguments, ConnectOptions, Executor, Row, SqlStr};

use crate::connections::Connections;
use crate::dialect::MYSQL;
use crate::driver::{Answer, DialectRef, Driver, SqlDatabase, Trouble, collect};
use crate::error::refusal;
use crate::link::Link;
use crate::server::{ServerDatabase, ServerOptions, Tuned};
use crate::statement::Value;
use crate::store::SqlStore;

/// A store in a MySQL or MariaDB database.
pub type MySqlStore = SqlStore<MySql>;

/// How a MySQL or MariaDB server is connected to.
pub type MySqlOptions = ServerOptions<MySql>;

impl SqlStore<MySql> {
    /// Uses a pool of the application's own, as it is.
    ///
    /// sqlx asks the server after every call whether the connection still works, and before the next one again unless the
    /// pool has `test_before_acquire(false)`. [`open`](SqlStore::open) does neither.
    pub fn new(pool: MySqlPool) -> Self {
        Self::with_link(Link::Direct(Connections::pooled(pool)))
    }

    /// Connects to the server of an URL such as `mysql://user:password@host/database`, whose options sqlx describes.
    pub async fn open(url: &str) -> Result<Self> {
        MySqlOptions::new(url)?.open().await
    }
}

impl ServerOptions<MySql> {
    /// Takes an URL such as `mysql://user:password@host/database`, whose options sqlx describes.
    ///
    /// Refuses with [`Backend`](session_core::Error::Backend) what is not such an URL.
    pub fn new(url: &str) -> Result<Self> {
        MySqlConnectOptions::from_str(url).map(Self::with_options).map_err(refusal::<MySql>)
    }
}

impl SqlDatabase for MySql {}
impl ServerDatabase for MySql {}

impl Tuned for MySql {
    fn tune(options: MySqlConnectOptions, timeout: Duration, _has_pooler: bool) -> (MySqlConnectOptions, String) {
        // Each statement finds its rows by a key, so that it needs no protection of the gaps between rows; without it
        // fewer of them stand in each other's way. A lock that does not come in time leaves a whole second for the answer.
        let seconds = timeout.as_secs().saturating_sub(1).clamp(1, 3600);
        let greeting = format!(
            "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED; SET SESSION innodb_lock_wait_timeout = {seconds}"
        );
        (options.disable_statement_logging(), greeting)
    }
}

impl Driver for MySql {
    fn dialect() -> DialectRef {
        DialectRef(&MYSQL)
    }

    fn bind(arguments: &mut MySqlArguments, value: Value<'_>) -> Result<(), BoxDynError> {
        match value {
            Value::Text(text) => Arguments::add(arguments, text),
            Value::Integer(number) => Arguments::add(arguments, number),
        }
    }

    async fn run(
        connection: &mut MySqlConnection,
        sql: SqlStr,
        arguments: Option<MySqlArguments>,
    ) -> sqlx::Result<Vec<Answer<MySqlRow>>> {
        let stream = match arguments {
            Some(arguments) => connection.fetch_many(sqlx::query_with(sql, arguments)),
            None => connection.fetch_many(sqlx::raw_sql(sql)),
        };
        // Rows that a statement found and left as they were count too: sqlx asks the server for that (`FOUND_ROWS`).
        collect(stream, |done| (done.rows_affected(), done.last_insert_id())).await
    }

    fn text(row: &MySqlRow, column: usize) -> sqlx::Result<Option<&str>> {
        row.try_get_unchecked(column)
    }

    fn integer(row: &MySqlRow, column: usize) -> sqlx::Result<Option<i64>> {
        row.try_get_unchecked(column)
    }

    /// By number. See <https://mariadb.com/docs/server/reference/error-codes/mariadb-error-code-reference>.
    fn trouble(error: &dyn DatabaseError) -> Trouble {
        match error.try_downcast_ref::<MySqlDatabaseError>().map_or(0, MySqlDatabaseError::number) {
            // deadlock; a row changed since it was read (MariaDB, `innodb_snapshot_isolation`)
            1213 | 1020 => Trouble::UndoneByRace,
            // shutdown; aborted; network errors; killed; idle for too long
            1053 | 1152 | 1158..=1161 | 1927 | 3169 | 4031 => Trouble::Broken,
            // the server's option; the connection's; the server's mode
            1290 | 1792 | 1836 => Trouble::ReadOnly,
            // disk full; too many connections; not ready (Galera); table full; too many of one user; lock not had in time;
            // interrupted; out of time in three ways
            1021 | 1040 | 1047 | 1114 | 1203 | 1205 | 1317 | 1907 | 1969 | 3024 => Trouble::Outage,
            _ => Trouble::Refused,
        }
    }
}
