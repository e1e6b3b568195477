//! What a million touches do to the table in Postgres.

use std::sync::Arc;
use std::time::{Duration, Instant};

use session_core::{Clock, SessionStore, SystemClock};
use session_store_sqlx::PostgresStore;
use sqlx::{PgPool, Row};

use super::grouped;
use crate::Outcome;
use crate::body::Body;
use crate::contestant::LIFETIME;
use crate::field::url;
use crate::ours::{fresh_key, record};
use crate::results::Results;

const TASKS: u64 = 32;

/// Makes a table of so many sessions and touches them in turn.
pub async fn measure(results: &mut Results, rows: u64, touches: u64) -> Outcome<()> {
    let (url, body) = (url("postgres")?, Body::of_size(200));
    let pool = PgPool::connect(&url).await?;
    sqlx::raw_sql("DROP TABLE IF EXISTS touched").execute(&pool).await?;
    let store = Arc::new(PostgresStore::open(&url).await?.with_table("touched")?);
    store.setup().await?;
    let fill = (0..TASKS).map(|_| {
        let (store, body) = (Arc::clone(&store), body.clone());
        tokio::spawn(async move {
            let mut keys = Vec::new();
            for _ in 0..rows / TASKS {
                let key = fresh_key()?;
                store.create(&key, &record(&body)).await?;
                keys.push(key);
            }
            Outcome::Ok(keys)
        })
    });
    let mut all = Vec::new();
    for task in fill.collect::<Vec<_>>() {
        all.push(task.await??);
    }
    sqlx::raw_sql("VACUUM ANALYZE touched").execute(&pool).await?;
    let (table_before, indexes_before, updates_before, hot_before) = sizes(&pool).await?;

    let start = Instant::now();
    let tasks = all.into_iter().map(|keys| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            for number in 0..touches / TASKS {
                let key = &keys[usize::try_from(number)? % keys.len()];
                store.touch(key, SystemClock.now().saturating_add(LIFETIME + Duration::from_millis(number))).await?;
            }
            Outcome::Ok(())
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await??;
    }
    let took = start.elapsed();
    // The server's backends tell their numbers a second later.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let (table_after, indexes_after, updates, hot) = sizes(&pool).await?;
    let (updates, hot) = (updates - updates_before, hot - hot_before);

    let table = format!("Postgres: {} touches of {} sessions", grouped(touches), grouped(rows));
    let megabytes = |bytes: i64| format!("{:.1} MiB", bytes as f64 / (1 << 20) as f64);
    results.add(&table, "table", "before", megabytes(table_before));
    results.add(&table, "table", "after", megabytes(table_after));
    results.add(&table, "indexes", "before", megabytes(indexes_before));
    results.add(&table, "indexes", "after", megabytes(indexes_after));
    results.add(&table, "HOT updates", "before", "");
    results.add(&table, "HOT updates", "after", format!("{:.2} %", 100.0 * hot as f64 / updates.max(1) as f64));
    results.add(&table, "touches/s", "before", "");
    results.add(&table, "touches/s", "after", format!("{:.0}", touches as f64 / took.as_secs_f64()));
    Ok(())
}

/// Returns the bytes of the table and of its indexes, and how many updates there were, and how many of them HOT.
async fn sizes(pool: &PgPool) -> Outcome<(i64, i64, i64, i64)> {
    let row = sqlx::query(
        "SELECT pg_table_size('touched'), pg_indexes_size('touched'), n_tup_upd, n_tup_hot_upd \
         FROM pg_stat_user_tables WHERE relname = 'touched'",
    )
    .fetch_one(pool)
    .await?;
    Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?))
}
