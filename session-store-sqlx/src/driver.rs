//! What the store needs from sqlx's driver of a database.

use sqlx::error::BoxDynError;
use sqlx::{Database, SqlStr};

use crate::dialect::Dialect;
use crate::statement::{Statement, Value, Values};
use session_core::Timestamp;

/// A database that a [`SqlStore`](crate::SqlStore) can use. The crate implements it; others do not.
pub trait SqlDatabase: Driver {}

/// The part of a driver that its generic traits do not give, in one place per database.
pub trait Driver: Database {
    /// Returns how the database spells things.
    #[doc(hidden)]
    fn dialect() -> DialectRef;

    /// Adds a value to the arguments of a statement.
    #[doc(hidden)]
    fn bind(arguments: &mut Self::Arguments, value: Value<'_>) -> Result<(), BoxDynError>;

    /// Runs a text of one or more statements to its very end, and returns what each of them answers.
    ///
    /// To the end also when one row is all there can be: a driver that stops at the first row may end the statement
    /// afterwards, and lose the error if what it wrote could not be committed.
    #[doc(hidden)]
    fn run(
        connection: &mut Self::Connection,
        sql: SqlStr,
        arguments: Self::Arguments,
    ) -> impl Future<Output = sqlx::Result<Vec<Answer<Self::Row>>>> + Send;

    /// Reads a text.
    #[doc(hidden)]
    fn text(row: &Self::Row, column: usize) -> sqlx::Result<Option<&str>>;

    /// Reads a number.
    #[doc(hidden)]
    fn integer(row: &Self::Row, column: usize) -> sqlx::Result<Option<i64>>;

    /// Says whether an error that the database answered means that it cannot serve just now.
    #[doc(hidden)]
    fn is_outage(error: &dyn sqlx::error::DatabaseError) -> bool;
}

/// A dialect, wrapped so that its type stays the crate's own.
#[derive(Debug, Clone, Copy)]
pub struct DialectRef(pub(crate) &'static Dialect);

/// What one statement answers.
#[derive(Debug)]
pub struct Answer<R> {
    /// The rows that it returns.
    pub rows: Vec<R>,
    /// How many rows it changed.
    pub changed: u64,
}

impl<R> Default for Answer<R> {
    fn default() -> Self {
        Self { rows: Vec::new(), changed: 0 }
    }
}

/// Binds the values of a call to a statement, after those of the calls before it.
pub(crate) fn bind<DB: Driver>(
    arguments: &mut DB::Arguments,
    statement: &Statement,
    values: &Values,
    now: Timestamp,
) -> sqlx::Result<()> {
    for param in &*statement.params {
        DB::bind(arguments, values.value(*param, now)).map_err(sqlx::Error::Encode)?;
    }
    Ok(())
}

/// Runs one statement.
pub(crate) async fn run_one<DB: Driver>(
    connection: &mut DB::Connection,
    statement: &Statement,
    values: &Values,
    now: Timestamp,
) -> sqlx::Result<Answer<DB::Row>> {
    let mut arguments = DB::Arguments::default();
    bind::<DB>(&mut arguments, statement, values, now)?;
    let mut answers = DB::run(connection, statement.sql(), arguments).await?;
    Ok(answers.pop().unwrap_or_default())
}
