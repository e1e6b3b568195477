//! MySQL, from 8.0, and MariaDB, from 10.6: what they are told.
//!
//! A statement that writes returns no rows, but a number: `LAST_INSERT_ID(number)` is sent with the answer. A call that waits for a row
//! decides by the time at which it has it: `SYSDATE` is read for each row, after the wait, and `NOW` when the statement begins.

use sqlx::error::{BoxDynError, DatabaseError};
use sqlx::mysql::{MySql, MySqlArguments, MySqlConnectOptions, MySqlConnection, MySqlDatabaseError, MySqlRow};
use sqlx::{Arguments, Executor, Row, SqlStr};

use crate::calls::Calls;
use crate::database::{Answer, Driver, SqlDatabase, Texts, Trouble, collect};
use crate::layout::Layout;
use crate::row;
use crate::sql::{Bound, Value};
use crate::table::Spelling;

const TEXTS: Texts = Texts {
    // `expires_at` last: the columns before it are set by its old value. -1 is left behind if the record is live; the number
    // depends on the row, so that it is not left behind for no row.
    create: "
INSERT INTO `sessions` (session_key, owner, created_at, deadline, revision, format, data, sweep_at, expires_at)
VALUES (?1, ?3, ?4, ?6, ?7, 1, ?8, ?5, ?5)
ON DUPLICATE KEY UPDATE
    owner      = IF(expires_at > ?2, owner, VALUES(owner)),
    created_at = IF(expires_at > ?2, created_at, VALUES(created_at)),
    deadline   = IF(expires_at > ?2, deadline, VALUES(deadline)),
    revision   = IF(expires_at > ?2, revision, VALUES(revision)),
    format     = IF(expires_at > ?2, format, 1),
    data       = IF(expires_at > ?2, data, VALUES(data)),
    sweep_at   = IF(expires_at > ?2, sweep_at, VALUES(sweep_at)),
    expires_at = IF(LAST_INSERT_ID(IF(expires_at > ?2, -1, 0)) <> 0, expires_at, VALUES(expires_at))",

    load: "
SELECT format, revision, owner, created_at, expires_at, deadline, data
FROM `sessions` WHERE session_key = ?1 AND expires_at > ?2",

    // A record that is not as expected stays as it is, and is told of all the same. `revision` last: the columns before it are set
    // by its old value.
    update: &["
UPDATE `sessions` FORCE INDEX (session_key) SET
    owner      = IF(revision = ?7 AND format = 1, ?3, owner),
    expires_at = IF(revision = ?7 AND format = 1, ?4, expires_at),
    sweep_at   = IF(revision = ?7 AND format = 1, LEAST(sweep_at, ?4), sweep_at),
    data       = IF(revision = ?7 AND format = 1, ?5, data),
    revision   = IF(LAST_INSERT_ID(IF(format <> 1, -1, IF(revision = ?7, ?6, revision))) = ?6, ?6, revision)
WHERE session_key = ?1
    AND expires_at > ?2 + GREATEST(0, TIMESTAMPDIFF(MICROSECOND, NOW(6), SYSDATE(6))) DIV 1000"],

    touch: "
UPDATE `sessions` FORCE INDEX (session_key) SET
    expires_at = IF(LAST_INSERT_ID(format) = 1, GREATEST(expires_at, ?3), expires_at)
WHERE session_key = ?1
    AND expires_at > ?2 + GREATEST(0, TIMESTAMPDIFF(MICROSECOND, NOW(6), SYSDATE(6))) DIV 1000",

    rotate: "
UPDATE `sessions` FORCE INDEX (session_key) SET
    session_key = IF(revision = ?7 AND format = 1, ?8, session_key),
    owner       = IF(revision = ?7 AND format = 1, ?3, owner),
    expires_at  = IF(revision = ?7 AND format = 1, ?4, expires_at),
    sweep_at    = IF(revision = ?7 AND format = 1, LEAST(sweep_at, ?4), sweep_at),
    data        = IF(revision = ?7 AND format = 1, ?5, data),
    revision    = IF(LAST_INSERT_ID(IF(format <> 1, -1, IF(revision = ?7, ?6, revision))) = ?6, ?6, revision)
WHERE session_key = ?1
    AND expires_at > ?2 + GREATEST(0, TIMESTAMPDIFF(MICROSECOND, NOW(6), SYSDATE(6))) DIV 1000",

    // First the live ones, which count, and then the others; MySQL cannot say which it has removed.
    delete: &[
        "
DELETE FROM `sessions` WHERE session_key = ?1 AND expires_at > ?2",
        "
DELETE FROM `sessions` WHERE session_key = ?1 AND expires_at <= ?2",
    ],

    delete_if_expired: "
DELETE FROM `sessions` WHERE session_key = ?1 AND expires_at <= ?2",

    // By the numbers of the rows, in this order: a plan that began with the table would wait for what others have locked.
    delete_expired: "
DELETE `sessions` FROM (
    SELECT id FROM `sessions` FORCE INDEX (expiry) WHERE sweep_at <= ?2 ORDER BY sweep_at LIMIT ?1
    FOR UPDATE SKIP LOCKED
) AS `#due` STRAIGHT_JOIN `sessions` FORCE INDEX (PRIMARY) ON `sessions`.id = `#due`.id
WHERE `sessions`.expires_at <= ?2",

    refile: "
UPDATE (
    SELECT id FROM `sessions` FORCE INDEX (expiry) WHERE sweep_at <= ?2 ORDER BY sweep_at LIMIT ?1
    FOR UPDATE SKIP LOCKED
) AS `#due` STRAIGHT_JOIN `sessions` FORCE INDEX (PRIMARY) ON `sessions`.id = `#due`.id
SET `sessions`.sweep_at = `sessions`.expires_at
WHERE `sessions`.expires_at > ?2",

    // A page begins after a row's number, which a rotation leaves as it is.
    list: "
SELECT session_key, owner, created_at, expires_at, deadline, id
FROM `sessions` FORCE INDEX (PRIMARY) WHERE id > ?1 AND expires_at > ?2 AND format = 1 ORDER BY id LIMIT ?3",

    list_owned: "
SELECT session_key, owner, created_at, expires_at, deadline, id
FROM `sessions` FORCE INDEX (owner) WHERE owner = ?4 AND id > ?1 AND expires_at > ?2 AND format = 1
ORDER BY id LIMIT ?3",

    // In the index, and only those in the table that a sweep has to look at: what is to be swept later is live until then, because
    // `sweep_at` is never later than `expires_at`.
    count: "
SELECT (SELECT COUNT(*) FROM `sessions` WHERE sweep_at > ?2 AND format = 1)
    + (SELECT COUNT(*) FROM `sessions` WHERE sweep_at <= ?2 AND expires_at > ?2 AND format = 1)",

    count_owned: "
SELECT COUNT(*) FROM `sessions` WHERE owner = ?1 AND expires_at > ?2 AND format = 1",

    delete_owned: &[
        "
DELETE FROM `sessions` WHERE owner = ?1 AND session_key <> ?3 AND expires_at > ?2 AND format = 1 LIMIT ?4",
        "
DELETE FROM `sessions` WHERE owner = ?1 AND session_key <> ?3 AND (expires_at <= ?2 OR format <> 1) LIMIT ?4",
    ],

    clear: &[
        "
DELETE FROM `sessions` WHERE expires_at > ?2 AND format = 1 LIMIT ?1",
        "
DELETE FROM `sessions` WHERE expires_at <= ?2 OR format <> 1 LIMIT ?1",
    ],
};

/// Rows are filed under a number: under the key, which is random, each new one would go to another page. And a rotation leaves
/// a row and its entry among the owner's where they are, so that `delete_owned` meets the row, waits for the rotation, and
/// ends it under its new key (`OWNER-04`).
///
/// No index has `expires_at`: with one, the server takes a sixth more time for an update and a third more for a touch. The
/// index that rows are swept by has the format too, for the count of all, which would else read the table, whose pages
/// hold the data.
///
/// Owners are bytes, because the collations that both databases have take trailing spaces for nothing. A key has none.
const TABLE: &str = "CREATE TABLE IF NOT EXISTS `sessions` (
    id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    session_key VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    owner VARBINARY(255),
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    sweep_at BIGINT NOT NULL,
    deadline BIGINT,
    revision BIGINT NOT NULL,
    format SMALLINT NOT NULL,
    data LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    UNIQUE KEY session_key (session_key),
    KEY expiry (sweep_at, format),
    KEY owner (owner)
) ENGINE = InnoDB COMMENT = 'sessions, layout 2'";

const LAYOUT: Layout = Layout {
    number: 2,
    catalogue: "
SELECT concat('kind ', lower(table_type), ' ', lower(coalesce(engine, ''))) AS line FROM information_schema.tables
WHERE table_name = ?1 AND table_schema = coalesce(?2, database())
UNION ALL
SELECT concat('layout ', substring_index(table_comment, 'layout ', -1)) FROM information_schema.tables
WHERE table_name = ?1 AND table_schema = coalesce(?2, database()) AND table_comment LIKE '%layout %'
UNION ALL
SELECT concat('column ', lower(column_name), ': ', lower(data_type),
    if(data_type IN ('varchar', 'varbinary'), concat('(', character_maximum_length, ')'), ''),
    if(collation_name IS NULL, '', concat(' collate ', collation_name)), if(is_nullable = 'NO', ' not null', ''))
FROM information_schema.columns WHERE table_name = ?1 AND table_schema = coalesce(?2, database())
UNION ALL
SELECT concat('index ', if(min(non_unique) = 0, 'unique ', ''), lower(index_name), ' (',
    group_concat(lower(column_name) ORDER BY seq_in_index SEPARATOR ', '), ')')
FROM information_schema.statistics WHERE table_name = ?1 AND table_schema = coalesce(?2, database())
GROUP BY index_name",
    columns: &[
        "kind base table innodb",
        "column id: bigint not null",
        "column session_key: varchar(255) collate ascii_bin not null",
        "column owner: varbinary(255)",
        "column created_at: bigint not null",
        "column expires_at: bigint not null",
        "column sweep_at: bigint not null",
        "column deadline: bigint",
        "column revision: bigint not null",
        "column format: smallint not null",
        "column data: longtext collate utf8mb4_bin not null",
    ],
    // By name, because the statements name them; here they belong to their table.
    indexes: &[
        ("index unique primary (id)", ""),
        ("index unique session_key (session_key)", "ALTER TABLE `sessions` ADD UNIQUE KEY session_key (session_key)"),
        ("index expiry (sweep_at, format)", "ALTER TABLE `sessions` ADD KEY expiry (sweep_at, format)"),
        ("index owner (owner)", "ALTER TABLE `sessions` ADD KEY owner (owner)"),
    ],
    table: &[TABLE],
    numbering: "ALTER TABLE `sessions` COMMENT = 'sessions, layout 2'",
    // Layout 1 is the same without its number.
    steps: &[""],
    begin: "DO GET_LOCK('session_store_sqlx', 5)",
    commit: "DO RELEASE_LOCK('session_store_sqlx')",
};

impl SqlDatabase for MySql {}

impl Driver for MySql {
    type Way = Calls<Self>;

    const STEP: u32 = 1000;
    const TEXTS: Texts = TEXTS;
    const LAYOUT: Layout = LAYOUT;
    const SPELLING: Spelling = Spelling {
        quote: '`',
        numbers_values: false,
        says_main: false,
        longest: 64,
        // Names have three bytes for a letter, and `?` for one that needs four.
        largest_letter: '\u{ffff}',
        reserved_prefix: "#",
    };

    fn bind(arguments: &mut MySqlArguments, value: Bound<'_>) -> Result<(), BoxDynError> {
        match value {
            Bound::Text(text) => Arguments::add(arguments, text),
            Bound::Integer(number) => Arguments::add(arguments, number),
        }
    }

    async fn run(
        connection: &mut MySqlConnection,
        sql: SqlStr,
        arguments: Option<MySqlArguments>,
        answers: &mut Vec<Answer<MySqlRow>>,
    ) -> sqlx::Result<()> {
        let stream = match arguments {
            Some(arguments) => connection.fetch_many(sqlx::query_with(sql, arguments)),
            None => connection.fetch_many(sqlx::raw_sql(sql)),
        };
        // Rows that a statement found and left as they were count too: sqlx asks the server for that (`FOUND_ROWS`).
        collect(stream, answers, |done| (done.rows_affected(), done.last_insert_id())).await
    }

    fn text(row: &MySqlRow, column: usize) -> sqlx::Result<Option<&str>> {
        row.try_get_unchecked(column)
    }

    fn integer(row: &MySqlRow, column: usize) -> sqlx::Result<Option<i64>> {
        row.try_get_unchecked(column)
    }

    fn number(answer: &Answer<MySqlRow>) -> sqlx::Result<Option<i64>> {
        Ok((answer.changed > 0).then_some(answer.left.cast_signed()))
    }

    fn live(answer: &Answer<MySqlRow>) -> sqlx::Result<i64> {
        Ok(if answer.statement == 0 { answer.changed.cast_signed() } else { 0 })
    }

    fn goes_on(answer: &Answer<MySqlRow>) -> bool {
        answer.changed >= u64::from(Self::STEP)
    }

    fn place(row: &MySqlRow) -> Option<String> {
        row::integer::<Self>(row, 5).ok().map(|id| id.to_string())
    }

    fn after(place: Option<&str>) -> Result<Value, BoxDynError> {
        Ok(Value::Integer(place.map_or(Ok(0), str::parse)?))
    }

    /// By number. See <https://mariadb.com/docs/server/reference/error-codes/mariadb-error-code-reference>.
    fn trouble(error: &dyn DatabaseError) -> Trouble {
        match error.try_downcast_ref::<MySqlDatabaseError>().map_or(0, MySqlDatabaseError::number) {
            // deadlock; a row changed since it was read (MariaDB, `innodb_snapshot_isolation`); a conflict between members of a
            // group (MySQL)
            1213 | 1020 | 3101 => Trouble::UndoneByRace,
            // the same, found at the commit
            1180 if error.message().contains("149") => Trouble::UndoneByRace,
            // shutdown; aborted; network errors; killed; offline mode; idle for too long
            1053 | 1152 | 1158..=1161 | 1927 | 3032 | 3169 | 4031 => Trouble::Broken,
            // too large a packet
            1153 => Trouble::RefusedAndBroken,
            // the server's option; the connection's; the server's mode
            1290 | 1792 | 1836 => Trouble::ReadOnly,
            // rights on the database, the table, a column, something else
            1044 | 1142 | 1143 | 1227 | 1370 => Trouble::NotAllowed,
            // disk full; too many connections; not ready (Galera); table full; too many of one user, or of its kind; too many
            // prepared statements; lock not had in time; interrupted; out of time in three ways
            1021 | 1040 | 1047 | 1114 | 1180 | 1203 | 1205 | 1226 | 1317 | 1461 | 1907 | 1969 | 3024 => Trouble::Outage,
            _ => Trouble::Refused,
        }
    }

    fn identity(_: &MySqlConnectOptions) -> std::io::Result<(u64, u64)> {
        Ok((0, 0))
    }

    fn cancel(number: i64) -> Option<String> {
        Some(format!("KILL QUERY {number}"))
    }

    async fn unfit(connection: &mut MySqlConnection) -> sqlx::Result<Option<&'static str>> {
        let settings = "SELECT CAST(@@autocommit AS SIGNED), CAST(@@sql_safe_updates AS SIGNED)";
        Ok(match sqlx::query_as::<_, (i64, i64)>(settings).fetch_one(connection).await? {
            (0, _) => Some("connections of this pool have `autocommit` off, and would lose what is written"),
            (_, 1) => Some("connections of this pool have `sql_safe_updates` on, and would refuse to sweep"),
            _ => None,
        })
    }

    /// In hexadecimal, because backslashes mean something or not; without a collation of its own.
    fn literal(value: Bound<'_>) -> String {
        match value {
            Bound::Text(Some(text)) => {
                format!("_utf8mb4 x'{}'", text.bytes().map(|byte| format!("{byte:02x}")).collect::<String>())
            }
            Bound::Integer(Some(number)) => number.to_string(),
            Bound::Text(None) | Bound::Integer(None) => "NULL".to_owned(),
        }
    }
}
