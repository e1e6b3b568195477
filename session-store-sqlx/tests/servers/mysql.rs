//! MariaDB, or MySQL if the variable names one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use libtest_mimic::Trial;
use session_core::{BoxError, Clock, ManualClock, Scope, SessionIndex, SessionStore, SystemClock};
use session_store_sqlx::MySqlStore;
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use sqlx::{AssertSqlSafe, MySql, MySqlPool};

use crate::faults::{self, Words};
use crate::trial;
use crate::work::{
    HOUR, decide_by_one_time, find_the_new_primary, fresh_table, get_in_each_others_way, key, live_a_few, live_a_life,
    record,
};

const SERVER: &str = "SESSION_TEST_MARIADB_URL";

const WORDS: Words = Words {
    without_number: "ALTER TABLE TABLE_NAME COMMENT = ''",
    of_the_future: "ALTER TABLE TABLE_NAME COMMENT = 'sessions, layout 99'",
    without_index: "ALTER TABLE TABLE_NAME DROP INDEX expiry",
    running: "SELECT COUNT(*) FROM information_schema.processlist WHERE id <> CONNECTION_ID() AND command <> 'Sleep'
        AND info LIKE '%TABLE_NAME%'",
};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("mariadb: what was renewed is swept later", SERVER, renewed_is_swept_later),
        trial("mariadb: no plan reads the whole table", SERVER, plans),
        trial("mariadb: sessions with odd settings", SERVER, odd_settings),
        trial("mariadb: every isolation level", SERVER, isolation_levels),
        trial("mariadb: another database, with a collation that ignores case", SERVER, another_database),
        trial("mariadb: a call decides by one time", SERVER, one_time),
        trial("mariadb: a new primary after a standby", SERVER, new_primary),
        trial("mariadb: ten processes set up at once", SERVER, crate::ten_processes_set_up_at_once),
        trial("mariadb: each state of a table", SERVER, |url| faults::layouts::<MySql>(url, WORDS)),
        trial("mariadb: a locked row stops no sweep", SERVER, faults::a_locked_row_stops_no_sweep::<MySql>),
        trial("mariadb: nothing runs on that nobody waits for", SERVER, |url| {
            faults::nothing_runs_on::<MySql>(url, WORDS)
        }),
        trial("mariadb: autocommit is off", SERVER, autocommit_is_off),
        trial("mariadb: who refuses is left alone", SERVER, |_| {
            faults::who_refuses_is_left_alone::<MySql>("mysql".to_owned())
        }),
    ]
}

/// A pool of an application's own, whose connections are told something first.
async fn pool(url: &str, greeting: &'static str) -> Result<MySqlPool, BoxError> {
    let options: MySqlConnectOptions = url.parse()?;
    let pool = MySqlPoolOptions::new().max_connections(8).after_connect(move |connection, _| {
        Box::pin(async move { sqlx::raw_sql(greeting).execute(connection).await.map(drop) })
    });
    Ok(pool.connect_with(options).await?)
}

async fn renewed_is_swept_later(url: String) -> Result<(), BoxError> {
    let clock = Arc::new(ManualClock::new(SystemClock.now()));
    let table = fresh_table();
    let store = MySqlStore::open(&url).await?.with_table(&table)?.with_clock(Arc::clone(&clock));
    store.setup().await?;
    let mut short = record("{}");
    short.expires_at = clock.now().saturating_add(HOUR / 2);
    store.create(&key("touched"), &record("{}")).await?;
    let updated = store.create(&key("updated"), &record("{}")).await?;
    let shortened = store.create(&key("shortened"), &record("{}")).await?;
    store.create(&key("over"), &record("{}")).await?;
    store.touch(&key("touched"), clock.now().saturating_add(HOUR * 3)).await?;
    let mut renewed = record("{}");
    renewed.expires_at = clock.now().saturating_add(HOUR * 3);
    store.update(&key("updated"), updated, &renewed).await?;
    store.update(&key("shortened"), shortened, &short).await?;
    // What is filed where, with what each call should have left behind.
    let pool = pool(&url, "DO 1").await?;
    let filed = format!("SELECT session_key FROM {table} WHERE sweep_at <> expires_at ORDER BY session_key");
    let filed = || sqlx::query_scalar::<_, String>(AssertSqlSafe(filed.clone())).fetch_all(&pool);
    assert_eq!(filed().await?, ["key-touched", "key-updated"], "a renewal moves no entry of an index");
    clock.advance(HOUR * 3 / 4);
    assert_eq!(store.count(Scope::All).await?, 3);
    assert_eq!(store.delete_expired(10).await?, 1, "the one that was shortened");
    clock.advance(HOUR * 5 / 4);
    // Before a sweep has filed them anew, and after.
    assert_eq!(store.count(Scope::All).await?, 2);
    assert_eq!(store.delete_expired(1).await?, 1, "the one that is over, and not the renewed ones before it");
    assert_eq!(store.count(Scope::All).await?, 2);
    assert_eq!(filed().await?, [""; 0], "a sweep meets what was renewed again and again");
    sqlx::query(AssertSqlSafe(format!("UPDATE {table} SET format = 2 WHERE session_key = 'key-touched'")))
        .execute(&pool)
        .await?;
    assert_eq!(store.count(Scope::All).await?, 1);
    clock.advance(HOUR * 2);
    assert_eq!(store.count(Scope::All).await?, 0);
    assert_eq!(store.delete_expired(10).await?, 2);
    Ok(())
}

/// By how many rows the server reads in the order in which they are stored.
async fn plans(url: String) -> Result<(), BoxError> {
    let table = fresh_table();
    let options: MySqlConnectOptions = url.parse()?;
    let pool = MySqlPoolOptions::new().max_connections(1).connect_with(options).await?;
    let store = MySqlStore::new(pool.clone()).with_table(&table)?;
    store.setup().await?;
    let fill = format!(
        "INSERT INTO {table} (session_key, owner, created_at, expires_at, sweep_at, revision, format, data)
        WITH RECURSIVE n AS (SELECT 0 AS n UNION ALL SELECT n + 1 FROM n WHERE n < 99)
        SELECT concat('key-', a.n, '-', b.n), concat('owner-', a.n), 0, 4102444800000, 4102444800000, 1, 1, '{{}}'
        FROM n AS a JOIN n AS b; ANALYZE TABLE {table}"
    );
    sqlx::raw_sql(AssertSqlSafe(fill)).execute(&pool).await?;
    let rows = || async {
        let status = sqlx::query("SHOW SESSION STATUS LIKE 'Handler_read_rnd_next'").fetch_one(&pool).await?;
        Ok::<u64, BoxError>(sqlx::Row::try_get::<String, _>(&status, 1)?.parse()?)
    };
    let before = rows().await?;
    live_a_few(&store).await?;
    store.count(Scope::All).await?;
    let read = rows().await? - before;
    assert!(read < 10_000, "the whole table was read: {read} rows");
    Ok(())
}

async fn odd_settings(url: String) -> Result<(), BoxError> {
    for greeting in [
        "SET sql_mode = ''",
        "SET sql_mode = 'ANSI,TRADITIONAL,NO_BACKSLASH_ESCAPES,NO_UNSIGNED_SUBTRACTION'",
        "SET sql_mode = 'ORACLE,PAD_CHAR_TO_FULL_LENGTH'",
        "SET time_zone = '+12:45', NAMES utf8mb4 COLLATE utf8mb4_general_ci",
        "SET NAMES utf8mb4 COLLATE utf8mb4_bin, innodb_strict_mode = 0",
    ] {
        let store = MySqlStore::new(pool(&url, greeting).await?).with_table(&fresh_table())?;
        store.setup().await?;
        live_a_life(&store).await?;
    }
    Ok(())
}

async fn isolation_levels(url: String) -> Result<(), BoxError> {
    for greeting in [
        "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
        "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
        "SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE",
    ] {
        let store = MySqlStore::new(pool(&url, greeting).await?).with_table(&fresh_table())?;
        store.setup().await?;
        get_in_each_others_way(store).await?;
    }
    Ok(())
}

async fn another_database(url: String) -> Result<(), BoxError> {
    let database = fresh_table();
    let pool = pool(&url, "DO 1").await?;
    let create = format!("CREATE DATABASE {database} CHARACTER SET latin1 COLLATE latin1_general_ci");
    sqlx::raw_sql(AssertSqlSafe(create)).execute(&pool).await?;
    let store = MySqlStore::open(&url).await?.with_schema(&database)?;
    for table in ["a `b` :key", "due", "renewed"] {
        let store = store.clone().with_table(table)?;
        store.setup().await?;
        store.setup().await?;
        live_a_life(&store).await?;
    }
    sqlx::raw_sql(AssertSqlSafe(format!("DROP DATABASE {database}"))).execute(&pool).await?;
    Ok(())
}

async fn one_time(url: String) -> Result<(), BoxError> {
    let store = MySqlStore::open(&url).await?.with_table(&fresh_table())?;
    store.setup().await?;
    decide_by_one_time(store).await
}

async fn new_primary(url: String) -> Result<(), BoxError> {
    let table = fresh_table();
    MySqlStore::open(&url).await?.with_table(&table)?.setup().await?;
    let is_standby = Arc::new(AtomicBool::new(true));
    let pool = MySqlPoolOptions::new().max_connections(1).after_connect({
        let is_standby = Arc::clone(&is_standby);
        move |connection, _| {
            let is_standby = is_standby.load(Ordering::SeqCst);
            let mode = if is_standby { "SET SESSION TRANSACTION READ ONLY" } else { "DO 1" };
            Box::pin(async move { sqlx::raw_sql(mode).execute(connection).await.map(drop) })
        }
    });
    let store = MySqlStore::new(pool.connect(&url).await?).with_table(&table)?;
    find_the_new_primary(store, &is_standby).await
}

/// A pool whose connections do not commit would lose what was acknowledged.
async fn autocommit_is_off(url: String) -> Result<(), BoxError> {
    for unfit in ["SET autocommit = 0", "SET sql_safe_updates = 1"] {
        let store = MySqlStore::new(pool(&url, unfit).await?).with_table(&fresh_table())?;
        for refused in [store.setup().await, store.verify().await] {
            assert!(matches!(refused, Err(session_core::Error::Backend(_))), "{unfit}: {refused:?}");
        }
    }
    Ok(())
}
