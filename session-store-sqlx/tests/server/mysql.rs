//! What the suite needs of MySQL and MariaDB, in SQL and not through the store.

use conformance_tests::{Damage, Space, Suite};
use session_core::{BoxError, SessionKey};
use session_store_sqlx::{MySqlOptions, MySqlStore};
use sqlx::mysql::MySqlConnection;
use sqlx::{AssertSqlSafe, Connection};

use crate::server;

pub(crate) fn suite(name: &str, variable: &'static str) -> Suite {
    let Some(url) = server::url(variable) else {
        return Suite::absent(name, format!("{variable} names no server"));
    };
    let (work_url, replace_url) = (url.clone(), url.clone());
    let (raw_url, damage_url, lock_url) = (url.clone(), url.clone(), url.clone());
    Suite::new(name, move |space| open(url.clone(), space))
        .reopens()
        .spans_processes()
        .shows_raw(move |space| raw(raw_url.clone(), space))
        .damages(move |space, key, what| damage(damage_url.clone(), space, key, what))
        .locks(move |space, key| lock(lock_url.clone(), space, key))
        .counts_work(move |space| work(work_url.clone(), space))
        .replaces(move |space| replace(replace_url.clone(), space))
        .uses_lines()
        // First if it is live, and then if it is not.
        .costs("a delete of nothing", 2..=2)
        // What is over goes, and what was renewed is filed anew.
        .costs("delete_expired", 2..=2)
        // First those that are live, which count, and then the others.
        .costs("delete_owned", 2..=2)
        .costs("clear", 2..=2)
}

async fn open(url: String, space: Space) -> Result<MySqlStore, BoxError> {
    let url = server::over_line(&url, &space).await?;
    let options = MySqlOptions::new(&format!("{url}?ssl-mode=disabled"))?.with_timeout(server::timeout(&space));
    let store = options.open().await?.with_table(space.namespace())?.with_clock(space.clock());
    store.setup().await?;
    Ok(store)
}

/// The rows of the table as text. Entries of indexes cannot be seen in SQL; they are those of the rows.
async fn raw(url: String, space: Space) -> Result<Vec<String>, BoxError> {
    let mut connection = MySqlConnection::connect(&url).await?;
    let rows = format!("SELECT concat_ws(' ', session_key, owner, data) FROM {}", space.namespace());
    Ok(sqlx::raw_sql(AssertSqlSafe(rows))
        .fetch_all(&mut connection)
        .await?
        .iter()
        .map(|row| sqlx::Row::try_get_unchecked(row, 0))
        .collect::<Result<_, _>>()?)
}

async fn damage(url: String, space: Space, key: SessionKey, damage: Damage) -> Result<(), BoxError> {
    let mut connection = MySqlConnection::connect(&url).await?;
    let change = match damage {
        // No text of the suite's has a quote.
        Damage::Data(text) => format!("data = '{text}'"),
        Damage::Format => "format = 99".to_owned(),
        other => return Err(format!("mysql cannot be damaged so: {other:?}").into()),
    };
    let update = format!("UPDATE {} SET {change} WHERE session_key = '{key}'", space.namespace());
    sqlx::raw_sql(AssertSqlSafe(update)).execute(&mut connection).await?;
    Ok(())
}

/// Holds the row as another program's transaction does that has written it.
async fn lock(url: String, space: Space, key: SessionKey) -> Result<MySqlConnection, BoxError> {
    let mut connection = MySqlConnection::connect(&url).await?;
    let write = format!("UPDATE {} SET format = format + 0 WHERE session_key = '{key}'", space.namespace());
    let look = format!("SELECT 1 FROM {} WHERE session_key = '{key}' FOR UPDATE", space.namespace());
    for statement in ["START TRANSACTION".to_owned(), write, look] {
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut connection).await?;
    }
    Ok(connection)
}

/// How many rows the server has read of the table, by its own count: MariaDB and MySQL keep it in two places.
async fn work(url: String, space: Space) -> Result<u64, BoxError> {
    let mut connection = MySqlConnection::connect(&url).await?;
    let version: String = sqlx::query_scalar("SELECT version()").fetch_one(&mut connection).await?;
    let read = if version.contains("MariaDB") {
        sqlx::raw_sql("SET GLOBAL userstat = 1").execute(&mut connection).await?;
        format!(
            "SELECT coalesce(sum(rows_read), 0) FROM information_schema.table_statistics WHERE table_name = '{}'",
            space.namespace()
        )
    } else {
        format!(
            "SELECT coalesce(sum(count_fetch), 0) FROM performance_schema.table_io_waits_summary_by_table \
             WHERE object_name = '{}'",
            space.namespace()
        )
    };
    let row = sqlx::raw_sql(AssertSqlSafe(read)).fetch_one(&mut connection).await?;
    Ok(sqlx::Row::try_get_unchecked::<String, _>(&row, 0)?.parse()?)
}

async fn replace(url: String, space: Space) -> Result<(), BoxError> {
    let drop = format!("DROP TABLE {}", space.namespace());
    sqlx::raw_sql(AssertSqlSafe(drop)).execute(&mut MySqlConnection::connect(&url).await?).await?;
    Ok(MySqlStore::open(&url).await?.with_table(space.namespace())?.setup().await?)
}
