//! SQLite, from 3.37 (`STRICT` tables): what it is told.

use sqlx::error::{BoxDynError, DatabaseError};
use sqlx::sqlite::{SqliteArguments, SqliteConnectOptions, SqliteConnection, SqliteRow};
use sqlx::{Arguments, Executor, Row, SqlStr, Sqlite};

use crate::database::{Answer, Driver, SqlDatabase, Texts, Trouble, collect};
use crate::file::Files;
use crate::layout::Layout;
use crate::row;
use crate::sql::{Bound, Value};
use crate::table::Spelling;

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

pub(crate) const BUSY: i32 = 5;

/// The result codes, beside `BUSY`, after which the same call may succeed: `LOCKED`, `NOMEM`, `READONLY`, `INTERRUPT`, `IOERR`,
/// `FULL`, `CANTOPEN`, `PROTOCOL`. See <https://www.sqlite.org/rescode.html>.
const OUTAGES: [i32; 8] = [6, 7, 8, 9, 10, 13, 14, 15];

pub(crate) fn primary_code(error: &dyn DatabaseError) -> i32 {
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
