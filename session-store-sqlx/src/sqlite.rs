//! SQLite, from 3.37 (`STRICT` tables): what it is told, and the way to open a file that suits sessions.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use session_core::{Error, Result};
use sqlx::error::{BoxDynError, DatabaseError};
use sqlx::sqlite::{SqliteArguments, SqliteConnectOptions, SqliteConnection, SqliteRow, SqliteSynchronous};
use sqlx::{Arguments, ConnectOptions, Connection, Executor, Row, SqlStr, Sqlite, SqlitePool};

use crate::calls::Calls;
use crate::database::{Answer, Driver, SqlDatabase, Texts, Trouble, collect};
use crate::error::refusal;
use crate::layout::Layout;
use crate::pool::{Opening, Pool};
use crate::row;
use crate::setup;
use crate::sql::{Bound, Statement, Value};
use crate::store::SqlStore;
use crate::table::{Spelling, TableName};
use crate::way::{Way, When};
use crate::writer::{Source, Writer};

const TEXTS: Texts = Texts {
    create: r#"
INSERT INTO main."sessions" AS stored
    (session_key, owner, created_at, expires_at, sweep_at, deadline, revision, format, data)
VALUES (?1, ?3, ?4, ?5, ?5, ?6, ?7, 1, ?8)
ON CONFLICT (session_key) DO UPDATE SET
    owner = excluded.owner, created_at = excluded.created_at, expires_at = excluded.expires_at,
    sweep_at = excluded.sweep_at, deadline = excluded.deadline, revision = excluded.revision, format = 1,
    data = excluded.data
WHERE stored.expires_at <= ?2
RETURNING revision"#,

    load: r#"
SELECT format, revision, owner, created_at, expires_at, deadline, data
FROM main."sessions" WHERE session_key = ?1 AND expires_at > ?2"#,

    // SQLite writes all indexes of the columns that a statement names. So first what names none, which finds nothing if the
    // record moves in one; and then what leaves a record that is not as expected as it is, and tells of it all the same.
    update: &[
        r#"
UPDATE main."sessions" SET expires_at = ?4, data = ?5, revision = ?6
WHERE session_key = ?1 AND expires_at > ?2 AND revision = ?7 AND format = 1
    AND owner IS ?3 AND sweep_at <= ?4
RETURNING revision"#,
        r#"
UPDATE main."sessions" SET
    owner      = CASE WHEN revision = ?7 AND format = 1 THEN ?3 ELSE owner END,
    expires_at = CASE WHEN revision = ?7 AND format = 1 THEN ?4 ELSE expires_at END,
    sweep_at   = CASE WHEN revision = ?7 AND format = 1 THEN MIN(sweep_at, ?4) ELSE sweep_at END,
    data       = CASE WHEN revision = ?7 AND format = 1 THEN ?5 ELSE data END,
    revision   = CASE WHEN revision = ?7 AND format = 1 THEN ?6 ELSE revision END
WHERE session_key = ?1 AND expires_at > ?2
RETURNING CASE WHEN format = 1 THEN revision ELSE -1 END"#,
    ],

    touch: r#"
UPDATE main."sessions" SET expires_at = CASE WHEN format = 1 THEN MAX(expires_at, ?3) ELSE expires_at END
WHERE session_key = ?1 AND expires_at > ?2
RETURNING format"#,

    rotate: r#"
UPDATE main."sessions" SET
    session_key = CASE WHEN revision = ?7 AND format = 1 THEN ?8 ELSE session_key END,
    owner       = CASE WHEN revision = ?7 AND format = 1 THEN ?3 ELSE owner END,
    expires_at  = CASE WHEN revision = ?7 AND format = 1 THEN ?4 ELSE expires_at END,
    sweep_at    = CASE WHEN revision = ?7 AND format = 1 THEN MIN(sweep_at, ?4) ELSE sweep_at END,
    data        = CASE WHEN revision = ?7 AND format = 1 THEN ?5 ELSE data END,
    revision    = CASE WHEN revision = ?7 AND format = 1 THEN ?6 ELSE revision END
WHERE session_key = ?1 AND expires_at > ?2
RETURNING CASE WHEN format = 1 THEN revision ELSE -1 END"#,

    delete: &[r#"
DELETE FROM main."sessions" WHERE session_key = ?1
RETURNING expires_at > ?2"#],

    delete_if_expired: r#"
DELETE FROM main."sessions" WHERE session_key = ?1 AND expires_at <= ?2"#,

    delete_expired: r#"
DELETE FROM main."sessions" WHERE expires_at <= ?2 AND rowid IN (
    SELECT rowid FROM main."sessions" WHERE sweep_at <= ?2 ORDER BY sweep_at LIMIT ?1
)"#,

    refile: r#"
UPDATE main."sessions" SET sweep_at = expires_at WHERE expires_at > ?2 AND rowid IN (
    SELECT rowid FROM main."sessions" WHERE sweep_at <= ?2 ORDER BY sweep_at LIMIT ?1
)"#,

    list: r#"
SELECT session_key, owner, created_at, expires_at, deadline
FROM main."sessions" WHERE session_key > ?1 AND expires_at > ?2 AND format = 1 ORDER BY session_key LIMIT ?3"#,

    list_owned: r#"
SELECT session_key, owner, created_at, expires_at, deadline
FROM main."sessions" WHERE owner = ?4 AND session_key > ?1 AND expires_at > ?2 AND format = 1
ORDER BY session_key LIMIT ?3"#,

    count: r#"
SELECT count(*) FROM main."sessions" WHERE expires_at > ?2 AND format = 1"#,

    count_owned: r#"
SELECT count(*) FROM main."sessions" WHERE owner = ?1 AND expires_at > ?2 AND format = 1"#,

    delete_owned: &[r#"
DELETE FROM main."sessions" WHERE rowid IN (
    SELECT rowid FROM main."sessions" WHERE owner = ?1 AND session_key <> ?3 LIMIT ?4
)
RETURNING expires_at > ?2 AND format = 1"#],

    clear: &[r#"
DELETE FROM main."sessions" WHERE rowid IN (SELECT rowid FROM main."sessions" LIMIT ?1)
RETURNING expires_at > ?2 AND format = 1"#],
};

/// `data` is the last column, so that the pages that a long text overflows into are not walked for the columns before it.
/// The table keeps its row ids: `WITHOUT ROWID` keeps whole rows in the inner pages of the key's tree too. With row ids
/// writes are 1.7 to 1.8 times as fast with sessions of 2 KiB and 1.25 to 1.7 times with 200 bytes; loads are 1.3 times
/// as fast with 2 KiB, and a fifth slower with 200 bytes.
///
/// No index has `expires_at`, as in PostgreSQL: a page of an index that a write must move an entry in is a page
/// more in the log, at a random place. Without it touches and updates of 50,000 sessions are two to three times as fast.
///
/// The layout's number is the name of the one column of a view, which belongs to this table alone.
const TABLE: &str = r#"CREATE TABLE main."sessions" (
    session_key TEXT NOT NULL PRIMARY KEY,
    owner TEXT,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    sweep_at INTEGER NOT NULL,
    deadline INTEGER,
    revision INTEGER NOT NULL,
    format INTEGER NOT NULL,
    data TEXT NOT NULL
) STRICT"#;
const EXPIRY: &str = r#"CREATE INDEX main."sessions__expiry" ON "sessions" (sweep_at)"#;
const OWNER: &str = r#"CREATE INDEX main."sessions__owner" ON "sessions" (owner, session_key) WHERE owner IS NOT NULL"#;
const NUMBER: &str = r#"DROP VIEW IF EXISTS main."sessions__layout";
CREATE VIEW main."sessions__layout" AS SELECT 1 AS layout_2"#;

const LAYOUT: Layout = Layout {
    number: 2,
    catalogue: r#"
SELECT 'kind ' || type FROM pragma_table_list(?1) WHERE schema = coalesce(?2, 'main')
UNION ALL
SELECT 'layout ' || substr(name, 8) FROM pragma_table_info(?1 || '__layout', coalesce(?2, 'main'))
UNION ALL
SELECT 'column ' || name || ': ' || lower(type) || CASE WHEN "notnull" THEN ' not null' ELSE '' END
FROM pragma_table_info(?1, coalesce(?2, 'main'))
UNION ALL
SELECT 'index ' || CASE WHEN list."unique" THEN 'unique ' ELSE '' END || '('
    || (SELECT group_concat(name, ', ') FROM pragma_index_info(list.name, coalesce(?2, 'main')))
    || ')' || CASE WHEN list.partial THEN ' in part' ELSE '' END
FROM pragma_index_list(?1, coalesce(?2, 'main')) AS list"#,
    columns: &[
        "kind table",
        "column session_key: text not null",
        "column owner: text",
        "column created_at: integer not null",
        "column expires_at: integer not null",
        "column sweep_at: integer not null",
        "column deadline: integer",
        "column revision: integer not null",
        "column format: integer not null",
        "column data: text not null",
    ],
    indexes: &[
        ("index unique (session_key)", ""),
        ("index (sweep_at)", EXPIRY),
        ("index (owner, session_key) in part", OWNER),
    ],
    table: &[TABLE, EXPIRY, OWNER, NUMBER],
    numbering: NUMBER,
    // Layout 1 is the same without its number.
    steps: &[""],
    begin: "BEGIN IMMEDIATE",
    commit: "COMMIT",
};

pub(crate) const SPELLING: Spelling = Spelling {
    quote: '"',
    numbers_values: false,
    says_main: true,
    longest: 255,
    largest_letter: char::MAX,
    reserved_prefix: "sqlite_",
};

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
    type Way = Files;

    /// Of 2 KiB each they take the writer 10 to 20 ms.
    const STEP: u32 = 250;
    const TEXTS: Texts = TEXTS;
    const LAYOUT: Layout = LAYOUT;
    const SPELLING: Spelling = SPELLING;

    fn bind(arguments: &mut SqliteArguments, value: Bound<'_>) -> Result<(), BoxDynError> {
        match value {
            Bound::Text(text) => Arguments::add(arguments, text),
            Bound::Integer(number) => Arguments::add(arguments, number),
        }
    }

    async fn run(
        connection: &mut SqliteConnection,
        sql: SqlStr,
        arguments: Option<SqliteArguments>,
        answers: &mut Vec<Answer<SqliteRow>>,
    ) -> sqlx::Result<()> {
        let stream = match arguments {
            Some(arguments) => connection.fetch_many(sqlx::query_with(sql, arguments)),
            None => connection.fetch_many(sqlx::raw_sql(sql)),
        };
        collect(stream, answers, |done| (done.rows_affected(), 0)).await
    }

    fn text(row: &SqliteRow, column: usize) -> sqlx::Result<Option<&str>> {
        row.try_get(column)
    }

    fn integer(row: &SqliteRow, column: usize) -> sqlx::Result<Option<i64>> {
        row.try_get(column)
    }

    fn number(answer: &Answer<SqliteRow>) -> sqlx::Result<Option<i64>> {
        row::number::<Self>(answer)
    }

    fn live(answer: &Answer<SqliteRow>) -> sqlx::Result<i64> {
        row::live::<Self>(answer)
    }

    fn goes_on(answer: &Answer<SqliteRow>) -> bool {
        answer.rows.len() >= Self::STEP as usize
    }

    fn place(row: &SqliteRow) -> Option<String> {
        row::place::<Self>(row)
    }

    fn after(place: Option<&str>) -> Result<Value, BoxDynError> {
        row::after(place)
    }

    fn trouble(error: &dyn DatabaseError) -> Trouble {
        match primary_code(error) {
            BUSY => Trouble::UndoneByRace,
            code if OUTAGES.contains(&code) => Trouble::Outage,
            _ => Trouble::Refused,
        }
    }

    /// By the number of the file's device, and its own there: another file that was put in its place has another one.
    #[cfg(unix)]
    fn identity(options: &SqliteConnectOptions) -> std::io::Result<(u64, u64)> {
        use std::os::unix::fs::MetadataExt;
        let file = std::fs::metadata(options.get_filename())?;
        Ok((file.dev(), file.ino()))
    }

    #[cfg(not(unix))]
    fn identity(_: &SqliteConnectOptions) -> std::io::Result<(u64, u64)> {
        Ok((0, 0))
    }

    fn cancel(_: i64) -> Option<String> {
        None
    }

    async fn unfit(_: &mut SqliteConnection) -> sqlx::Result<Option<&'static str>> {
        Ok(None)
    }

    fn literal(value: Bound<'_>) -> String {
        match value {
            Bound::Text(Some(text)) => format!("'{}'", text.replace('\'', "''")),
            Bound::Integer(Some(number)) => number.to_string(),
            Bound::Text(None) | Bound::Integer(None) => "NULL".to_owned(),
        }
    }
}
