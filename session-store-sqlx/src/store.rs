//! The store: the seven calls, and the four of its index.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use session_core::{
    Clock, Cursor, Error, Listing, OwnerId, Page, Record, Result, Revision, Scope, SessionIndex, SessionKey,
    SessionStore, StoreOptions, Timestamp,
};

use crate::database::{Answer, Driver, SqlDatabase, Statements};
use crate::error::refusal;
use crate::row;
use crate::setup;
use crate::sql::{Statement, Value};
use crate::table::{InvalidTable, TableName};
use crate::way::{Way, When};

/// Keeps sessions in one table of an SQL database. A clone is a second handle of the same store.
///
/// The table is the namespace: it is called `sessions` until [`with_table`](SqlStore::with_table) says otherwise, and
/// [`setup`](SqlStore::setup) creates it. Nearly every call is one statement. In SQLite, writes of all handles that were cloned
/// from one go through one connection, on a thread of its own; those that wait for it together are committed together.
pub struct SqlStore<DB: SqlDatabase> {
    pub(crate) way: DB::Way,
    table: TableName,
    statements: Arc<Statements>,
    options: StoreOptions,
}

impl<DB: SqlDatabase> SqlStore<DB> {
    pub(crate) fn with_way(way: DB::Way) -> Self {
        let table = TableName::sessions();
        let statements = Arc::new(Statements::new::<DB>(&table));
        Self { way, table, statements, options: StoreOptions::default() }
    }

    /// Sets the table that this handle, and the clones made from it, own.
    ///
    /// # Errors
    ///
    /// [`InvalidTable`] for a name that cannot be quoted or could be mistaken for another one (`NAMESPACE-02`, `NAMESPACE-03`).
    pub fn with_table(self, name: &str) -> Result<Self, InvalidTable> {
        let table = self.table.named(name, &DB::SPELLING)?;
        Ok(self.with_table_name(table))
    }

    /// Sets the schema that the table is in: in MySQL a database, in SQLite one that is attached. It must exist.
    ///
    /// Without it the table is where the database looks for it.
    ///
    /// # Errors
    ///
    /// What [`with_table`](SqlStore::with_table) refuses.
    pub fn with_schema(self, name: &str) -> Result<Self, InvalidTable> {
        let table = self.table.in_schema(name, &DB::SPELLING)?;
        Ok(self.with_table_name(table))
    }

    fn with_table_name(mut self, table: TableName) -> Self {
        self.statements = Arc::new(Statements::new::<DB>(&table));
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

    /// Verifies the table, and creates it, or its indexes, where they are missing. May run any number of times, and in many
    /// processes at once (`PEER-02`); what is stored stays. If nothing is missing it only looks, and waits for no lock.
    ///
    /// # Errors
    ///
    /// [`Unavailable`](Error::Unavailable) while another process holds the database for too long, and
    /// [`Backend`](Error::Backend) with a [`LayoutError`](session_core::LayoutError) as its cause if the table is another
    /// program's, a part of it is not what it should be, or the account may not create what is missing: see
    /// [`schema_sql`](SqlStore::schema_sql).
    pub async fn setup(&self) -> Result<()> {
        self.way.set_up(&self.table, true).await
    }

    /// Verifies the table, its columns and its indexes, and makes nothing.
    ///
    /// # Errors
    ///
    /// What [`setup`](SqlStore::setup) refuses with, and where `setup` would make something: that it is missing.
    pub async fn verify(&self) -> Result<()> {
        self.way.set_up(&self.table, false).await
    }

    /// Returns what [`setup`](SqlStore::setup) makes, for those who let migrations create their tables.
    pub fn schema_sql(&self) -> String {
        setup::schema_sql::<DB>(&self.table)
    }

    /// Closes the connections after the calls that are under way; later calls are refused with
    /// [`Unavailable`](Error::Unavailable). A pool that was handed in is closed too.
    pub async fn close(&self) {
        self.way.close().await;
    }

    #[cfg(all(test, feature = "sqlite"))]
    pub(crate) fn statements(&self) -> &Statements {
        &self.statements
    }

    async fn read(&self, statement: &Statement, values: &[Value]) -> Result<Answer<DB::Row>> {
        self.way.read(statement, values, &self.when()).await
    }

    async fn write(&self, statements: &Arc<[Statement]>, values: Vec<Value>) -> Result<Answer<DB::Row>> {
        self.way.write(statements, values, self.when()).await
    }

    fn when(&self) -> When {
        When::Asked(Arc::clone(&self.options.clock))
    }

    /// Runs each statement until it has nothing more to remove, and returns how many live records that were; all of them decide by
    /// one time.
    async fn remove(&self, statements: &[Arc<[Statement]>], values: &[Value]) -> Result<u64> {
        let (mut live, mut when) = (0, self.when());
        for (number, statement) in statements.iter().enumerate() {
            loop {
                let answer = self.way.write(statement, values.to_vec(), when).await?;
                when = When::Known(answer.now);
                let answer = Answer { statement: number, ..answer };
                live += DB::live(&answer).map_err(refusal::<DB>)?;
                if !DB::goes_on(&answer) {
                    break;
                }
            }
        }
        u64::try_from(live).map_err(Error::backend)
    }
}

/// Returns the number that a statement answers, if it found a live record.
fn number<DB: Driver>(answer: &Answer<DB::Row>) -> Result<Option<i64>> {
    DB::number(answer).map_err(refusal::<DB>)
}

/// Judges what an update or a rotation found or left.
fn judge<DB: Driver>(answer: &Answer<DB::Row>, fresh: Revision) -> Result<Revision> {
    match number::<DB>(answer)?.map(u64::try_from) {
        None => Err(Error::NotFound),
        Some(Err(_)) => Err(row::unknown_format()),
        Some(Ok(revision)) if revision == fresh.number() => Ok(fresh),
        Some(Ok(_)) => Err(Error::Conflict),
    }
}

#[async_trait]
impl<DB: SqlDatabase> SessionStore for SqlStore<DB> {
    async fn create(&self, key: &SessionKey, record: &Record) -> Result<Revision> {
        self.options.check_size(record)?;
        let fresh = Revision::fresh();
        let values = vec![
            Value::Key(key.clone()),
            Value::Now,
            Value::Owner(record.owner.clone()),
            Value::Time(Some(record.created_at)),
            Value::Time(Some(record.expires_at)),
            Value::Time(record.deadline),
            Value::revision(fresh),
            Value::Data(record.data.clone()),
        ];
        let answer = self.write(&self.statements.create, values).await?;
        match number::<DB>(&answer)? {
            Some(0..) => Ok(fresh),
            _ => Err(Error::AlreadyExists),
        }
    }

    async fn load(&self, key: &SessionKey) -> Result<Option<(Record, Revision)>> {
        let answer = self.read(&self.statements.load, &[Value::Key(key.clone()), Value::Now]).await?;
        answer.rows.first().map(row::record::<DB>).transpose()
    }

    async fn update(&self, key: &SessionKey, expected: Revision, record: &Record) -> Result<Revision> {
        self.options.check_size(record)?;
        let fresh = Revision::fresh();
        let values = vec![
            Value::Key(key.clone()),
            Value::Now,
            Value::Owner(record.owner.clone()),
            Value::Time(Some(record.expires_at)),
            Value::Data(record.data.clone()),
            Value::revision(fresh),
            Value::revision(expected),
        ];
        judge::<DB>(&self.write(&self.statements.update, values).await?, fresh)
    }

    async fn touch(&self, key: &SessionKey, expires_at: Timestamp) -> Result<()> {
        let values = vec![Value::Key(key.clone()), Value::Now, Value::Time(Some(expires_at))];
        match number::<DB>(&self.write(&self.statements.touch, values).await?)? {
            None => Err(Error::NotFound),
            Some(row::FORMAT) => Ok(()),
            Some(_) => Err(row::unknown_format()),
        }
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
        let fresh = Revision::fresh();
        let values = vec![
            Value::Key(old.clone()),
            Value::Now,
            Value::Owner(record.owner.clone()),
            Value::Time(Some(record.expires_at)),
            Value::Data(record.data.clone()),
            Value::revision(fresh),
            Value::revision(expected),
            Value::Key(new.clone()),
        ];
        let rotate = || async { judge::<DB>(&self.write(&self.statements.rotate, values.clone()).await?, fresh) };
        match rotate().await {
            // Another record is in the way. If it has expired it is removed, as a sweep might do at any time (`ROTATE-08`).
            Err(Error::AlreadyExists) => {
                let remove = vec![Value::Key(new.clone()), Value::Now];
                self.write(&self.statements.delete_if_expired, remove).await?;
                rotate().await
            }
            answer => answer,
        }
    }

    async fn delete(&self, key: &SessionKey) -> Result<bool> {
        let answer = self.write(&self.statements.delete, vec![Value::Key(key.clone()), Value::Now]).await?;
        Ok(DB::live(&answer).map_err(refusal::<DB>)? > 0)
    }

    async fn delete_expired(&self, limit: u32) -> Result<u32> {
        let mut removed = 0;
        // What is due is looked at in its order, and removed or filed anew: nothing is looked at again.
        while removed < limit {
            let step = (limit - removed).min(DB::STEP);
            let values = vec![Value::Integer(step.into()), Value::Now];
            let gone = self.write(&self.statements.delete_expired, values).await?.changed;
            removed += u32::try_from(gone).map_err(Error::backend)?;
            if gone < u64::from(step) {
                let values = vec![Value::Integer(DB::STEP.into()), Value::Now];
                if self.write(&self.statements.refile, values).await?.changed == 0 {
                    break;
                }
            }
        }
        Ok(removed)
    }
}

/// A listing is in the order of the keys, in MySQL and MariaDB in that in which the sessions began.
///
/// The index reads no data. A record whose format is not known is neither listed nor counted; one whose data is damaged is,
/// until somebody loads it.
#[async_trait]
impl<DB: SqlDatabase> SessionIndex for SqlStore<DB> {
    async fn list(&self, scope: Scope<'_>, page: &Page) -> Result<Listing> {
        let (statement, owner) = match scope {
            Scope::Owner(owner) => (&self.statements.list_owned, Some(owner.clone())),
            _ => (&self.statements.list, None),
        };
        let mut after = DB::after(page.cursor().map(Cursor::as_str)).map_err(Error::Backend)?;
        loop {
            let values = [after, Value::Now, Value::Integer(page.limit().into()), Value::Owner(owner.clone())];
            let rows = self.read(statement, &values).await?.rows;
            // One damaged row must not hide the others, be it the last one of a page or all of a small one.
            let is_full = rows.len() as u64 >= u64::from(page.limit());
            let good = rows.iter().rev().find_map(DB::place);
            if let (true, None, Some(last)) = (is_full, &good, rows.last()) {
                after = Value::Text(row::key_text::<DB>(last)?.to_owned());
                continue;
            }
            let next = good.filter(|_| is_full).map(Cursor::new);
            return Ok(Listing::new(rows.iter().filter_map(|row| row::info::<DB>(row).ok()).collect(), next));
        }
    }

    async fn count(&self, scope: Scope<'_>) -> Result<u64> {
        let (statement, about) = match scope {
            Scope::Owner(owner) => (&self.statements.count_owned, Value::Owner(Some(owner.clone()))),
            _ => (&self.statements.count, Value::Integer(0)),
        };
        let rows = self.read(statement, &[about, Value::Now]).await?.rows;
        rows.first().map_or(Ok(0), row::count::<DB>)
    }

    async fn delete_owned(&self, owner: &OwnerId, except: Option<&SessionKey>) -> Result<u64> {
        // The empty text is no record's key.
        let except = except.map_or_else(|| Value::Text(String::new()), |key| Value::Key(key.clone()));
        let values = [Value::Owner(Some(owner.clone())), Value::Now, except, Value::Integer(DB::STEP.into())];
        self.remove(&self.statements.delete_owned, &values).await
    }

    async fn clear(&self) -> Result<u64> {
        self.remove(&self.statements.clear, &[Value::Integer(DB::STEP.into()), Value::Now]).await
    }
}

impl<DB: SqlDatabase> Clone for SqlStore<DB> {
    fn clone(&self) -> Self {
        Self {
            way: self.way.clone(),
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
