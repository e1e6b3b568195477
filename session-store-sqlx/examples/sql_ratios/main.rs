//! What a call costs, as the ratio to the same statement on sqlx itself.
//!
//!     cargo run --release -p session-store-sqlx --all-features --example sql_ratios -- sqlite
//!     scripts/servers postgres -- cargo run --release -p session-store-sqlx --all-features --example sql_ratios -- postgres
//!     scripts/servers mariadb -- cargo run --release -p session-store-sqlx --all-features --example sql_ratios -- mariadb
//!
//! Store and driver take turns in one process, on tables of the same schema; a figure is the median of the rounds' ratios,
//! and above 1 the store does more calls in a second. The driver's side is the least that does the same work: one
//! statement that is kept prepared, on connections that are not asked whether they still work. In SQLite it writes on one
//! connection, and reads on as many as the store.

mod driver;
mod measure;
mod store;

use session_core::BoxError;
use session_store_sqlx::{Durability, MySqlOptions, PostgresOptions, SqliteOptions};
use sqlx::ConnectOptions;
use sqlx::mysql::MySqlConnectOptions;
use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};

use driver::{Driver, Writers};
use measure::compare;
use store::Store;

const CONNECTIONS: u32 = 10;
const TASKS: [usize; 3] = [1, 16, 64];

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<(), BoxError> {
    match std::env::args().nth(1).as_deref() {
        Some("sqlite") => sqlite().await,
        Some("postgres") => postgres(&std::env::var("SESSION_TEST_POSTGRES_URL")?).await,
        Some("mariadb") => mariadb(&std::env::var("SESSION_TEST_MARIADB_URL")?).await,
        _ => Err("say which database: sqlite, postgres or mariadb".into()),
    }
}

/// The bytes of a session: those of the second argument, or three.
fn sizes() -> Result<Vec<usize>, BoxError> {
    std::env::args().nth(2).map_or(Ok(vec![200, 2048, 32_768]), |size| Ok(vec![size.parse()?]))
}

async fn sqlite() -> Result<(), BoxError> {
    for (durability, synchronous, calls) in [
        (Durability::ProcessCrash, SqliteSynchronous::Normal, 4096),
        (Durability::PowerLoss, SqliteSynchronous::Full, 256),
    ] {
        println!("## sqlite, {durability:?}\n");
        for size in sizes()? {
            let folder = tempfile::tempdir()?;
            let (ours, theirs) = (folder.path().join("ours.db"), folder.path().join("theirs.db"));
            let options = |path: &std::path::Path| {
                SqliteOptions::new(&path.to_string_lossy()).map(|options| options.with_durability(durability))
            };
            let store = options(&ours)?.open().await?;
            store.setup().await?;
            options(&theirs)?.open().await?.setup().await?;
            let raw = SqliteConnectOptions::new()
                .filename(&theirs)
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(synchronous)
                .pragma("cache_size", "-16384")
                .pragma("wal_autocheckpoint", "4000")
                .disable_statement_logging();
            let driver = Driver::<sqlx::Sqlite>::connect(&raw, "sessions", 2, Writers::One).await?;
            compare(&Store::new(store), &driver, size, &[1, 16, 32, 64], calls).await?;
        }
    }
    Ok(())
}

async fn postgres(url: &str) -> Result<(), BoxError> {
    println!("## postgres\n");
    let raw: PgConnectOptions = url.parse()?;
    for size in sizes()? {
        let store = PostgresOptions::new(url)?.with_max_connections(CONNECTIONS).open().await?;
        let (ours, theirs) = (store.clone().with_table("ratios_ours")?, store.with_table("ratios_theirs")?);
        for table in [&ours, &theirs] {
            table.setup().await?;
        }
        let driver = Driver::<sqlx::Postgres>::connect(
            &raw.clone().disable_statement_logging(),
            "ratios_theirs",
            CONNECTIONS,
            Writers::All,
        )
        .await?;
        compare(&Store::new(ours), &driver, size, &TASKS, 2048).await?;
    }
    Ok(())
}

async fn mariadb(url: &str) -> Result<(), BoxError> {
    println!("## mariadb\n");
    let raw: MySqlConnectOptions = url.parse()?;
    for size in sizes()? {
        let store = MySqlOptions::new(url)?.with_max_connections(CONNECTIONS).open().await?;
        let (ours, theirs) = (store.clone().with_table("ratios_ours")?, store.with_table("ratios_theirs")?);
        for table in [&ours, &theirs] {
            table.setup().await?;
        }
        let driver = Driver::<sqlx::MySql>::connect(
            &raw.clone().disable_statement_logging(),
            "ratios_theirs",
            CONNECTIONS,
            Writers::All,
        )
        .await?;
        compare(&Store::new(ours), &driver, size, &TASKS, 2048).await?;
    }
    Ok(())
}
