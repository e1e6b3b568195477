//! sqlx with prepared statements and a pool that does not ping: one statement for each call.

use std::path::Path;
use std::time::Duration;

use sqlx::pool::PoolOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{MySql, Pool, Postgres, Sqlite};

use super::{Session, end, exactly_one, fresh_revision, now};
use crate::Outcome;
use crate::body::Body;
use crate::contestant::Contestant;

/// How many connections every contestant has, the raw driver included: sqlx' default.
pub const CONNECTIONS: u32 = 10;

/// The driver. In SQLite one connection writes, since the database lets only one write at a time.
pub struct Sql<DB: sqlx::Database> {
    readers: Pool<DB>,
    writers: Pool<DB>,
}

fn options<DB: sqlx::Database>() -> PoolOptions<DB> {
    PoolOptions::new().max_connections(CONNECTIONS).test_before_acquire(false)
}

impl Sql<Postgres> {
    /// Connects and makes the table.
    pub async fn postgres(url: &str) -> Outcome<Self> {
        let pool = options().connect(url).await?;
        sqlx::raw_sql(
            "CREATE TABLE IF NOT EXISTS raw_sessions (session_key TEXT COLLATE \"C\" PRIMARY KEY, \
             revision BIGINT NOT NULL, expires_at BIGINT NOT NULL, data TEXT NOT NULL) WITH (fillfactor = 80)",
        )
        .execute(&pool)
        .await?;
        Ok(Self { readers: pool.clone(), writers: pool })
    }
}

impl Sql<MySql> {
    /// Connects and makes the table.
    pub async fn mysql(url: &str) -> Outcome<Self> {
        let pool = options().connect(url).await?;
        sqlx::raw_sql(
            "CREATE TABLE IF NOT EXISTS raw_sessions (session_key VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin \
             PRIMARY KEY, revision BIGINT NOT NULL, expires_at BIGINT NOT NULL, data LONGTEXT NOT NULL)",
        )
        .execute(&pool)
        .await?;
        Ok(Self { readers: pool.clone(), writers: pool })
    }
}

/// Returns how all contestants open an SQLite file.
pub fn sqlite_options(file: &Path, is_synced: bool) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(if is_synced { SqliteSynchronous::Full } else { SqliteSynchronous::Normal })
        .busy_timeout(Duration::from_secs(5))
}

impl Sql<Sqlite> {
    /// Opens the file and makes the table.
    pub async fn sqlite(file: &Path, is_synced: bool) -> Outcome<Self> {
        let connection = sqlite_options(file, is_synced);
        let writers = options().max_connections(1).connect_with(connection.clone()).await?;
        sqlx::raw_sql(
            "CREATE TABLE IF NOT EXISTS raw_sessions (session_key TEXT NOT NULL PRIMARY KEY, \
             revision INTEGER NOT NULL, expires_at INTEGER NOT NULL, data TEXT NOT NULL) STRICT",
        )
        .execute(&writers)
        .await?;
        let readers = options().max_connections(2).connect_with(connection).await?;
        Ok(Self { readers, writers })
    }
}

impl Sql<Sqlite> {
    /// Updates sessions in one transaction, one after the other.
    pub async fn update_together(&self, sessions: &mut [Session], body: &Body) -> Outcome<()> {
        let mut transaction = self.writers.begin().await?;
        for session in sessions {
            let fresh = fresh_revision();
            let update = sqlx::query(SQLITE_UPDATE).bind(fresh).bind(end(0)).bind(&*body.text);
            let update = update.bind(&session.key).bind(session.revision).bind(now());
            session.revision = fresh;
            exactly_one(update.execute(&mut *transaction).await?.rows_affected())?;
        }
        Ok(transaction.commit().await?)
    }
}

const SQLITE_UPDATE: &str = "UPDATE raw_sessions SET revision = ?, expires_at = ?, data = ?
     WHERE session_key = ? AND revision = ? AND expires_at > ?";

macro_rules! contestant {
    ($database:ty, $create:literal, $load:literal, $update:expr, $touch:literal, $delete:literal) => {
        impl Contestant for Sql<$database> {
            type Session = Session;

            async fn create(&self, body: &Body) -> Outcome<Session> {
                let session = Session::fresh()?;
                let insert =
                    sqlx::query($create).bind(&session.key).bind(session.revision).bind(end(0)).bind(&*body.text);
                exactly_one(insert.execute(&self.writers).await?.rows_affected())?;
                Ok(session)
            }

            async fn load(&self, session: &Session) -> Outcome<bool> {
                let select = sqlx::query_as($load).bind(&session.key).bind(now());
                let found: Option<(String, i64)> = select.fetch_optional(&self.readers).await?;
                Ok(found.is_some())
            }

            async fn update(&self, session: &mut Session, body: &Body) -> Outcome<()> {
                let fresh = fresh_revision();
                let update = sqlx::query($update).bind(fresh).bind(end(0)).bind(&*body.text);
                let update = update.bind(&session.key).bind(session.revision).bind(now());
                session.revision = fresh;
                exactly_one(update.execute(&self.writers).await?.rows_affected())
            }

            async fn touch(&self, session: &mut Session, _: &Body) -> Outcome<()> {
                let update = sqlx::query($touch).bind(session.touch()).bind(&session.key).bind(now());
                exactly_one(update.execute(&self.writers).await?.rows_affected())
            }

            async fn delete(&self, session: Session) -> Outcome<()> {
                let delete = sqlx::query($delete).bind(&session.key);
                exactly_one(delete.execute(&self.writers).await?.rows_affected())
            }
        }
    };
}

contestant!(
    Postgres,
    "INSERT INTO raw_sessions (session_key, revision, expires_at, data) VALUES ($1, $2, $3, $4)",
    "SELECT data, revision FROM raw_sessions WHERE session_key = $1 AND expires_at > $2",
    "UPDATE raw_sessions SET revision = $1, expires_at = $2, data = $3
     WHERE session_key = $4 AND revision = $5 AND expires_at > $6",
    "UPDATE raw_sessions SET expires_at = $1 WHERE session_key = $2 AND expires_at > $3",
    "DELETE FROM raw_sessions WHERE session_key = $1"
);
contestant!(
    MySql,
    "INSERT INTO raw_sessions (session_key, revision, expires_at, data) VALUES (?, ?, ?, ?)",
    "SELECT data, revision FROM raw_sessions WHERE session_key = ? AND expires_at > ?",
    "UPDATE raw_sessions SET revision = ?, expires_at = ?, data = ?
     WHERE session_key = ? AND revision = ? AND expires_at > ?",
    "UPDATE raw_sessions SET expires_at = ? WHERE session_key = ? AND expires_at > ?",
    "DELETE FROM raw_sessions WHERE session_key = ?"
);
contestant!(
    Sqlite,
    "INSERT INTO raw_sessions (session_key, revision, expires_at, data) VALUES (?, ?, ?, ?)",
    "SELECT data, revision FROM raw_sessions WHERE session_key = ? AND expires_at > ?",
    SQLITE_UPDATE,
    "UPDATE raw_sessions SET expires_at = ? WHERE session_key = ? AND expires_at > ?",
    "DELETE FROM raw_sessions WHERE session_key = ?"
);
