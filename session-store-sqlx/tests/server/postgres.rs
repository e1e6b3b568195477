//! What the suite needs of PostgreSQL, in SQL and not through the store.

use std::collections::BTreeMap;
use std::sync::Mutex;

use conformance_tests::{Damage, Space, Suite};
use session_core::{BoxError, SessionKey, SessionStore};
use session_store_sqlx::{PostgresOptions, PostgresStore};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions};

use crate::server;

/// The suite on a server, with or without a pooler in front of it.
pub(crate) fn suite(name: &str, variable: &'static str) -> Suite {
    let Some(url) = server::url(variable) else {
        return Suite::absent(name, format!("{variable} names no server"));
    };
    let (raw_url, damage_url, lock_url, work_url) = (url.clone(), url.clone(), url.clone(), url.clone());
    let replace_url = url.clone();
    let has_pooler = variable.contains("PGBOUNCER");
    let suite = Suite::new(name, move |space| open(url.clone(), space, has_pooler))
        .reopens()
        .spans_processes()
        .shows_raw(move |space| raw(raw_url.clone(), space))
        .damages(move |space, key, what| damage(damage_url.clone(), space, key, what))
        .locks(move |space, key| lock(lock_url.clone(), space, key))
        .replaces(move |space| replace(replace_url.clone(), space, has_pooler))
        .uses_lines()
        // What is over goes, and what was renewed is filed anew.
        .costs("delete_expired", 2..=2);
    // Behind a pooler nobody knows which connection of the server has done what.
    if has_pooler { suite } else { suite.counts_work(move |space| work(work_url.clone(), space)) }
}

async fn open(url: String, space: Space, has_pooler: bool) -> Result<PostgresStore, BoxError> {
    let url = server::over_line(&url, &space).await?;
    let options = PostgresOptions::new(&format!("{url}?sslmode=disable"))?.with_timeout(server::timeout(&space));
    let options = if has_pooler { options.with_transaction_pooler() } else { options };
    let options = if is_about_work(&space) { options.with_max_connections(1) } else { options };
    let store = options.open().await?.with_table(space.namespace())?.with_clock(space.clock());
    store.setup().await?;
    if is_about_work(&space) {
        COUNTED.lock().expect("no test panics here").entry(space.namespace().to_owned()).or_insert(store.clone());
    }
    Ok(store)
}

async fn replace(url: String, space: Space, has_pooler: bool) -> Result<(), BoxError> {
    let drop = format!("DROP TABLE {}", space.namespace());
    sqlx::raw_sql(AssertSqlSafe(drop)).execute(&mut connect(&url).await?).await?;
    let options = PostgresOptions::new(&url)?;
    let options = if has_pooler { options.with_transaction_pooler() } else { options };
    Ok(options.open().await?.with_table(space.namespace())?.setup().await?)
}

/// The stores of cases that count work: each has one connection.
static COUNTED: Mutex<BTreeMap<String, PostgresStore>> = Mutex::new(BTreeMap::new());

fn is_about_work(space: &Space) -> bool {
    space.namespace().starts_with("ct_backlog")
}

/// How many rows the server has read of the table, and of its indexes. It counts what a connection has done with the next call that
/// comes a second later.
async fn work(url: String, space: Space) -> Result<u64, BoxError> {
    let store = COUNTED.lock().expect("no test panics here").get(space.namespace()).cloned().ok_or("no such store")?;
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    store.load(&SessionKey::parse("nothing")?).await?;
    let read = format!(
        "SELECT (seq_tup_read + (SELECT sum(idx_tup_read) FROM pg_stat_user_indexes AS i WHERE i.relid = t.relid))::bigint \
         FROM pg_stat_user_tables AS t WHERE relname = '{}'",
        space.namespace()
    );
    let row = sqlx::raw_sql(AssertSqlSafe(read)).fetch_one(&mut connect(&url).await?).await?;
    Ok(u64::try_from(sqlx::Row::try_get_unchecked::<String, _>(&row, 0)?.parse::<i64>()?)?)
}

/// pgbouncer refuses the one thing that sqlx asks for beyond the ordinary.
async fn connect(url: &str) -> Result<PgConnection, sqlx::Error> {
    url.parse::<PgConnectOptions>()?.extra_float_digits(None).connect().await
}

/// The rows of the table as text. Entries of indexes cannot be seen in SQL; they are those of the rows.
async fn raw(url: String, space: Space) -> Result<Vec<String>, BoxError> {
    let mut connection = connect(&url).await?;
    let rows = format!("SELECT concat_ws(' ', session_key, owner, data) FROM {}", space.namespace());
    Ok(sqlx::raw_sql(AssertSqlSafe(rows))
        .fetch_all(&mut connection)
        .await?
        .iter()
        .map(|row| sqlx::Row::try_get_unchecked(row, 0))
        .collect::<Result<_, _>>()?)
}

async fn damage(url: String, space: Space, key: SessionKey, damage: Damage) -> Result<(), BoxError> {
    let mut connection = connect(&url).await?;
    let change = match damage {
        // No text of the suite's has a quote.
        Damage::Data(text) => format!("data = '{text}'"),
        Damage::Format => "format = 99".to_owned(),
        other => return Err(format!("postgres cannot be damaged so: {other:?}").into()),
    };
    let update = format!("UPDATE {} SET {change} WHERE session_key = '{key}'", space.namespace());
    sqlx::raw_sql(AssertSqlSafe(update)).execute(&mut connection).await?;
    Ok(())
}

/// Holds the row as another program's transaction does that has written it.
async fn lock(url: String, space: Space, key: SessionKey) -> Result<PgConnection, BoxError> {
    let mut connection = connect(&url).await?;
    let write = format!("UPDATE {} SET format = format WHERE session_key = '{key}'", space.namespace());
    for statement in ["BEGIN".to_owned(), write] {
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut connection).await?;
    }
    Ok(connection)
}
