//! MariaDB, or MySQL if the variable names one.

use libtest_mimic::Trial;
use session_core::BoxError;
use session_store_sqlx::MySqlStore;
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use sqlx::{AssertSqlSafe, MySqlPool};

use crate::trial;
use crate::work::{fresh_table, get_in_each_others_way, live_a_life};

const SERVER: &str = "SESSION_TEST_MARIADB_URL";

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("mariadb: sessions with odd settings", SERVER, odd_settings),
        trial("mariadb: every isolation level", SERVER, isolation_levels),
        trial("mariadb: another database, with a collation that ignores case", SERVER, another_database),
        trial("mariadb: ten processes set up at once", SERVER, crate::ten_processes_set_up_at_once),
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
    let store = MySqlStore::open(&url).await?.with_schema(&database)?.with_table("a `b` :key")?;
    store.setup().await?;
    store.setup().await?;
    live_a_life(&store).await?;
    sqlx::raw_sql(AssertSqlSafe(format!("DROP DATABASE {database}"))).execute(&pool).await?;
    Ok(())
}
