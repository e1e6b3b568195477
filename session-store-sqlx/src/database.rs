//! What each database's file says of it: its statements, its layout, and how sqlx's driver of it is used.

use std::future::poll_fn;
use std::sync::Arc;

use futures_core::stream::BoxStream;
use session_core::Timestamp;
use sqlx::error::BoxDynError;
use sqlx::{Database, Either, SqlStr};

use crate::layout::Layout;
use crate::sql::{Bound, Statement, Value};
use crate::table::{Spelling, TableName};
use crate::way::Way;

/// The statements of a store, as a database's file writes them out. Where there are several, the first that finds something
/// has done it.
///
/// The values of a call have the same places on every database, and `now` is the second one where there is one:
///
/// | | `$1` | `$3` and later |
/// |---|---|---|
/// | `create` | key | owner, `created_at`, `expires_at`, deadline, fresh revision, data |
/// | `load`, `delete`, `delete_if_expired` | key | |
/// | `update`, `rotate` | key | owner, `expires_at`, data, fresh revision, expected revision, new key |
/// | `touch` | key | `expires_at` |
/// | `list` | the place after which the page begins | how many, owner |
/// | `count_owned`, `delete_owned` | owner | the key that is left, how many |
/// | `delete_expired`, `refile`, `clear` | how many | |
/// | `count` | how many, which it does not need | |
#[derive(Debug, Clone, Copy)]
pub struct Texts {
    /// Answers a number that is not negative if it has stored the record.
    pub(crate) create: &'static str,
    pub(crate) load: &'static str,
    /// Answers the revision that it found or left, or -1 if the format is not known.
    pub(crate) update: &'static [&'static str],
    /// Answers the format that it found.
    pub(crate) touch: &'static str,
    /// Answers what `update` answers.
    pub(crate) rotate: &'static str,
    pub(crate) delete: &'static [&'static str],
    pub(crate) delete_if_expired: &'static str,
    pub(crate) delete_expired: &'static str,
    pub(crate) refile: &'static str,
    pub(crate) list: &'static str,
    pub(crate) list_owned: &'static str,
    pub(crate) count: &'static str,
    pub(crate) count_owned: &'static str,
    /// All of them are needed, each until it finds nothing more.
    pub(crate) delete_owned: &'static [&'static str],
    /// All of them are needed, each until it finds nothing more.
    pub(crate) clear: &'static [&'static str],
}

/// The same for one table.
#[derive(Debug)]
pub(crate) struct Statements {
    pub(crate) create: Arc<[Statement]>,
    pub(crate) load: Statement,
    pub(crate) update: Arc<[Statement]>,
    pub(crate) touch: Arc<[Statement]>,
    pub(crate) rotate: Arc<[Statement]>,
    pub(crate) delete: Arc<[Statement]>,
    pub(crate) delete_if_expired: Arc<[Statement]>,
    pub(crate) delete_expired: Arc<[Statement]>,
    pub(crate) refile: Arc<[Statement]>,
    pub(crate) list: Statement,
    pub(crate) list_owned: Statement,
    pub(crate) count: Statement,
    pub(crate) count_owned: Statement,
    pub(crate) delete_owned: Vec<Arc<[Statement]>>,
    pub(crate) clear: Vec<Arc<[Statement]>>,
}

impl Statements {
    pub(crate) fn new<DB: Driver>(table: &TableName) -> Self {
        let texts = DB::TEXTS;
        let one = |text: &str| Statement::new(text, table, &DB::SPELLING);
        let all = |texts: &[&str]| -> Arc<[Statement]> { texts.iter().map(|text| one(text)).collect() };
        let each = |texts: &[&str]| texts.iter().map(|text| all(&[*text])).collect();
        Self {
            create: all(&[texts.create]),
            load: one(texts.load),
            update: all(texts.update),
            touch: all(&[texts.touch]),
            rotate: all(&[texts.rotate]),
            delete: all(texts.delete),
            delete_if_expired: all(&[texts.delete_if_expired]),
            delete_expired: all(&[texts.delete_expired]),
            refile: all(&[texts.refile]),
            list: one(texts.list),
            list_owned: one(texts.list_owned),
            count: one(texts.count),
            count_owned: one(texts.count_owned),
            delete_owned: each(texts.delete_owned),
            clear: each(texts.clear),
        }
    }
}

/// A database that a [`SqlStore`](crate::SqlStore) can use. The crate implements it; others do not.
pub trait SqlDatabase: Driver {}

/// What a database's file says of it.
pub trait Driver: Database {
    /// How calls get to the database.
    #[doc(hidden)]
    type Way: Way<Self>;

    /// How many rows a step of a long call removes or moves at most.
    #[doc(hidden)]
    const STEP: u32;

    #[doc(hidden)]
    const TEXTS: Texts;

    #[doc(hidden)]
    const SPELLING: Spelling;

    #[doc(hidden)]
    const LAYOUT: Layout;

    /// Adds a value to the arguments of a statement.
    #[doc(hidden)]
    fn bind(arguments: &mut Self::Arguments, value: Bound<'_>) -> Result<(), BoxDynError>;

    /// Runs a text of one or more statements to its very end, adds what each of them answers, and says what went wrong.
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
        answers: &mut Vec<Answer<Self::Row>>,
    ) -> impl Future<Output = sqlx::Result<()>> + Send;

    /// Reads a text.
    #[doc(hidden)]
    fn text(row: &Self::Row, column: usize) -> sqlx::Result<Option<&str>>;

    /// Reads a number.
    #[doc(hidden)]
    fn integer(row: &Self::Row, column: usize) -> sqlx::Result<Option<i64>>;

    /// Returns the number that a statement of a call answers, if it found something.
    #[doc(hidden)]
    fn number(answer: &Answer<Self::Row>) -> sqlx::Result<Option<i64>>;

    /// Returns how many of the records that a statement has removed were live.
    #[doc(hidden)]
    fn live(answer: &Answer<Self::Row>) -> sqlx::Result<i64>;

    /// Says whether a step of a long call has removed as much as it may, so that there may be more.
    #[doc(hidden)]
    fn goes_on(answer: &Answer<Self::Row>) -> bool;

    /// Reads the place of a row of a listing, if it can be one.
    #[doc(hidden)]
    fn place(row: &Self::Row) -> Option<String>;

    /// Reads a place again, or refuses it. Nothing is the place before the first row.
    #[doc(hidden)]
    fn after(place: Option<&str>) -> Result<Value, BoxDynError>;

    /// Says what an error that the database answered means.
    #[doc(hidden)]
    fn trouble(error: &dyn sqlx::error::DatabaseError) -> Trouble;

    /// Says which of two things with one name a connection is to; always the same for a server.
    #[doc(hidden)]
    fn identity(options: &<Self::Connection as sqlx::Connection>::Options) -> std::io::Result<(u64, u64)>;

    /// Returns a statement that ends what another connection is doing, by the number that its greeting answered.
    #[doc(hidden)]
    fn cancel(number: i64) -> Option<String>;

    /// Returns what is wrong with a connection that was handed in, in words.
    #[doc(hidden)]
    fn unfit(connection: &mut Self::Connection) -> impl Future<Output = sqlx::Result<Option<&'static str>>> + Send;

    /// Writes a value as a piece of a text, so that it cannot be left.
    #[doc(hidden)]
    fn literal(value: Bound<'_>) -> String;
}

/// What an error that a database answered means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// A retry does not cure it.
    Refused,
    /// A retry does not cure it, and the connection is over.
    RefusedAndBroken,
    /// The account may not do that.
    NotAllowed,
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

/// What one statement answers.
#[derive(Debug)]
pub struct Answer<R> {
    /// The rows that it returns.
    pub(crate) rows: Vec<R>,
    /// How many rows it found to change.
    pub(crate) changed: u64,
    /// The number that it left behind, on databases where a statement that writes returns no rows.
    pub(crate) left: u64,
    /// Which of the statements of a call this is the answer of.
    pub(crate) statement: usize,
    /// The time by which it decided.
    pub(crate) now: Timestamp,
}

impl<R> Default for Answer<R> {
    fn default() -> Self {
        Self { rows: Vec::new(), changed: 0, left: 0, statement: 0, now: Timestamp::MIN }
    }
}

impl<R> Answer<R> {
    /// Says whether the statement found what it is about.
    pub(crate) fn has_found(&self) -> bool {
        !self.rows.is_empty() || self.changed > 0
    }
}

/// Collects what a text of one or more statements answers; `read` says how many rows a statement changed, and the number that
/// it left.
pub(crate) async fn collect<R, D>(
    mut stream: BoxStream<'_, sqlx::Result<Either<D, R>>>,
    answers: &mut Vec<Answer<R>>,
    read: impl Fn(&D) -> (u64, u64),
) -> sqlx::Result<()> {
    let mut rows = Vec::new();
    while let Some(item) = poll_fn(|context| stream.as_mut().poll_next(context)).await {
        match item? {
            Either::Right(row) => rows.push(row),
            // The end of a statement, after its rows.
            Either::Left(done) => {
                let (changed, left) = read(&done);
                answers.push(Answer { rows: std::mem::take(&mut rows), changed, left, ..Answer::default() });
            }
        }
    }
    Ok(())
}

/// Binds the values of a call to a statement, after those of the calls before it.
pub(crate) fn bind<DB: Driver>(
    arguments: &mut DB::Arguments,
    statement: &Statement,
    values: &[Value],
    now: Timestamp,
) -> sqlx::Result<()> {
    for place in &statement.order {
        // A statement that does not name its last values has fewer of them.
        let value = values.get(*place).map_or(Bound::Integer(None), |value| value.bound(now));
        DB::bind(arguments, value).map_err(sqlx::Error::Encode)?;
    }
    Ok(())
}
