//! Tables that are not what they should be, rows that are locked, calls that nobody waits for, servers that refuse.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use session_core::{BoxError, Error, LayoutError, SessionStore};
use session_store_sqlx::{PostgresOptions, PostgresStore, ServerDatabase, ServerOptions, SqlStore};
use sqlx::{AssertSqlSafe, Connection, Executor};

use crate::work::{HOUR, fresh_table, key, live_a_life, record};

/// A server's own words for what the tests do to it.
#[derive(Clone, Copy)]
pub(crate) struct Words {
    /// Leaves the table without its number.
    pub(crate) without_number: &'static str,
    /// Gives it the number 99.
    pub(crate) of_the_future: &'static str,
    /// Takes away the index that sweeps go through.
    pub(crate) without_index: &'static str,
    /// Asks how many statements about the table run, but this one.
    pub(crate) running: &'static str,
}

async fn tell<DB>(connection: &mut DB::Connection, text: &str, table: &str) -> Result<(), BoxError>
where
    DB: ServerDatabase,
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
{
    connection.execute(sqlx::raw_sql(AssertSqlSafe(text.replace("TABLE_NAME", table)))).await?;
    Ok(())
}

fn reason(outcome: &session_core::Result<()>) -> Option<&LayoutError> {
    outcome.as_ref().err().and_then(Error::layout)
}

/// Each state of a table is told from the others, and made good where that can be done.
pub(crate) async fn layouts<DB>(url: String, words: Words) -> Result<(), BoxError>
where
    DB: ServerDatabase,
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
{
    let (table, mut other) = (fresh_table(), DB::Connection::connect(&url).await?);
    let store = SqlStore::<DB>::open(&url).await?.with_table(&table)?;
    assert_eq!(reason(&store.verify().await), Some(&LayoutError::Absent));
    store.setup().await?;
    store.verify().await?;

    tell::<DB>(&mut other, words.without_number, &table).await?;
    assert_eq!(reason(&store.verify().await), Some(&LayoutError::Older { found: 1, needed: 2 }));
    store.setup().await?;
    store.verify().await?;

    tell::<DB>(&mut other, words.without_index, &table).await?;
    let verified = store.verify().await;
    assert!(matches!(reason(&verified), Some(LayoutError::Incomplete { .. })), "{verified:?}");
    store.setup().await?;
    store.verify().await?;

    // A table that was renamed keeps its indexes, and the new one gets its own.
    let renamed = fresh_table();
    tell::<DB>(&mut other, &format!("ALTER TABLE TABLE_NAME RENAME TO {renamed}"), &table).await?;
    store.setup().await?;
    for name in [&table, &renamed] {
        let store = store.clone().with_table(name)?;
        store.verify().await?;
        live_a_life(&store).await?;
    }

    tell::<DB>(&mut other, words.of_the_future, &table).await?;
    for outcome in [store.verify().await, store.setup().await] {
        assert_eq!(reason(&outcome), Some(&LayoutError::Newer { found: 99, known: 2 }));
    }
    tell::<DB>(&mut other, "ALTER TABLE TABLE_NAME DROP COLUMN deadline", &renamed).await?;
    let shop = store.clone().with_table(&renamed)?;
    for outcome in [shop.verify().await, shop.setup().await] {
        let part = Some("column deadline: bigint");
        assert!(
            matches!(reason(&outcome), Some(LayoutError::Incomplete { part: found }) if Some(found.as_str()) == part),
            "{outcome:?}"
        );
    }
    let foreign = fresh_table();
    let create = "CREATE TABLE TABLE_NAME (session_id VARCHAR(128) PRIMARY KEY, expires_at BIGINT, data TEXT)";
    tell::<DB>(&mut other, create, &foreign).await?;
    let foreign = store.with_table(&foreign)?;
    for outcome in [foreign.verify().await, foreign.setup().await] {
        assert_eq!(reason(&outcome), Some(&LayoutError::Foreign));
    }
    Ok(())
}

/// An expired row that somebody has locked does not stop a sweep.
pub(crate) async fn a_locked_row_stops_no_sweep<DB>(url: String) -> Result<(), BoxError>
where
    DB: ServerDatabase,
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
{
    let (table, mut other) = (fresh_table(), DB::Connection::connect(&url).await?);
    let store = SqlStore::<DB>::open(&url).await?.with_table(&table)?;
    store.setup().await?;
    let mut over = record("{}");
    over.expires_at = over.created_at.saturating_sub(HOUR);
    for number in 0..5 {
        store.create(&key(number), &over).await?;
    }
    tell::<DB>(&mut other, "BEGIN", &table).await?;
    tell::<DB>(&mut other, "SELECT * FROM TABLE_NAME WHERE session_key = 'key-0' FOR UPDATE", &table).await?;
    let start = Instant::now();
    assert_eq!(store.delete_expired(10).await?, 4);
    assert!(start.elapsed() < Duration::from_secs(2), "the sweep waited for {:?}", start.elapsed());
    tell::<DB>(&mut other, "COMMIT", &table).await?;
    assert_eq!(store.delete_expired(10).await?, 1);
    Ok(())
}

/// Forty callers that leave, or whose time is over, hold up nobody and leave no statement behind.
pub(crate) async fn nothing_runs_on<DB>(url: String, words: Words) -> Result<(), BoxError>
where
    DB: ServerDatabase,
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
    (i64,): for<'r> sqlx::FromRow<'r, DB::Row>,
    DB::Arguments: sqlx::IntoArguments<DB>,
{
    let (table, mut other) = (fresh_table(), DB::Connection::connect(&url).await?);
    let options = ServerOptions::<DB>::new(&url)?.with_max_connections(4).with_timeout(Duration::from_secs(4));
    let store = options.open().await?.with_table(&table)?;
    store.setup().await?;
    for name in ["held", "free"] {
        store.create(&key(name), &record("{}")).await?;
    }
    tell::<DB>(&mut other, "BEGIN", &table).await?;
    tell::<DB>(&mut other, "UPDATE TABLE_NAME SET format = 1 WHERE session_key = 'key-held'", &table).await?;
    tell::<DB>(&mut other, "SELECT * FROM TABLE_NAME WHERE session_key = 'key-held' FOR UPDATE", &table).await?;
    let later = record("{}").expires_at.saturating_add(HOUR);
    let (patient, hasty) = (store.clone(), store.clone().with_timeout(Duration::from_millis(100)));
    let tasks: Vec<_> = (0..40)
        .map(|number| {
            let store = if number % 2 == 0 { patient.clone() } else { hasty.clone() };
            tokio::spawn(async move {
                let held = key("held");
                let touch = store.touch(&held, later);
                drop(tokio::time::timeout(Duration::from_millis(150), touch).await);
            })
        })
        .collect();
    for task in tasks {
        task.await?;
    }
    let start = Instant::now();
    for _ in 0..20 {
        store.touch(&key("free"), later).await?;
    }
    assert!(start.elapsed() < Duration::from_secs(2), "others waited for {:?}", start.elapsed());
    // What ends is gone a moment later.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let running = words.running.replace("TABLE_NAME", &table);
    let (running,): (i64,) = sqlx::query_as(AssertSqlSafe(running)).fetch_one(&mut other).await?;
    assert_eq!(running, 0, "statements run on that nobody waits for");
    tell::<DB>(&mut other, "COMMIT", &table).await?;
    store.touch(&key("held"), later).await?;
    Ok(())
}

/// A server that refuses is not asked again and again by everybody who waits.
pub(crate) async fn who_refuses_is_left_alone<DB: ServerDatabase>(scheme: String) -> Result<(), BoxError> {
    let server = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("{scheme}://nobody@{}/nothing", server.local_addr()?);
    let attempts = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&attempts);
    let refusing = tokio::spawn(async move {
        while let Ok((connection, _)) = server.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            drop(connection);
        }
    });
    let store = ServerOptions::<DB>::new(&url)?.connect_later();
    let end = Instant::now() + Duration::from_secs(2);
    let callers: Vec<_> = (0..100)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move {
                while Instant::now() < end {
                    let outcome = store.load(&key("a")).await;
                    assert!(matches!(outcome, Err(Error::Unavailable(_))), "{outcome:?}");
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await?;
    }
    refusing.abort();
    let attempts = attempts.load(Ordering::SeqCst);
    assert!((2..=60).contains(&attempts), "{attempts} attempts in two seconds");
    Ok(())
}

/// A mistake that no retry cures is told as one, and what the URLs of hosters have does no harm.
pub(crate) async fn mistakes(url: String) -> Result<(), BoxError> {
    let (place, _) = url.rsplit_once('/').ok_or("a database")?;
    let nowhere = PostgresStore::open(&format!("{place}/nowhere")).await;
    assert!(matches!(nowhere, Err(Error::Backend(_))), "{nowhere:?}");
    for bad in ["postgres://u:p?w@h/d", "nothing", "postgres://h:port/d"] {
        let refused = PostgresOptions::new(bad);
        assert!(matches!(refused, Err(Error::Backend(_))), "{bad}: {refused:?}");
    }
    let secure = PostgresStore::open(&format!("{url}?sslmode=require")).await;
    assert!(matches!(secure, Err(Error::Backend(_))), "{secure:?}");
    let parameters = "channel_binding=prefer&connect_timeout=5&target_session_attrs=read-write";
    let store = PostgresStore::open(&format!("{url}?{parameters}")).await?.with_table(&fresh_table())?;
    store.setup().await?;
    // A role that may use a table and not make one.
    let role = format!("guest_{}", fresh_table());
    let mut other = sqlx::PgConnection::connect(&url).await?;
    let grant = format!("CREATE ROLE {role} LOGIN CONNECTION LIMIT 3; REVOKE CREATE ON SCHEMA public FROM public");
    other.execute(sqlx::raw_sql(AssertSqlSafe(grant))).await?;
    let guest = url.replacen("postgres@", &format!("{role}@"), 1);
    let store = PostgresStore::open(&guest).await?.with_table(&fresh_table())?;
    assert_eq!(reason(&store.setup().await), Some(&LayoutError::NotAllowed));
    // And it may have three connections, for fifty calls at once.
    let calls: Vec<_> = (0..50)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move { store.verify().await })
        })
        .collect();
    for call in calls {
        assert_eq!(reason(&call.await?), Some(&LayoutError::Absent));
    }
    Ok(())
}

/// A pooler that gives a session its connection does not know `statement_timeout` as a start parameter either.
pub(crate) async fn opens_through_a_pooler(url: String) -> Result<(), BoxError> {
    let store = PostgresOptions::new(&url)?.open().await?;
    store.close().await;
    Ok(())
}
