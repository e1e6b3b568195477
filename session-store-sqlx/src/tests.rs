//! What is SQLite's own: plans, locks, files, and rows that other programs wrote.

use std::path::{Path, PathBuf};
use std::time::Duration;

use session_core::{Clock, Data, OwnerId, Record, SessionKey, SystemClock};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions, SqliteRow};
use sqlx::{AssertSqlSafe, SqlitePool};

use crate::SqliteStore;

mod faults;
mod files;
mod plans;
mod waits;
mod writers;

const HOUR: Duration = Duration::from_secs(3600);

fn key(name: impl std::fmt::Display) -> SessionKey {
    SessionKey::parse(&format!("key-{name}")).expect("the test's names make keys")
}

fn owner(name: &str) -> OwnerId {
    OwnerId::parse(name).expect("the test's names make owners")
}

fn record(text: &str) -> Record {
    let now = SystemClock.now();
    Record::new(Data::parse(text).expect("the test's text is an object"), now, now.saturating_add(HOUR))
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("sessions.db")
    }

    async fn store(&self) -> SqliteStore {
        let store = open(&self.file()).await;
        store.setup().await.expect("the file is ours");
        store
    }

    /// The pool of an application that knows nothing of this crate.
    async fn pool(&self, connections: u32) -> SqlitePool {
        let options = SqliteConnectOptions::new().filename(self.file()).create_if_missing(true);
        SqlitePoolOptions::new().max_connections(connections).connect_with(options).await.expect("a file can be opened")
    }
}

async fn open(file: &Path) -> SqliteStore {
    SqliteStore::open(file.to_str().expect("a plain path")).await.expect("a file can be opened")
}

/// Asks a connection that reads, opened as the store opens it.
async fn ask<T>(store: &SqliteStore, sql: &str, read: impl Fn(&SqliteRow) -> T) -> Vec<T> {
    let mut lease = store.way.readers.lease().await.expect("a good file");
    let rows = sqlx::query(AssertSqlSafe(sql)).fetch_all(lease.connection()).await.expect("the statement is sound");
    lease.end(&Ok(()));
    rows.iter().map(read).collect()
}
