//! What the store needs from sqlx's driver of a database.

use std::future::poll_fn;

use futures_core::stream::BoxStream;
use sqlx::error::BoxDynError;
use sqlx::{Database, Either, SqlStr};

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
    /// Without arguments the text is sent as it is, and not prepared.
    ///
    /// To the end also when one row is all there can be: a driver that stops at the first row may end the statement
    /// afterwards, and lose the error if what it wrote could not be committed.
    #[doc(hidden)]
    fn run(
        connection: &mut Self::Connection,
        sql: SqlStr,
        arguments: Option<Self::Arguments>,
    ) -> impl Future<Output = sqlx::Result<Vec<Answer<Self::Row>>>> + Send;

    /// Reads a text.
    #[doc(hidden)]
    fn text(row: &Self::Row, column: usize) -> sqlx::Result<Option<&str>>;

    /// Reads a number.
    #[doc(hidden)]
    fn integer(row: &Self::Row, column: usize) -> sqlx::Result<Option<i64>>;

    /// Says what an error that the database answered means.
    #[doc(hidden)]
    fn trouble(error: &dyn sqlx::error::DatabaseError) -> Trouble;
}

/// What an error that a database answered means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// A retry does not cure it.
    Refused,
    /// The database cannot serve just now.
    Outage,
    /// The same, and the connection is over.
    Broken,
    /// The server takes no writes, so that nothing is done. Another one may have its place by now, where a new connection
    /// goes to.
    ReadOnly,
    /// Two calls stood in each other's way, and all of this one was undone: it can be made again at once.
    UndoneByRace,
}

/// A dialect, wrapped so that its type stays the crate's own.
#[derive(Debug, Clone, Copy)]
pub struct DialectRef(pub(crate) &'static Dialect);

/// What one statement answers.
#[derive(Debug)]
pub struct Answer<R> {
    /// The rows that it returns.
    pub rows: Vec<R>,
    /// How many rows it found to change.
    pub changed: u64,
    /// The number that it left, where a statement [tells](crate::dialect::Tells) by a number; else 0.
    pub number: u64,
}

impl<R> Default for Answer<R> {
    fn default() -> Self {
        Self { rows: Vec::new(), changed: 0, number: 0 }
    }
}

/// Collects what a text of one or more statements answers; `read` says how many rows a statement changed, and its number.
pub(crate) async fn collect<R, D>(
    mut stream: BoxStream<'_, sqlx::Result<Either<D, R>>>,
    read: impl Fn(&D) -> (u64, u64),
) -> sqlx::Result<Vec<Answer<R>>> {
    let (mut answers, mut rows) = (Vec::new(), Vec::new());
    while let Some(item) = poll_fn(|context| stream.as_mut().poll_next(context)).await {
        match item? {
            Either::Right(row) => rows.push(row),
            // The end of a statement, after its rows.
            Either::Left(done) => {
                let (changed, number) = read(&done);
                answers.push(Answer { rows: std::mem::take(&mut rows), changed, number });
            }
        }
    }
    Ok(answers)
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
    let mut answers = DB::run(connection, statement.sql(), Some(arguments)).await?;
    Ok(answers.pop().unwrap_or_default())
}
