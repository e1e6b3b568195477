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

    /// Runs a statement to its very end and returns its rows.
    ///
    /// To the end also when one row is all there can be: a driver that stops at the first row may end the statement
    /// afterwards, and lose the error if what it wrote could not be committed.
    #[doc(hidden)]
    fn fetch(
        connection: &mut Self::Connection,
        sql: SqlStr,
        arguments: Self::Arguments,
    ) -> impl Future<Output = sqlx::Result<Vec<Self::Row>>> + Send;

    /// Runs a statement and returns how many rows it changed.
    #[doc(hidden)]
    fn execute(
        connection: &mut Self::Connection,
        sql: SqlStr,
        arguments: Self::Arguments,
    ) -> impl Future<Output = sqlx::Result<u64>> + Send;

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

/// Binds the values of a call to a statement.
pub(crate) fn arguments<DB: Driver>(
    statement: &Statement,
    values: &Values,
    now: Timestamp,
) -> sqlx::Result<DB::Arguments> {
    let mut arguments = DB::Arguments::default();
    for param in &*statement.params {
        DB::bind(&mut arguments, values.value(*param, now)).map_err(sqlx::Error::Encode)?;
    }
    Ok(arguments)
}
