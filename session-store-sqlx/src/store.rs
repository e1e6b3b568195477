//! The seven calls.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use session_core::{Clock, Error, Record, Result, Revision, SessionKey, SessionStore, StoreOptions, Timestamp};
use sqlx::Pool;

use crate::driver::{Driver, SqlDatabase, run_one};
use crate::error::refusal;
use crate::queue::{Outcome, Source, Work, WriteQueue};
use crate::row;
use crate::statement::{Statement, Statements, Values};
use crate::table::{InvalidTable, TableName};

/// Keeps sessions in one table of an SQL database. A clone is a second handle of the same store.
///
/// The table is the namespace: it is called `sessions` until [`with_table`](SqlStore::with_table) says otherwise, and
/// [`setup`](SqlStore::setup) creates it. Every call is one statement. Writes of all handles that were cloned from one
/// go through one connection; those that wait for it together are committed together. For that a task runs while
/// there is something to write, and ends.
pub struct SqlStore<DB: SqlDatabase> {
    readers: Pool<DB>,
    writes: Arc<WriteQueue<DB>>,
    statements: Arc<Statements>,
    options: StoreOptions,
}

impl<DB: SqlDatabase> SqlStore<DB> {
    pub(crate) fn with_source(readers: Pool<DB>, writer: Source<DB>) -> Self {
        let table = TableName::sessions();
        Self {
            readers,
            writes: Arc::new(WriteQueue::new(writer)),
            statements: Arc::new(Statements::new(DB::dialect().0, &table)),
            options: StoreOptions::default(),
        }
    }

    /// Sets the table that this handle, and the clones made from it, own.
    ///
    /// Refuses a name that cannot be quoted or could be mistaken for another one: see [`InvalidTable`] (`NAMESPACE-02`,
    /// `NAMESPACE-03`).
    pub fn with_table(mut self, name: &str) -> Result<Self, InvalidTable> {
        let table = TableName::parse(name, DB::dialect().0)?;
        self.statements = Arc::new(Statements::new(DB::dialect().0, &table));
        Ok(self)
    }

    /// Sets the clock that decides whether a session is live, for this handle and the clones made from it.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Clock + 'static) -> Self {
        self.options.clock = Arc::new(clock);
        self
    }

    /// Sets the most bytes of data that a record may have, for this handle and the clones made from it (`DATA-02`).
    #[must_use]
    pub fn with_max_data_bytes(mut self, bytes: usize) -> Self {
        self.options.max_data_bytes = bytes;
        self
    }

    /// Creates the table and its indexes where they are missing. May run any number of times, and in many processes at
    /// once (`PEER-02`); what is stored stays.
    ///
    /// Refuses with [`Unavailable`](Error::Unavailable) while another process holds the database for too long, and with
    /// [`Backend`](Error::Backend) if it lacks the right to create tables: see [`schema_sql`](SqlStore::schema_sql).
    pub async fn setup(&self) -> Result<()> {
        self.write(self.statements.schema.clone(), Values::default()).await.map(drop)
    }

    /// Returns what [`setup`](SqlStore::setup) runs, for those who let migrations create their tables.
    pub fn schema_sql(&self) -> String {
        self.statements.schema.iter().map(|statement| format!("{};\n", statement.sql().as_str())).collect()
    }

    /// Closes the connections after the calls that are under way; later calls are refused with
    /// [`Unavailable`](Error::Unavailable). A pool that was handed in is closed too.
    pub async fn close(&self) {
        self.writes.close().await;
        self.readers.close().await;
    }

    #[cfg(test)]
    pub(crate) fn reader_pool(&self) -> &Pool<DB> {
        &self.readers
    }

    pub(crate) fn statements(&self) -> &Statements {
        &self.statements
    }

    /// Runs a statement that only reads, on a connection of its own: readers do not wait for the writer.
    pub(crate) async fn read(&self, statement: &Statement, values: &Values) -> Result<Vec<DB::Row>> {
        let mut connection = self.readers.acquire().await.map_err(refusal::<DB>)?;
        let answer = run_one::<DB>(&mut connection, statement, values, self.options.now()).await;
        Ok(answer.map_err(refusal::<DB>)?.rows)
    }

    /// Runs statements that write, in one transaction.
    pub(crate) async fn write(&self, statements: Vec<Statement>, values: Values) -> Result<Outcome<DB::Row>> {
        self.writes.submit(Work { statements, values, clock: Arc::clone(&self.options.clock) }).await
    }
}

#[async_trait]
impl<DB: SqlDatabase> SessionStore for SqlStore<DB> {
    async fn create(&self, key: &SessionKey, record: &Record) -> Result<Revision> {
        self.options.check_size(record)?;
        let fresh = Revision::fresh();
        let values = Values { record: Some(record.clone()), fresh: Some(fresh), ..Values::of(key) };
        let outcome = self.write(vec![self.statements.create.clone()], values).await?;
        if outcome.answer.rows.is_empty() { Err(Error::AlreadyExists) } else { Ok(fresh) }
    }

    async fn load(&self, key: &SessionKey) -> Result<Option<(Record, Revision)>> {
        let rows = self.read(&self.statements.load, &Values::of(key)).await?;
        rows.first().map(row::record::<DB>).transpose()
    }

    async fn update(&self, key: &SessionKey, expected: Revision, record: &Record) -> Result<Revision> {
        self.options.check_size(record)?;
        let fresh = Revision::fresh();
        let values =
            Values { record: Some(record.clone()), expected: Some(expected), fresh: Some(fresh), ..Values::of(key) };
        let outcome = self.write(vec![self.statements.update.clone()], values).await?;
        match found::<DB>(&outcome)? {
            revision if revision == fresh => Ok(fresh),
            _ => Err(Error::Conflict),
        }
    }

    async fn touch(&self, key: &SessionKey, expires_at: Timestamp) -> Result<()> {
        let values = Values { expires_at: Some(expires_at), ..Values::of(key) };
        let outcome = self.write(vec![self.statements.touch.clone()], values).await?;
        if outcome.answer.rows.is_empty() { Err(Error::NotFound) } else { Ok(()) }
    }

    async fn rotate(
        &self,
        old: &SessionKey,
        expected: Revision,
        new: &SessionKey,
        record: &Record,
    ) -> Result<Revision> {
        self.options.check_size(record)?;
        let fresh = Revision::fresh();
        let values = Values {
            new_key: Some(new.clone()),
            record: Some(record.clone()),
            expected: Some(expected),
            fresh: Some(fresh),
            ..Values::of(old)
        };
        let outcome = self.write(vec![self.statements.rotate.clone()], values).await?;
        match found::<DB>(&outcome)? {
            revision if revision == fresh => Ok(fresh),
            // The record stayed although it had the revision: there was no place for it (`ROTATE-09`).
            revision if revision == expected => Err(Error::AlreadyExists),
            _ => Err(Error::Conflict),
        }
    }

    async fn delete(&self, key: &SessionKey) -> Result<bool> {
        let outcome = self.write(vec![self.statements.delete.clone()], Values::of(key)).await?;
        // What could not be read counts as not live (`LOAD-03`); it is gone all the same.
        let removed = outcome.answer.rows.first().and_then(|row| row::record::<DB>(row).ok());
        Ok(removed.is_some_and(|(record, _)| record.is_live(outcome.now)))
    }

    async fn delete_expired(&self, limit: u32) -> Result<u32> {
        let values = Values { limit, ..Values::default() };
        let outcome = self.write(vec![self.statements.delete_expired.clone()], values).await?;
        u32::try_from(outcome.answer.changed).map_err(Error::backend)
    }
}

/// Returns the revision that a conditional write found or left; the format is checked first.
fn found<DB: Driver>(outcome: &Outcome<DB::Row>) -> Result<Revision> {
    let row = outcome.answer.rows.first().ok_or(Error::NotFound)?;
    row::check_format::<DB>(row, 1)?;
    row::revision::<DB>(row, 0)
}

impl<DB: SqlDatabase> Clone for SqlStore<DB> {
    fn clone(&self) -> Self {
        Self {
            readers: self.readers.clone(),
            writes: Arc::clone(&self.writes),
            statements: Arc::clone(&self.statements),
            options: self.options.clone(),
        }
    }
}

impl<DB: SqlDatabase> fmt::Debug for SqlStore<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A pool shows where it connects to, perhaps with a password.
        f.debug_struct("SqlStore").field("database", &DB::NAME).field("options", &self.options).finish_non_exhaustive()
    }
}
