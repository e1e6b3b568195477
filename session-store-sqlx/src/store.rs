//! The seven calls.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use session_core::{Clock, Error, Record, Result, Revision, SessionKey, SessionStore, StoreOptions, Timestamp};

use crate::answer;
use crate::driver::SqlDatabase;
use crate::link::{Link, Repeat};
use crate::queue::Outcome;
use crate::row;
use crate::statement::{Statement, Values, to_column};
use crate::statements::Statements;
use crate::table::{InvalidTable, TableName};

/// How many renewed sessions a sweep moves on in one step.
const MOST_REFILED: u32 = 5000;

/// Keeps sessions in one table of an SQL database. A clone is a second handle of the same store.
///
/// The table is the namespace: it is called `sessions` until [`with_table`](SqlStore::with_table) says otherwise, and
/// [`setup`](SqlStore::setup) creates it. Nearly every call is one statement. In SQLite, writes of all handles that were cloned
/// from one go through one connection; those that wait for it together are committed together. For that a task runs
/// while there is something to write, and ends.
pub struct SqlStore<DB: SqlDatabase> {
    pub(crate) link: Link<DB>,
    table: TableName,
    statements: Arc<Statements>,
    options: StoreOptions,
}

impl<DB: SqlDatabase> SqlStore<DB> {
    pub(crate) fn with_link(link: Link<DB>) -> Self {
        let table = TableName::sessions();
        let statements = Arc::new(Statements::new(DB::dialect().0, &table));
        Self { link, table, statements, options: StoreOptions::default() }
    }

    /// Sets the table that this handle, and the clones made from it, own.
    ///
    /// Refuses a name that cannot be quoted or could be mistaken for another one: see [`InvalidTable`] (`NAMESPACE-02`,
    /// `NAMESPACE-03`).
    pub fn with_table(self, name: &str) -> Result<Self, InvalidTable> {
        let table = self.table.named(name, DB::dialect().0)?;
        Ok(self.with_table_name(table))
    }

    /// Sets the schema that the table is in: in MySQL a database, in SQLite one that is attached. It must exist.
    ///
    /// Without it the table is where the database looks for it. Refuses what [`with_table`](SqlStore::with_table) refuses.
    pub fn with_schema(self, name: &str) -> Result<Self, InvalidTable> {
        let table = self.table.in_schema(name, DB::dialect().0)?;
        Ok(self.with_table_name(table))
    }

    fn with_table_name(mut self, table: TableName) -> Self {
        self.statements = Arc::new(Statements::new(DB::dialect().0, &table));
        self.table = table;
        self
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
        let Statements { setup_lock, schema, .. } = &*self.statements;
        self.link.set_up(setup_lock, schema, &self.options.clock).await
    }

    /// Returns what [`setup`](SqlStore::setup) runs, for those who let migrations create their tables.
    pub fn schema_sql(&self) -> String {
        self.statements.schema.iter().map(|statement| format!("{};\n", statement.sql().as_str())).collect()
    }

    /// Closes the connections after the calls that are under way; later calls are refused with
    /// [`Unavailable`](Error::Unavailable). A pool that was handed in is closed too.
    pub async fn close(&self) {
        self.link.close().await;
    }

    pub(crate) fn statements(&self) -> &Statements {
        &self.statements
    }

    /// Runs a statement that only reads.
    pub(crate) async fn read(&self, statement: &Statement, values: Values) -> Result<Outcome<DB::Row>> {
        self.link.read(statement, &values, &*self.options.clock).await
    }

    /// Runs statements that write, one after the other, and returns what the first one answers.
    pub(crate) async fn write(
        &self,
        statements: &[Statement],
        values: Values,
        repeat: Repeat,
    ) -> Result<Outcome<DB::Row>> {
        self.link.write(statements, values, &self.options.clock, repeat).await
    }

    /// Writes a record as a fresh revision under a key.
    ///
    /// If the connection broke on the way and the call was made again, a refusal may be due to the call itself: then the
    /// record tells by its revision, or nobody can.
    async fn write_fresh(
        &self,
        statement: &Statement,
        key: &SessionKey,
        values: Values,
        judge: impl Fn(&Outcome<DB::Row>, Revision) -> Result<Revision>,
    ) -> Result<Revision> {
        let fresh = Revision::fresh();
        let values = Values { fresh: Some(fresh), ..values };
        let outcome = self.write(std::slice::from_ref(statement), values, Repeat::Once).await?;
        match judge(&outcome, fresh) {
            Err(_) if outcome.is_repeated => match self.load(key).await? {
                Some((_, revision)) if revision == fresh => Ok(fresh),
                _ => Err(unknown_outcome()),
            },
            answer => answer,
        }
    }
}

fn unknown_outcome() -> Error {
    Error::unavailable("the connection broke, and whether the call was made is not known")
}

#[async_trait]
impl<DB: SqlDatabase> SessionStore for SqlStore<DB> {
    async fn create(&self, key: &SessionKey, record: &Record) -> Result<Revision> {
        self.options.check_size(record)?;
        let values = Values { record: Some(record.clone()), ..Values::of(key) };
        self.write_fresh(&self.statements.create, key, values, |outcome, fresh| {
            if answer::is_created::<DB>(&outcome.answer) { Ok(fresh) } else { Err(Error::AlreadyExists) }
        })
        .await
    }

    async fn load(&self, key: &SessionKey) -> Result<Option<(Record, Revision)>> {
        let outcome = self.read(&self.statements.load, Values::of(key)).await?;
        outcome.answer.rows.first().map(row::record::<DB>).transpose()
    }

    async fn update(&self, key: &SessionKey, expected: Revision, record: &Record) -> Result<Revision> {
        self.options.check_size(record)?;
        let values = Values { record: Some(record.clone()), expected: Some(to_column(expected)), ..Values::of(key) };
        self.write_fresh(&self.statements.update, key, values, |outcome, fresh| {
            match answer::found::<DB>(&outcome.answer)? {
                revision if revision == fresh => Ok(fresh),
                _ => Err(Error::Conflict),
            }
        })
        .await
    }

    async fn touch(&self, key: &SessionKey, expires_at: Timestamp) -> Result<()> {
        let values = Values { expires_at: Some(expires_at), ..Values::of(key) };
        let touch = std::slice::from_ref(&self.statements.touch);
        let outcome = self.write(touch, values, Repeat::Once).await?;
        if outcome.answer.changed == 0 { Err(Error::NotFound) } else { Ok(()) }
    }

    async fn rotate(
        &self,
        old: &SessionKey,
        expected: Revision,
        new: &SessionKey,
        record: &Record,
    ) -> Result<Revision> {
        self.options.check_size(record)?;
        if old == new {
            // Refused whatever is there; the only question is how (`ROTATE-02`, `ROTATE-09`).
            return Err(match self.load(old).await? {
                None => Error::NotFound,
                Some((_, revision)) if revision != expected => Error::Conflict,
                Some(_) => Error::AlreadyExists,
            });
        }
        let values = Values {
            new_key: Some(new.clone()),
            record: Some(record.clone()),
            expected: Some(to_column(expected)),
            ..Values::of(old)
        };
        let rotate = || {
            self.write_fresh(&self.statements.rotate, new, values.clone(), |outcome, fresh| {
                match answer::found::<DB>(&outcome.answer)? {
                    revision if revision == fresh => Ok(fresh),
                    _ => Err(Error::Conflict),
                }
            })
        };
        match rotate().await {
            // Another record is in the way. If it has expired it is removed, as a sweep might do at any time (`ROTATE-08`).
            Err(Error::AlreadyExists) => {
                let remove = std::slice::from_ref(&self.statements.delete_if_expired);
                self.write(remove, Values::of(new), Repeat::Once).await?;
                rotate().await
            }
            answer => answer,
        }
    }

    async fn delete(&self, key: &SessionKey) -> Result<bool> {
        loop {
            let delete = std::slice::from_ref(&self.statements.delete);
            let outcome = self.write(delete, Values::of(key), Repeat::Once).await?;
            let Some(found) = outcome.answer.rows.first() else {
                return if outcome.is_repeated { Err(unknown_outcome()) } else { Ok(false) };
            };
            // What cannot be read was not live; it is removed all the same (`LOAD-03`).
            let was_live = row::is_live::<DB>(found, outcome.now).unwrap_or(false);
            if row::is_removed::<DB>(found)? {
                return Ok(was_live);
            }
            let values = Values { expected: Some(row::integer::<DB>(found, 2)?), ..Values::of(key) };
            let remove = std::slice::from_ref(&self.statements.delete_revision);
            if self.write(remove, values, Repeat::Never).await?.answer.changed > 0 {
                return Ok(was_live);
            }
        }
    }

    async fn delete_expired(&self, limit: u32) -> Result<u32> {
        let values = Values { limit, ..Values::default() };
        let delete = std::slice::from_ref(&self.statements.delete_expired);
        let removed = self.write(delete, values, Repeat::Never).await?.answer.changed;
        let values = Values { limit: MOST_REFILED, ..Values::default() };
        let refile = std::slice::from_ref(&self.statements.refile);
        // All of them, or each sweep would read again what the one before left; in steps, so that other calls come between.
        while self.write(refile, values.clone(), Repeat::Once).await?.answer.changed >= u64::from(MOST_REFILED) {}
        u32::try_from(removed).map_err(Error::backend)
    }
}

impl<DB: SqlDatabase> Clone for SqlStore<DB> {
    fn clone(&self) -> Self {
        Self {
            link: self.link.clone(),
            table: self.table.clone(),
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
