//! PostgreSQL.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use libtest_mimic::Trial;
use session_core::{BoxError, Clock, ManualClock, SessionStore, SystemClock};
use session_store_sqlx::{PostgresOptions, PostgresStore};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, PgPool, Postgres};

use crate::faults::{self, Words};
use crate::trial;
use crate::work::{
    HOUR, decide_by_one_time, find_the_new_primary, fresh_table, get_in_each_others_way, key, live_a_few, live_a_life,
    record,
};

const SERVER: &str = "SESSION_TEST_POSTGRES_URL";
const POOLER: &str = "SESSION_TEST_PGBOUNCER_URL";

const WORDS: Words = Words {
    without_number: "COMMENT ON TABLE TABLE_NAME IS NULL",
    of_the_future: "COMMENT ON TABLE TABLE_NAME IS 'sessions, layout 99'",
    without_index: "DROP INDEX TABLE_NAME_sweep_at_idx",
    running: "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND pid <> pg_backend_pid()
        AND query LIKE '%TABLE_NAME%'",
};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("postgres: a touch and an update write no index", SERVER, touches_write_no_index),
        trial("postgres: what was renewed is swept later", SERVER, renewed_is_swept_later),
        trial("postgres: a session with odd settings", SERVER, odd_settings),
        trial("postgres: serializable transactions by default", SERVER, serializable),
        trial("postgres: another schema", SERVER, another_schema),
        trial("postgres: tables called as parts of statements", SERVER, misleading_names),
        trial("postgres: no plan reads the whole table", SERVER, plans),
        trial("postgres: a call decides by one time", SERVER, one_time),
        trial("postgres: a new primary after a standby", SERVER, new_primary),
        trial("postgres: ten processes set up at once", SERVER, crate::ten_processes_set_up_at_once),
        trial("postgres: a pool behind a pooler", POOLER, pool_behind_a_pooler),
        trial("postgres: each state of a table", SERVER, |url| faults::layouts::<Postgres>(url, WORDS)),
        trial("postgres: a locked row stops no sweep", SERVER, faults::a_locked_row_stops_no_sweep::<Postgres>),
        trial("postgres: nothing runs on that nobody waits for", SERVER, |url| {
            faults::nothing_runs_on::<Postgres>(url, WORDS)
        }),
        trial("postgres: who refuses is left alone", SERVER, |_| {
            faults::who_refuses_is_left_alone::<Postgres>("postgres".to_owned())
        }),
        trial("postgres: mistakes", SERVER, faults::mistakes),
        trial("postgres: opened through a pooler", POOLER, faults::opens_through_a_pooler),
    ]
}

async fn pool(url: &str, settings: &[(&str, &str)]) -> Result<PgPool, BoxError> {
    let options: PgConnectOptions = url.parse()?;
    let options = options.extra_float_digits(None);
    let options = if settings.is_empty() { options } else { options.options(settings.iter().copied()) };
    Ok(PgPoolOptions::new().max_connections(8).connect_with(options).await?)
}

async fn new_store(url: &str) -> Result<(PostgresStore, String), BoxError> {
    let table = fresh_table();
    let store = PostgresStore::open(url).await?.with_table(&table)?;
    store.setup().await?;
    Ok((store, table))
}

async fn touches_write_no_index(url: String) -> Result<(), BoxError> {
    let (store, table) = new_store(&url).await?;
    let mut record = record(&format!(r#"{{"cart":"{}"}}"#, "x".repeat(200)));
    for number in 0..300 {
        let mut revision = store.create(&key(number), &record).await?;
        for _ in 0..5 {
            record.expires_at = record.expires_at.saturating_add(HOUR);
            store.touch(&key(number), record.expires_at).await?;
            revision = store.update(&key(number), revision, &record).await?;
        }
    }
    store.close().await;
    let pool = pool(&url, &[]).await?;
    let count = format!("SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = '{table}'");
    // The server counts when the connection that wrote has ended, or soon after.
    for _ in 0..100 {
        let (all, hot): (i64, i64) = sqlx::query_as(AssertSqlSafe(count.clone())).fetch_one(&pool).await?;
        if all == 3000 {
            assert!(hot >= 2900, "of {all} updates only {hot} wrote no index");
            return Ok(());
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    Err("the server does not count".into())
}

async fn renewed_is_swept_later(url: String) -> Result<(), BoxError> {
    let clock = Arc::new(ManualClock::new(SystemClock.now()));
    let (store, table) = new_store(&url).await?;
    let store = store.with_clock(Arc::clone(&clock));
    store.create(&key("renewed"), &record("{}")).await?;
    store.create(&key("over"), &record("{}")).await?;
    store.touch(&key("renewed"), clock.now().saturating_add(HOUR * 3)).await?;
    clock.advance(HOUR * 2);
    assert_eq!(store.delete_expired(10).await?, 1);
    assert!(store.load(&key("renewed")).await?.is_some());
    let pool = pool(&url, &[]).await?;
    let due = format!("SELECT count(*) FROM {table} WHERE sweep_at <> expires_at");
    let due: i64 = sqlx::query_scalar(AssertSqlSafe(due)).fetch_one(&pool).await?;
    assert_eq!(due, 0, "a sweep meets what was renewed again and again");
    clock.advance(HOUR * 2);
    assert_eq!(store.delete_expired(10).await?, 1);
    Ok(())
}

async fn odd_settings(url: String) -> Result<(), BoxError> {
    let settings = [
        ("timezone", "Pacific/Chatham"),
        ("datestyle", "German"),
        ("standard_conforming_strings", "off"),
        ("backslash_quote", "off"),
        ("escape_string_warning", "off"),
        ("lc_messages", "C"),
    ];
    for store in [
        PostgresStore::new(pool(&url, &settings).await?),
        PostgresStore::new(pool(&url, &settings).await?).with_transaction_pooler(),
    ] {
        let store = store.with_table(&fresh_table())?;
        store.setup().await?;
        live_a_life(&store).await?;
    }
    Ok(())
}

async fn serializable(url: String) -> Result<(), BoxError> {
    for isolation in ["repeatable read", "serializable"] {
        let pool = pool(&url, &[("default_transaction_isolation", isolation)]).await?;
        let store = PostgresStore::new(pool).with_table(&fresh_table())?;
        store.setup().await?;
        get_in_each_others_way(store).await?;
    }
    Ok(())
}

/// Tables that are called as parts of statements are, or once were.
async fn misleading_names(url: String) -> Result<(), BoxError> {
    let schema = fresh_table();
    let store = PostgresStore::new(pool(&url, &[("search_path", &schema)]).await?);
    sqlx::raw_sql(AssertSqlSafe(format!("CREATE SCHEMA {schema}"))).execute(&pool(&url, &[]).await?).await?;
    for table in ["due", "renewed", "moved", "stored", "excluded"] {
        let store = store.clone().with_table(table)?;
        store.setup().await?;
        live_a_life(&store).await?;
    }
    sqlx::raw_sql(AssertSqlSafe(format!("DROP SCHEMA {schema} CASCADE"))).execute(&pool(&url, &[]).await?).await?;
    Ok(())
}

async fn another_schema(url: String) -> Result<(), BoxError> {
    let schema = format!("{} \"of\" {{table}}", fresh_table());
    let pool = pool(&url, &[]).await?;
    let quoted = schema.replace('"', "\"\"");
    sqlx::raw_sql(AssertSqlSafe(format!("CREATE SCHEMA \"{quoted}\""))).execute(&pool).await?;
    let store = PostgresStore::open(&url).await?.with_schema(&schema)?;
    let store = store.with_table("a \"b\" :key")?;
    store.setup().await?;
    store.setup().await?;
    live_a_life(&store).await?;
    sqlx::raw_sql(AssertSqlSafe(format!("DROP SCHEMA \"{quoted}\" CASCADE"))).execute(&pool).await?;
    Ok(())
}

async fn one_time(url: String) -> Result<(), BoxError> {
    decide_by_one_time(new_store(&url).await?.0).await
}

async fn new_primary(url: String) -> Result<(), BoxError> {
    let (_, table) = new_store(&url).await?;
    let is_standby = Arc::new(AtomicBool::new(true));
    let pool = PgPoolOptions::new().max_connections(1).after_connect({
        let is_standby = Arc::clone(&is_standby);
        move |connection, _| {
            let is_standby = is_standby.load(Ordering::SeqCst);
            let mode = if is_standby { "SET default_transaction_read_only = on" } else { "" };
            Box::pin(async move { sqlx::raw_sql(mode).execute(connection).await.map(drop) })
        }
    });
    let store = PostgresStore::new(pool.connect(&url).await?).with_table(&table)?;
    find_the_new_primary(store, &is_standby).await
}

/// With plans that do not know the values, as the server makes them after a few executions.
async fn plans(url: String) -> Result<(), BoxError> {
    let (store, table) = new_store(&url).await?;
    store.close().await;
    let fill = format!(
        "INSERT INTO {table} SELECT 'key-' || n, 'owner-' || n % 1000, 0, 4102444800000, 4102444800000, NULL, n, 1, '{{}}'
        FROM generate_series(1, 20000) AS n; ANALYZE {table}"
    );
    let fills = pool(&url, &[]).await?;
    sqlx::raw_sql(AssertSqlSafe(fill)).execute(&fills).await?;
    fills.close().await;
    let before = scans(&url, &table).await?;
    let works = pool(&url, &[("plan_cache_mode", "force_generic_plan")]).await?;
    live_a_few(&PostgresStore::new(works.clone()).with_table(&table)?).await?;
    works.close().await;
    assert_eq!(scans(&url, &table).await? - before, 0, "the whole table was read");
    Ok(())
}

/// How often the whole table was read, by connections that have ended.
async fn scans(url: &str, table: &str) -> Result<i64, BoxError> {
    // The last of them may still be on its way out.
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    let scans = format!("SELECT seq_scan FROM pg_stat_user_tables WHERE relname = '{table}'");
    Ok(sqlx::query_scalar(AssertSqlSafe(scans)).fetch_one(&pool(url, &[]).await?).await?)
}

async fn pool_behind_a_pooler(url: String) -> Result<(), BoxError> {
    let table = fresh_table();
    let store = PostgresStore::new(pool(&url, &[]).await?).with_transaction_pooler().with_table(&table)?;
    store.setup().await?;
    live_a_life(&store).await?;
    get_in_each_others_way(store).await?;
    let store = PostgresOptions::new(&url)?.with_transaction_pooler().open().await?.with_table(&table)?;
    live_a_life(&store).await?;
    get_in_each_others_way(store).await
}
