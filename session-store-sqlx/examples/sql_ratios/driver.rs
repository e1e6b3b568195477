//! sqlx itself, as a contestant: the least that does the same work.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use session_core::{BoxError, Record, Revision};
use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, Database, Encode, Executor, IntoArguments, SqlSafeStr, SqlStr, Type,
};
use tokio::sync::Semaphore;

use crate::measure::{Contestant, key};

/// Connections that are opened once and used in turns, and the texts of the statements.
pub(crate) struct Driver<DB: Database> {
    readers: Arc<Connections<DB>>,
    writers: Arc<Connections<DB>>,
    create: SqlStr,
    load: SqlStr,
    update: SqlStr,
    touch: SqlStr,
    delete: SqlStr,
    revisions: Arc<Mutex<HashMap<u64, i64>>>,
}

struct Connections<DB: Database> {
    permits: Semaphore,
    idle: Mutex<Vec<DB::Connection>>,
}

impl<DB: Database> Connections<DB> {
    async fn open(options: &<DB::Connection as Connection>::Options, count: u32) -> sqlx::Result<Arc<Self>> {
        let mut idle = Vec::new();
        for _ in 0..count {
            idle.push(options.connect().await?);
        }
        Ok(Arc::new(Self { permits: Semaphore::new(idle.len()), idle: Mutex::new(idle) }))
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<DB::Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<DB: Database> Driver<DB> {
    pub(crate) async fn connect(
        options: &<DB::Connection as Connection>::Options,
        table: &str,
        connections: u32,
        writers: Writers,
    ) -> sqlx::Result<Self> {
        let readers = Connections::open(options, connections).await?;
        let writers = match writers {
            Writers::One => Connections::open(options, 1).await?,
            Writers::All => Arc::clone(&readers),
        };
        let sql = |template: &str| {
            let mut text = String::new();
            for (place, piece) in template.split('?').enumerate() {
                if place > 0 {
                    text += &if DB::NAME == "PostgreSQL" { format!("${place}") } else { "?".to_owned() };
                }
                text += piece;
            }
            AssertSqlSafe(text.replace("sessions", table)).into_sql_str()
        };
        let (sweep_column, sweep_value) =
            if DB::NAME == "MySQL" { ("", "") } else { (", sweep_at", ", 9000000000000") };
        Ok(Self {
            readers,
            writers,
            create: sql(&format!(
                "INSERT INTO sessions (session_key, created_at, expires_at, revision, format, data{sweep_column})
                VALUES (?, ?, ?, ?, 1, ?{sweep_value})"
            )),
            load: sql("SELECT expires_at, data FROM sessions WHERE session_key = ?"),
            update: sql(
                "UPDATE sessions SET data = ?, expires_at = ?, revision = ? WHERE session_key = ? AND revision = ?",
            ),
            touch: sql("UPDATE sessions SET expires_at = ? WHERE session_key = ?"),
            delete: sql("DELETE FROM sessions WHERE session_key = ?"),
            revisions: Arc::default(),
        })
    }

    fn revisions(&self) -> std::sync::MutexGuard<'_, HashMap<u64, i64>> {
        self.revisions.lock().expect("no task panics under the lock")
    }
}

/// How many connections write.
pub(crate) enum Writers {
    One,
    All,
}

impl<DB: Database> Clone for Driver<DB> {
    fn clone(&self) -> Self {
        Self {
            readers: Arc::clone(&self.readers),
            writers: Arc::clone(&self.writers),
            create: self.create.clone(),
            load: self.load.clone(),
            update: self.update.clone(),
            touch: self.touch.clone(),
            delete: self.delete.clone(),
            revisions: Arc::clone(&self.revisions),
        }
    }
}

/// Does something on one of the connections.
macro_rules! on {
    ($connections:expr, $connection:ident => $work:expr) => {{
        let permit = $connections.permits.acquire().await?;
        let mut $connection = $connections.idle().pop().expect("one for each permit");
        let outcome = $work.await;
        $connections.idle().push($connection);
        drop(permit);
        outcome
    }};
}

#[async_trait]
impl<DB: Database + Counts> Contestant for Driver<DB>
where
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
    DB::Arguments: IntoArguments<DB>,
    for<'q> &'q str: Encode<'q, DB> + Type<DB>,
    for<'q> i64: Encode<'q, DB> + sqlx::Decode<'q, DB> + Type<DB>,
    for<'r> String: sqlx::Decode<'r, DB> + Type<DB>,
    for<'i> usize: sqlx::ColumnIndex<DB::Row>,
{
    async fn create(&self, number: u64, record: &Record) -> Result<(), BoxError> {
        let (key, fresh) = (key(number), fresh());
        let done = on!(self.writers, connection => sqlx::query(self.create.clone())
            .bind(&*key)
            .bind(record.created_at.unix_millis())
            .bind(record.expires_at.unix_millis())
            .bind(fresh)
            .bind(record.data.as_str())
            .execute(&mut connection))?;
        self.revisions().insert(number, fresh);
        one::<DB>(&done)
    }

    async fn load(&self, number: u64) -> Result<(), BoxError> {
        let key = key(number);
        let row: (i64, String) = on!(self.readers, connection => sqlx::query_as(self.load.clone())
            .bind(&*key)
            .fetch_one(&mut connection))?;
        if row.0 > 0 && !row.1.is_empty() { Ok(()) } else { Err("a session is empty".into()) }
    }

    async fn update(&self, number: u64, record: &Record) -> Result<(), BoxError> {
        let (key, fresh) = (key(number), fresh());
        let expected = self.revisions().get(&number).copied().ok_or("no such session")?;
        let done = on!(self.writers, connection => sqlx::query(self.update.clone())
            .bind(record.data.as_str())
            .bind(record.expires_at.unix_millis())
            .bind(fresh)
            .bind(&*key)
            .bind(expected)
            .execute(&mut connection))?;
        self.revisions().insert(number, fresh);
        one::<DB>(&done)
    }

    async fn touch(&self, number: u64, record: &Record) -> Result<(), BoxError> {
        let key = key(number);
        let done = on!(self.writers, connection => sqlx::query(self.touch.clone())
            .bind(record.expires_at.unix_millis() + 60_000)
            .bind(&*key)
            .execute(&mut connection))?;
        one::<DB>(&done)
    }

    async fn delete(&self, number: u64) -> Result<(), BoxError> {
        let key = key(number);
        let done =
            on!(self.writers, connection => sqlx::query(self.delete.clone()).bind(&*key).execute(&mut connection))?;
        one::<DB>(&done)
    }
}

fn fresh() -> i64 {
    i64::try_from(Revision::fresh().number()).unwrap_or(i64::MAX)
}

fn one<DB: Counts>(done: &DB::QueryResult) -> Result<(), BoxError> {
    if DB::rows(done) == 1 { Ok(()) } else { Err("a session is gone".into()) }
}

/// Says how many rows a statement changed.
pub(crate) trait Counts: Database {
    fn rows(done: &Self::QueryResult) -> u64;
}

impl Counts for sqlx::Sqlite {
    fn rows(done: &Self::QueryResult) -> u64 {
        done.rows_affected()
    }
}

impl Counts for sqlx::Postgres {
    fn rows(done: &Self::QueryResult) -> u64 {
        done.rows_affected()
    }
}

impl Counts for sqlx::MySql {
    fn rows(done: &Self::QueryResult) -> u64 {
        done.rows_affected()
    }
}
