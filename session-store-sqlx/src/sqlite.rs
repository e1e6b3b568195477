//! SQLite: the driver, and the way to open a file that suits sessions.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::{Duration, Instant};

use session_core::{Error, Result};
use sqlx::error::{BoxDynError, DatabaseError};
use sqlx::sqlite::{SqliteArguments, SqliteConnectOptions, SqliteConnection, SqliteRow, SqliteSynchronous};
use sqlx::{Arguments, ConnectOptions, Connection, Executor, Row, SqlStr, Sqlite, SqlitePool};

use crate::connections::Connections;
use crate::dialect::SQLITE;
use crate::driver::{Answer, DialectRef, Driver, SqlDatabase, Trouble, collect};
use crate::error::refusal;
use crate::link::Link;
use crate::queue::Source;
use crate::statement::Value;
use crate::store::SqlStore;

/// A store in an SQLite database.
pub type SqliteStore = SqlStore<Sqlite>;

impl SqlStore<Sqlite> {
    /// Uses a pool of the application's own, as it is.
    ///
    /// Other writers in the same file make this store wait for as long as the pool's `busy_timeout` says. Have the file in
    /// WAL mode, or readers and the writer wait for each other too, and do not hand in a pool of `:memory:` databases with
    /// more than one connection: each would be a database of its own.
    pub fn new(pool: SqlitePool) -> Self {
        Self::with_link(Link::queued(Connections::pooled(pool.clone()), Source::Pool(pool)))
    }

    /// Opens, or creates, a file as [`SqliteOptions::new`] describes: a path, or an URL such as `sqlite://sessions.db`.
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
    /// Refuses with [`Error::Backend`] what is not a file: in memory each connection would have a database of its own.
    pub fn new(location: &str) -> Result<Self> {
        let is_file = !location.contains(":memory:") && !location.contains("mode=memory") && !location.is_empty();
        let connection = match location {
            _ if !is_file => return Err(Error::backend("a session store in sqlite needs a file")),
            url if url.starts_with("sqlite:") => SqliteConnectOptions::from_str(url).map_err(refusal::<Sqlite>)?,
            path => SqliteConnectOptions::new().filename(path),
        };
        let connection = connection.create_if_missing(true);
        let options = Self { connection, readers: READERS, busy_timeout: Duration::from_secs(5) };
        Ok(options.with_durability(Durability::default()))
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

    /// Sets how long a call waits for a connection, and then for other processes that write; 5 seconds unless said
    /// otherwise, and at most three weeks. After that it is refused with [`Unavailable`](Error::Unavailable).
    #[must_use]
    pub fn with_busy_timeout(mut self, timeout: Duration) -> Self {
        self.busy_timeout = timeout.min(LONGEST_BUSY);
        self
    }

    /// Opens the file and puts it into WAL mode; the table is made by [`setup`](SqlStore::setup).
    ///
    /// Refuses with [`Unavailable`](Error::Unavailable) what the system does not let it open or write.
    pub async fn open(self) -> Result<SqliteStore> {
        let patience = self.busy_timeout;
        // The writer's rows are few and small, and must not stop it until somebody has taken the first.
        let writer = self.connection.busy_timeout(patience).row_buffer_size(256);
        let writer = TUNING.into_iter().fold(writer, |options, (pragma, value)| options.pragma(pragma, value));
        create_private_file(writer.get_filename());
        switch_to_wal(&writer, patience).await?;
        let reader = writer.clone().pragma("query_only", "ON").pragma("cache_size", READER_CACHE);
        let readers = Connections::own(reader, String::new(), self.readers).with_timeout(patience);
        // Once it is open: see `queue::Source::Own`.
        let options = Box::new(writer.pragma("busy_timeout", "0"));
        Ok(SqlStore::with_link(Link::queued(readers, Source::Own { options, patience })))
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
const TUNING: [(&str, &str); 3] =
    [("cache_size", "-16384"), ("wal_autocheckpoint", "4000"), ("journal_size_limit", "67108864")];

/// Creates the database's file, readable by its owner only, before SQLite would create it for everybody.
///
/// Under another name first, which is then linked: closing a file ends all locks that this process has on it, those of
/// another connection that has opened it meanwhile too. Where that does not work SQLite creates the file, or says why not.
fn create_private_file(path: &Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        if path.exists() || path.as_os_str().as_encoded_bytes().starts_with(b"file:") {
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

const BUSY: i32 = 5;

/// The result codes, beside `BUSY`, after which the same call may succeed: `LOCKED`, `NOMEM`, `READONLY`, `INTERRUPT`, `IOERR`,
/// `FULL`, `CANTOPEN`, `PROTOCOL`. See <https://www.sqlite.org/rescode.html>.
const OUTAGES: [i32; 8] = [6, 7, 8, 9, 10, 13, 14, 15];

fn primary_code(error: &dyn DatabaseError) -> i32 {
    // Extended codes have their primary code in the lowest byte.
    error.code().and_then(|code| code.parse::<i32>().ok()).map_or(0, |code| code & 0xff)
}

impl SqlDatabase for Sqlite {}

impl Driver for Sqlite {
    fn dialect() -> DialectRef {
        DialectRef(&SQLITE)
    }

    fn bind(arguments: &mut SqliteArguments, value: Value<'_>) -> Result<(), BoxDynError> {
        match value {
            Value::Text(text) => Arguments::add(arguments, text),
            Value::Integer(number) => Arguments::add(arguments, number),
        }
    }

    async fn run(
        connection: &mut SqliteConnection,
        sql: SqlStr,
        arguments: Option<SqliteArguments>,
    ) -> sqlx::Result<Vec<Answer<SqliteRow>>> {
        let stream = match arguments {
            Some(arguments) => connection.fetch_many(sqlx::query_with(sql, arguments)),
            None => connection.fetch_many(sqlx::raw_sql(sql)),
        };
        collect(stream, |done| (done.rows_affected(), 0)).await
    }

    fn text(row: &SqliteRow, column: usize) -> sqlx::Result<Option<&str>> {
        row.try_get(column)
    }

    fn integer(row: &SqliteRow, column: usize) -> sqlx::Result<Option<i64>> {
        row.try_get(column)
    }

    fn trouble(error: &dyn DatabaseError) -> Trouble {
        match primary_code(error) {
            BUSY => Trouble::UndoneByRace,
            code if OUTAGES.contains(&code) => Trouble::Outage,
            _ => Trouble::Refused,
        }
    }
}
