//! PostgreSQL, from 14: what it is told.
//!
//! A call that waits for a row decides by the time at which it has it: the row is locked first, in a subquery, and then the time
//! that the statement took until now is added to the time at which it was sent. Without the subquery a statement whose row was
//! locked and left as it was would decide by the time before its wait.

use sqlx::error::{BoxDynError, DatabaseError};
use sqlx::postgres::{PgArguments, PgConnectOptions, PgConnection, PgRow, Postgres};
use sqlx::{Arguments, Executor, Row, SqlStr};

use crate::calls::Calls;
use crate::database::{Answer, Driver, SqlDatabase, Texts, Trouble, collect};
use crate::layout::Layout;
use crate::row;
use crate::sql::{Bound, Value};
use crate::table::Spelling;

const TEXTS: Texts = Texts {
    create: r#"
INSERT INTO "sessions" AS stored
    (session_key, owner, created_at, expires_at, sweep_at, deadline, revision, format, data)
VALUES ($1, $3, $4, $5, $5, $6, $7, 1, $8)
ON CONFLICT (session_key) DO UPDATE SET
    owner = excluded.owner, created_at = excluded.created_at, expires_at = excluded.expires_at,
    sweep_at = excluded.sweep_at, deadline = excluded.deadline, revision = excluded.revision, format = 1,
    data = excluded.data
WHERE stored.expires_at <= $2
RETURNING revision"#,

    load: r#"
SELECT format, revision, owner, created_at, expires_at, deadline, data
FROM "sessions" WHERE session_key = $1 AND expires_at > $2"#,

    // A record that is not as expected stays as it is, and is told of all the same.
    update: &[r#"
UPDATE "sessions" SET
    owner      = CASE WHEN revision = $7 AND format = 1 THEN $3 ELSE owner END,
    expires_at = CASE WHEN revision = $7 AND format = 1 THEN $4 ELSE expires_at END,
    sweep_at   = CASE WHEN revision = $7 AND format = 1 THEN LEAST(sweep_at, $4) ELSE sweep_at END,
    data       = CASE WHEN revision = $7 AND format = 1 THEN $5 ELSE data END,
    revision   = CASE WHEN revision = $7 AND format = 1 THEN $6 ELSE revision END
WHERE session_key = (SELECT session_key FROM "sessions" WHERE session_key = $1 FOR NO KEY UPDATE)
    AND expires_at > $2 + (extract(epoch FROM clock_timestamp() - statement_timestamp()) * 1000)::bigint
RETURNING CASE WHEN format = 1 THEN revision ELSE -1 END"#],

    touch: r#"
UPDATE "sessions" SET expires_at = CASE WHEN format = 1 THEN GREATEST(expires_at, $3) ELSE expires_at END
WHERE session_key = (SELECT session_key FROM "sessions" WHERE session_key = $1 FOR NO KEY UPDATE)
    AND expires_at > $2 + (extract(epoch FROM clock_timestamp() - statement_timestamp()) * 1000)::bigint
RETURNING format"#,

    rotate: r#"
UPDATE "sessions" SET
    session_key = CASE WHEN revision = $7 AND format = 1 THEN $8 ELSE session_key END,
    owner       = CASE WHEN revision = $7 AND format = 1 THEN $3 ELSE owner END,
    expires_at  = CASE WHEN revision = $7 AND format = 1 THEN $4 ELSE expires_at END,
    sweep_at    = CASE WHEN revision = $7 AND format = 1 THEN LEAST(sweep_at, $4) ELSE sweep_at END,
    data        = CASE WHEN revision = $7 AND format = 1 THEN $5 ELSE data END,
    revision    = CASE WHEN revision = $7 AND format = 1 THEN $6 ELSE revision END
WHERE session_key = (SELECT session_key FROM "sessions" WHERE session_key = $1 FOR UPDATE)
    AND expires_at > $2 + (extract(epoch FROM clock_timestamp() - statement_timestamp()) * 1000)::bigint
RETURNING CASE WHEN format = 1 THEN revision ELSE -1 END"#,

    delete: &[r#"
DELETE FROM "sessions" WHERE session_key = $1
RETURNING (expires_at > $2)::int"#],

    delete_if_expired: r#"
DELETE FROM "sessions" WHERE session_key = $1 AND expires_at <= $2"#,

    // By the places of the rows, so that no plan reads others. One that was moved just now is left to the next sweep.
    delete_expired: r#"
DELETE FROM "sessions" WHERE expires_at <= $2 AND ctid = ANY (ARRAY(
    SELECT ctid FROM "sessions" WHERE sweep_at <= $2 ORDER BY sweep_at LIMIT $1 FOR UPDATE SKIP LOCKED
))"#,

    refile: r#"
UPDATE "sessions" SET sweep_at = expires_at WHERE expires_at > $2 AND ctid = ANY (ARRAY(
    SELECT ctid FROM "sessions" WHERE sweep_at <= $2 ORDER BY sweep_at LIMIT $1 FOR UPDATE SKIP LOCKED
))"#,

    list: r#"
SELECT session_key, owner, created_at, expires_at, deadline
FROM "sessions" WHERE session_key > $1 AND expires_at > $2 AND format = 1 ORDER BY session_key LIMIT $3"#,

    list_owned: r#"
SELECT session_key, owner, created_at, expires_at, deadline
FROM "sessions" WHERE owner = $4 AND session_key > $1 AND expires_at > $2 AND format = 1
ORDER BY session_key LIMIT $3"#,

    count: r#"
SELECT count(*) FROM "sessions" WHERE $1 IS NOT NULL AND expires_at > $2 AND format = 1"#,

    count_owned: r#"
SELECT count(*) FROM "sessions" WHERE owner = $1 AND expires_at > $2 AND format = 1"#,

    // In one statement, which follows a row that is rotated meanwhile to its new key (`OWNER-04`).
    delete_owned: &[r#"
WITH removed AS (
    DELETE FROM "sessions" WHERE owner = $1 AND session_key <> $3
    RETURNING expires_at > $2 AND format = 1 AS was_live
)
SELECT count(*) FROM removed WHERE was_live"#],

    clear: &[r#"
WITH removed AS (
    DELETE FROM "sessions" WHERE $1 IS NOT NULL
    RETURNING expires_at > $2 AND format = 1 AS was_live
)
SELECT count(*) FROM removed WHERE was_live"#],
};

/// No index has `expires_at`, so that a touch writes no index at all (a HOT update, for which pages keep some room). Rows
/// are swept by `sweep_at`: the expiry as it was when the record was created or shortened. A sweep that finds a
/// record there that was renewed since moves its `sweep_at`, once for all the touches in between.
const TABLE: &str = r#"CREATE TABLE "sessions" (
    session_key TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    owner TEXT COLLATE "C",
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    sweep_at BIGINT NOT NULL,
    deadline BIGINT,
    revision BIGINT NOT NULL,
    format SMALLINT NOT NULL,
    data TEXT NOT NULL
) WITH (fillfactor = 80)"#;
const EXPIRY: &str = r#"CREATE INDEX ON "sessions" (sweep_at)"#;
const OWNER: &str = r#"CREATE INDEX ON "sessions" (owner, session_key) WHERE owner IS NOT NULL"#;
const NUMBER: &str = r#"COMMENT ON TABLE "sessions" IS 'sessions, layout 2'"#;

const LAYOUT: Layout = Layout {
    number: 2,
    catalogue: r#"
WITH place AS (
    SELECT c.oid, c.relkind FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relname = $1 AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
        AND CASE WHEN $2::text IS NULL THEN pg_catalog.pg_table_is_visible(c.oid) ELSE n.nspname = $2 END
)
SELECT 'kind ' || relkind::text FROM place
UNION ALL
SELECT 'layout ' || substring(pg_catalog.obj_description(oid, 'pg_class') FROM 'layout ([0-9]{1,6})') FROM place
UNION ALL
SELECT 'column ' || a.attname || ': ' || pg_catalog.format_type(a.atttypid, a.atttypmod)
    || coalesce(' collate ' || l.collname, '') || CASE WHEN a.attnotnull THEN ' not null' ELSE '' END
FROM place JOIN pg_catalog.pg_attribute a ON a.attrelid = place.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_catalog.pg_collation l ON l.oid = a.attcollation
WHERE place.relkind IN ('r', 'p')
UNION ALL
SELECT 'index ' || CASE WHEN i.indisunique THEN 'unique ' ELSE '' END || '('
    || (SELECT string_agg(pg_catalog.pg_get_indexdef(i.indexrelid, part, true), ', ' ORDER BY part)
        FROM generate_series(1, i.indnkeyatts) AS part)
    || ')' || coalesce(' where ' || pg_catalog.pg_get_expr(i.indpred, i.indrelid), '')
FROM place JOIN pg_catalog.pg_index i ON i.indrelid = place.oid AND i.indisvalid"#,
    columns: &[
        "column session_key: text collate C not null",
        "column owner: text collate C",
        "column created_at: bigint not null",
        "column expires_at: bigint not null",
        "column sweep_at: bigint not null",
        "column deadline: bigint",
        "column revision: bigint not null",
        "column format: smallint not null",
        "column data: text collate default not null",
    ],
    indexes: &[
        ("index unique (session_key)", ""),
        ("index (sweep_at)", EXPIRY),
        ("index (owner, session_key) where (owner IS NOT NULL)", OWNER),
    ],
    table: &[TABLE, EXPIRY, OWNER, NUMBER],
    numbering: NUMBER,
    // Layout 1 is the same without its number.
    steps: &[""],
    // The number of the lock is arbitrary, and the same for all versions of this crate.
    begin: "BEGIN; SELECT pg_advisory_xact_lock(8315165816530957413)",
    commit: "COMMIT",
};

impl SqlDatabase for Postgres {}

impl Driver for Postgres {
    type Way = Calls<Self>;

    // Other calls wait for none of these statements, as long as they are not about the same rows.
    const STEP: u32 = 1000;
    const TEXTS: Texts = TEXTS;
    const LAYOUT: Layout = LAYOUT;
    const SPELLING: Spelling = Spelling {
        quote: '"',
        numbers_values: true,
        says_main: false,
        longest: 63,
        largest_letter: char::MAX,
        // Tables of the catalogue would be found before a table of this name.
        reserved_prefix: "pg_",
    };

    fn bind(arguments: &mut PgArguments, value: Bound<'_>) -> Result<(), BoxDynError> {
        match value {
            Bound::Text(text) => Arguments::add(arguments, text),
            Bound::Integer(number) => Arguments::add(arguments, number),
        }
    }

    async fn run(
        connection: &mut PgConnection,
        sql: SqlStr,
        arguments: Option<PgArguments>,
        answers: &mut Vec<Answer<PgRow>>,
    ) -> sqlx::Result<()> {
        let stream = match arguments {
            Some(arguments) => connection.fetch_many(sqlx::query_with(sql, arguments)),
            None => connection.fetch_many(sqlx::raw_sql(sql)),
        };
        collect(stream, answers, |done| (done.rows_affected(), 0)).await
    }

    fn text(row: &PgRow, column: usize) -> sqlx::Result<Option<&str>> {
        row.try_get_unchecked(column)
    }

    fn integer(row: &PgRow, column: usize) -> sqlx::Result<Option<i64>> {
        row.try_get_unchecked(column)
    }

    fn number(answer: &Answer<PgRow>) -> sqlx::Result<Option<i64>> {
        row::number::<Self>(answer)
    }

    fn live(answer: &Answer<PgRow>) -> sqlx::Result<i64> {
        row::live::<Self>(answer)
    }

    fn goes_on(_: &Answer<PgRow>) -> bool {
        false
    }

    fn place(row: &PgRow) -> Option<String> {
        row::place::<Self>(row)
    }

    fn after(place: Option<&str>) -> Result<Value, BoxDynError> {
        row::after(place)
    }

    /// By SQLSTATE. See <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
    fn trouble(error: &dyn DatabaseError) -> Trouble {
        let code = error.code().unwrap_or_default();
        match &*code {
            // serialization_failure, deadlock_detected
            "40001" | "40P01" => Trouble::UndoneByRace,
            // admin_shutdown, crash_shutdown, cannot_connect_now, idle_session_timeout
            "57P01" | "57P02" | "57P03" | "57P05" => Trouble::Broken,
            // protocol_violation: a pooler that does not know a start parameter
            "08P01" => Trouble::RefusedAndBroken,
            // read_only_sql_transaction
            "25006" => Trouble::ReadOnly,
            // insufficient_privilege
            "42501" => Trouble::NotAllowed,
            // lock_not_available
            "55P03" => Trouble::Outage,
            code => match code.get(..2) {
                // connection exception
                Some("08") => Trouble::Broken,
                // insufficient resources, operator intervention, system error
                Some("53" | "57" | "58") => Trouble::Outage,
                _ => Trouble::Refused,
            },
        }
    }

    fn identity(_: &PgConnectOptions) -> std::io::Result<(u64, u64)> {
        Ok((0, 0))
    }

    fn cancel(number: i64) -> Option<String> {
        Some(format!("SELECT pg_cancel_backend({number})"))
    }

    async fn unfit(_: &mut PgConnection) -> sqlx::Result<Option<&'static str>> {
        Ok(None)
    }

    /// An `E''` text means the same whatever `standard_conforming_strings` says, and the connection's encoding is UTF-8, in
    /// which no part of a letter is a quote or a backslash.
    fn literal(value: Bound<'_>) -> String {
        match value {
            Bound::Text(Some(text)) => format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''")),
            Bound::Integer(Some(number)) => number.to_string(),
            Bound::Text(None) | Bound::Integer(None) => "NULL".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_literal_cannot_be_left() {
        let text = |text| Postgres::literal(Bound::Text(Some(text)));
        assert_eq!(text("a'b"), "E'a''b'");
        assert_eq!(text("\\"), "E'\\\\'");
        assert_eq!(text("\\'; DROP TABLE x; --"), "E'\\\\''; DROP TABLE x; --'");
        assert_eq!(Postgres::literal(Bound::Text(None)), "NULL");
        assert_eq!(Postgres::literal(Bound::Integer(Some(-1))), "-1");
    }
}
