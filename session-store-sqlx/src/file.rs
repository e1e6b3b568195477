//! A file of SQLite: opened so that it suits sessions, read over some connections and written over one.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use session_core::{Error, Result};
use sqlx::sqlite::{SqliteConnectOptions, SqliteRow, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, Sqlite, SqlitePool};

use crate::calls::Calls;
use crate::connections::Opening;
use crate::database::Answer;
use crate::error::refusal;
use crate::pool::Pool;
use crate::setup;
use crate::sql::{Statement, Value};
use crate::sqlite::{BUSY, primary_code};
use crate::store::SqlStore;
use crate::table::TableName;
use crate::way::{Way, When};
use crate::writer::{Source, Writer};

/// The way to a file: reads have connections of their own, and never wait for a write.
#[derive(Debug, Clone)]
pub struct Files {
    pub(crate) readers: Calls<Sqlite>,
    writer: Arc<Writer>,
}

impl Files {
    fn new(readers: Calls<Sqlite>, writer: Source) -> Self {
        let writer = Arc::new(Writer::new(writer, readers.timeout));
        Self { readers, writer }
    }
}

impl Way<Sqlite> for Files {
    async fn read(&self, statement: &Statement, values: &[Value], when: &When) -> Result<Answer<SqliteRow>> {
        self.readers.read(statement, values, when).await
    }

    async fn write(&self, statements: &Arc<[Statement]>, values: Vec<Value>, when: When) -> Result<Answer<SqliteRow>> {
        self.writer.submit(statements, values, when).await
    }

    async fn set_up(&self, table: &TableName, makes: bool) -> Result<()> {
        self.readers
            .within_time(async {
                let mut lease = self.readers.lease().await?;
                lease.may_write(true).await.map_err(refusal::<Sqlite>)?;
                setup::set_up::<Sqlite>(lease.connection(), table, makes).await?;
                lease.may_write(false).await.map_err(refusal::<Sqlite>)?;
                lease.end(&Ok(()));
                Ok(())
            })
            .await
    }

    async fn close(&self) {
        self.writer.close().await;
        self.readers.close().await;
    }
}

/// A store in an SQLite database.
pub type SqliteStore = SqlStore<Sqlite>;

impl SqlStore<Sqlite> {
    /// Uses a pool of the application's own, as it is.
    ///
    /// Other writers in the same file make this store wait for as long as the pool's `busy_timeout` says. Have the file in
    /// WAL mode, or readers and the writer wait for each other too, and do not hand in a pool of `:memory:` databases with
    /// more than one connection: each would be a database of its own.
    pub fn new(pool: SqlitePool) -> Self {
        Self::with_way(Files::new(Calls::new(Pool::Theirs(pool.clone())), Source::Pool(pool)))
    }

    /// Opens, or creates, a file as [`SqliteOptions::new`] describes: a path, or an URL such as `sqlite://sessions.db`.
    ///
    /// # Errors
    ///
    /// What [`SqliteOptions::new`] and [`SqliteOptions::open`] refuse.
    pub async fn open(location: &str) -> Result<Self> {
        SqliteOptions::new(location)?.open().await
    }
}

/// What a session that a call has acknowledged survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Durability {
    /// The end of the process, however it ends: `synchronous = NORMAL`. A loss of power may undo the last moments (a
    /// logout among them), but never damages the file. The default.
    #[default]
    ProcessCrash,
    /// A loss of power too: `synchronous = FULL`. Every commit waits for the disk; writes that come together share one.
    PowerLoss,
}

/// How a file is opened: in WAL mode, with one connection that writes and some that read.
///
/// A file that is not there is created, on Unix for its owner's eyes only (mode `0600`). Its folder must exist and be
/// writable, because SQLite keeps `-wal` and `-shm` files beside it.
#[derive(Debug, Clone)]
pub struct SqliteOptions {
    connection: SqliteConnectOptions,
    readers: u32,
    busy_timeout: Duration,
}

impl SqliteOptions {
    /// Takes a path, or an URL such as `sqlite://sessions.db`, whose options sqlx describes.
    ///
    /// # Errors
    ///
    /// [`Error::Backend`] for what is not a file: in memory each connection would have a database of its own.
    pub fn new(location: &str) -> Result<Self> {
        let is_file = !location.contains(":memory:") && !location.contains("mode=memory") && !location.is_empty();
        let connection = match location {
            _ if !is_file => return Err(Error::backend("a session store in sqlite needs a file")),
            // An URL would lose them.
            _ if location.contains(char::is_control) => {
                return Err(Error::backend("the location of a file has no control characters"));
            }
            url if url.starts_with("sqlite:") => SqliteConnectOptions::from_str(url).map_err(refusal::<Sqlite>)?,
            path => SqliteConnectOptions::new().filename(path),
        };
        // The same file also if the process goes to another folder; and no other one than whose rights are looked at.
        let name = connection.get_filename().to_string_lossy();
        let name = name.strip_prefix("file:").map(|name| name.strip_prefix("//").unwrap_or(name)).unwrap_or(&name);
        let path = std::path::absolute(name).map_err(Error::backend)?;
        let connection = connection.filename(path).create_if_missing(true);
        let options = Self { connection, readers: READERS, busy_timeout: Duration::from_secs(5) };
        Ok(options.with_durability(Durability::default()))
    }

    /// Returns the file that is opened, by its whole path.
    pub fn path(&self) -> &Path {
        self.connection.get_filename()
    }

    /// Sets what an acknowledged write survives.
    #[must_use]
    pub fn with_durability(mut self, durability: Durability) -> Self {
        let synchronous = match durability {
            Durability::ProcessCrash => SqliteSynchronous::Normal,
            Durability::PowerLoss => SqliteSynchronous::Full,
        };
        self.connection = self.connection.synchronous(synchronous);
        self
    }

    /// Sets how many connections read; 0 is taken for 1. 8 unless said otherwise, however many cores there are.
    #[must_use]
    pub fn with_readers(mut self, readers: u32) -> Self {
        self.readers = readers.clamp(1, 1000);
        self
    }

    /// Sets in which time a call ends, waiting for other calls and for other processes that write included; 5 seconds unless
    /// said otherwise, and at most three weeks. After that it is refused with [`Unavailable`](Error::Unavailable).
    #[must_use]
    pub fn with_busy_timeout(mut self, timeout: Duration) -> Self {
        self.busy_timeout = timeout.min(LONGEST_BUSY);
        self
    }

    /// Opens the file and puts it into WAL mode; the table is made by [`setup`](SqlStore::setup).
    ///
    /// # Errors
    ///
    /// [`Unavailable`](Error::Unavailable) for what the system does not let it open or write.
    pub async fn open(self) -> Result<SqliteStore> {
        let patience = self.busy_timeout;
        // The writer's rows are few and small, and must not stop it until somebody has taken the first.
        let writer = self.connection.busy_timeout(patience).row_buffer_size(256);
        let writer = TUNING.into_iter().fold(writer, |options, (pragma, value)| options.pragma(pragma, value));
        create_private_file(writer.get_filename());
        switch_to_wal(&writer, patience).await?;
        // Only now is the file there, and it is not made again.
        let writer = writer.create_if_missing(false);
        let reader = writer.clone().pragma("query_only", "ON").pragma("cache_size", READER_CACHE);
        let pool = Pool::ours(Opening { options: reader, greeting: String::new(), most: self.readers });
        let readers = Calls { timeout: patience, ..Calls::new(pool) };
        // Once it is open: see `Source::Own`.
        Ok(SqlStore::with_way(Files::new(readers, Source::Own(Box::new(writer.pragma("busy_timeout", "0"))))))
    }
}

/// How many connections read. Each is a thread of sqlx's, which a statement is sent to and its answer comes back from: with as
/// many as there are cores, threads wait for each other while a core is idle. On two cores eight make 1.5 to 1.9 times as many
/// loads as two, with less processor time for each; more than eight make no difference. They are opened when they are
/// needed, so that an application with few calls at once has few.
const READERS: u32 = 8;

/// SQLite counts the milliseconds in 32 bits.
const LONGEST_BUSY: Duration = Duration::from_secs(21 * 24 * 60 * 60);

/// A fourth of the writer's: SQLite empties a reader's cache whenever something was written, and what it keeps until then, the
/// upper pages of the trees, is small. With 16 MiB loads are no faster with few sessions, and slower with many readers.
const READER_CACHE: &str = "-4096";

/// Settings of each connection. Sessions are written at random places, so a page is often written again soon: the
/// log is brought into the database after 4000 pages and not after 1000, and cut down again when it grew beyond 64 MiB.
/// What is removed is overwritten.
const TUNING: [(&str, &str); 4] = [
    ("cache_size", "-16384"),
    ("wal_autocheckpoint", "4000"),
    ("journal_size_limit", "67108864"),
    ("secure_delete", "ON"),
];

/// Creates the database's file, readable by its owner only, before SQLite would create it for everybody.
///
/// Under another name first, which is then linked: closing a file ends all locks that this process has on it, those of
/// another connection that has opened it meanwhile too. Where that does not work SQLite creates the file, or says why not.
fn create_private_file(path: &Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        if path.exists() {
            return;
        }
        let mut draft = path.as_os_str().to_owned();
        draft.push(format!(".{:016x}", session_core::Revision::fresh().number()));
        let draft = PathBuf::from(draft);
        if std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft).is_ok() {
            // Another process that was faster has created the same empty file.
            drop(std::fs::hard_link(&draft, path));
            drop(std::fs::remove_file(&draft));
        }
    }
}

/// Puts the file into WAL mode, which it then stays in.
///
/// SQLite's own time-out does not cover this: of several that switch at once, all but one are told at once that the database is
/// busy. They try again until the time-out, and find the mode switched.
async fn switch_to_wal(options: &SqliteConnectOptions, timeout: Duration) -> Result<()> {
    const PAUSE: Duration = Duration::from_millis(5);
    let start = Instant::now();
    loop {
        match journal_mode(options).await {
            Ok(mode) if mode == "wal" => return Ok(()),
            Ok(_) => return Err(Error::backend("the database cannot keep a write-ahead log")),
            Err(sqlx::Error::Database(error)) if primary_code(&*error) == BUSY && start.elapsed() < timeout => {
                tokio::time::sleep(PAUSE).await;
            }
            Err(error) => return Err(refusal::<Sqlite>(error)),
        }
    }
}

async fn journal_mode(options: &SqliteConnectOptions) -> sqlx::Result<String> {
    let mut connection = options.connect().await?;
    let mode = sqlx::query_scalar("PRAGMA journal_mode = WAL").fetch_one(&mut connection).await;
    connection.close().await?;
    mode
}
