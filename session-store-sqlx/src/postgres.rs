//! PostgreSQL: the driver, and the way to connect.

use std::str::FromStr;
use std::time::Duration;

use session_core::Result;
use sqlx::error::{BoxDynError, DatabaseError};
use sqlx::postgres::{PgArguments, PgConnectOptions, PgConnection, PgPool, PgRow, Postgres};
use sqlx::{Arguments, ConnectOptions, Executor, Row, SqlStr};

use crate::connections::Connections;
use crate::dialect::POSTGRES;
use crate::driver::{Answer, DialectRef, Driver, SqlDatabase, Trouble, collect};
use crate::error::refusal;
use crate::link::Link;
use crate::server::{ServerDatabase, ServerOptions, Tuned};
use crate::statement::Value;
use crate::store::SqlStore;

/// A store in a PostgreSQL database.
pub type PostgresStore = SqlStore<Postgres>;

/// How a PostgreSQL server is connected to.
pub type PostgresOptions = ServerOptions<Postgres>;

impl SqlStore<Postgres> {
    /// Uses a pool of the application's own, as it is.
    ///
    /// sqlx asks the server after every call whether the connection still works, and before the next one again unless the
    /// pool has `test_before_acquire(false)`. [`open`](SqlStore::open) does neither.
    pub fn new(pool: PgPool) -> Self {
        Self::with_link(Link::Direct(Connections::pooled(pool)))
    }

    /// Connects to the server of an URL such as `postgres://user:password@host/database`, whose options sqlx describes.
    pub async fn open(url: &str) -> Result<Self> {
        PostgresOptions::new(url)?.open().await
    }

    /// Says that a pooler is between, which gives each transaction another connection, as pgbouncer does in its mode
    /// `transaction`: this handle, and the clones made from it, prepare no statements then, because another
    /// client's connection would not know them.
    #[must_use]
    pub fn with_transaction_pooler(mut self) -> Self {
        if let Link::Direct(connections) = self.link {
            self.link = Link::Direct(connections.with_literals(literal));
        }
        self
    }
}

impl ServerOptions<Postgres> {
    /// Takes an URL such as `postgres://user:password@host/database`, whose options sqlx describes.
    ///
    /// Refuses with [`Backend`](session_core::Error::Backend) what is not such an URL.
    pub fn new(url: &str) -> Result<Self> {
        PgConnectOptions::from_str(url).map(Self::with_options).map_err(refusal::<Postgres>)
    }

    /// Says that a pooler is between: see [`PostgresStore::with_transaction_pooler`](SqlStore::with_transaction_pooler).
    ///
    /// What would be set for a whole connection is then left to the pooler: its `query_timeout` ends what takes too long.
    #[must_use]
    pub fn with_transaction_pooler(mut self) -> Self {
        self.literal = Some(literal);
        self
    }
}

impl SqlDatabase for Postgres {}
impl ServerDatabase for Postgres {}

impl Tuned for Postgres {
    fn tune(options: PgConnectOptions, timeout: Duration, has_pooler: bool) -> (PgConnectOptions, String) {
        // No number here has digits after the point, and poolers refuse to be asked for them.
        let options = options.extra_float_digits(None).disable_statement_logging();
        let millis = timeout.as_millis().clamp(1, 1 << 30).to_string();
        (if has_pooler { options } else { options.options([("statement_timeout", millis)]) }, String::new())
    }
}

impl Driver for Postgres {
    fn dialect() -> DialectRef {
        DialectRef(&POSTGRES)
    }

    fn bind(arguments: &mut PgArguments, value: Value<'_>) -> Result<(), BoxDynError> {
        match value {
            Value::Text(text) => Arguments::add(arguments, text),
            Value::Integer(number) => Arguments::add(arguments, number),
        }
    }

    async fn run(
        connection: &mut PgConnection,
        sql: SqlStr,
        arguments: Option<PgArguments>,
    ) -> sqlx::Result<Vec<Answer<PgRow>>> {
        let stream = match arguments {
            Some(arguments) => connection.fetch_many(sqlx::query_with(sql, arguments)),
            None => connection.fetch_many(sqlx::raw_sql(sql)),
        };
        collect(stream, |done| (done.rows_affected(), 0)).await
    }

    fn text(row: &PgRow, column: usize) -> sqlx::Result<Option<&str>> {
        row.try_get_unchecked(column)
    }

    fn integer(row: &PgRow, column: usize) -> sqlx::Result<Option<i64>> {
        row.try_get_unchecked(column)
    }

    /// By SQLSTATE. See <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
    fn trouble(error: &dyn DatabaseError) -> Trouble {
        let code = error.code().unwrap_or_default();
        match &*code {
            // serialization_failure, deadlock_detected
            "40001" | "40P01" => Trouble::UndoneByRace,
            // admin_shutdown, crash_shutdown, cannot_connect_now, idle_session_timeout
            "57P01" | "57P02" | "57P03" | "57P05" => Trouble::Broken,
            // read_only_sql_transaction
            "25006" => Trouble::ReadOnly,
            // lock_not_available
            "55P03" => Trouble::Outage,
            code => match code.get(..2) {
                // connection exception
                Some("08") => Trouble::Broken,
                // insufficient resources, operator intervention, system error
                Some("53" | "57" | "58") => Trouble::Outage,
                _ => Trouble::Refused,
            },
        }
    }
}

/// Writes a value so that it cannot be left: an `E''` text means the same whatever `standard_conforming_strings` says, and
/// the connection's encoding is UTF-8, in which no part of a letter is a quote or a backslash.
fn literal(value: Value<'_>) -> String {
    match value {
        Value::Text(Some(text)) => format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''")),
        Value::Integer(Some(number)) => number.to_string(),
        Value::Text(None) | Value::Integer(None) => "NULL".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_literal_cannot_be_left() {
        let text = |text| literal(Value::Text(Some(text)));
        assert_eq!(text("a'b"), "E'a''b'");
        assert_eq!(text("\\"), "E'\\\\'");
        assert_eq!(text("\\'; DROP TABLE x; --"), "E'\\\\''; DROP TABLE x; --'");
        assert_eq!(literal(Value::Text(None)), "NULL");
        assert_eq!(literal(Value::Integer(Some(-1))), "-1");
    }
}
