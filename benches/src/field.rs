//! Who competes at which store.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use session_core::SessionIndex;
use session_store_sqlx::{Durability, MySqlStore, PostgresStore, SqliteOptions};
use sqlx::{MySql, Postgres, Sqlite};

use crate::Outcome;
use crate::cpu::Server;
use crate::ours::Ours;
use crate::peers::actix::Actix;
use crate::peers::axum_session::AxumSession;
use crate::peers::saysion::Saysion;
use crate::peers::tower_sessions::{Version11, Version14, Version15};
use crate::raw;
use crate::raw::sql::{CONNECTIONS, Sql, sqlite_options};
use crate::results::{OURS, RAW, STORES};
use crate::stand::{Stand, stand};

/// The contestants of one store, the raw driver first and ours second.
pub struct Field {
    pub stands: Vec<Box<dyn Stand>>,
    pub server: Option<Server>,
}

/// Returns the URL of a server that `scripts/servers` has started.
pub fn url(store: &str) -> Outcome<String> {
    let variable = format!("SESSION_TEST_{}_URL", store.to_uppercase());
    std::env::var(&variable).map_err(|_| format!("{variable} is not set: use scripts/bench").into())
}

/// Opens all contestants of a store.
pub async fn field(store: &str, folder: &Path) -> Outcome<Field> {
    let (stands, server) = match store {
        "memory" => (memory(), None),
        "file" => (files(folder, false).await?, None),
        "file-synced" => (files(folder, true).await?, None),
        "sqlite" => (sqlite(folder, false).await?, None),
        "sqlite-synced" => (sqlite(folder, true).await?, None),
        "postgres" => (postgres(&url(store)?).await?, Some(Server::of_url(&url(store)?))),
        "mariadb" => (mariadb(&url(store)?).await?, Some(Server::of_url(&url(store)?))),
        "redis" => (redis(&url(store)?).await?, Some(Server::of_url(&url(store)?))),
        "mongo" => (mongo(&url(store)?).await?, Some(Server::of_url(&url(store)?))),
        _ => return Err(format!("there is no store {store}; there are {}", STORES.join(", ")).into()),
    };
    Ok(Field { stands, server })
}

fn ours(store: impl SessionIndex + 'static) -> Box<dyn Stand> {
    stand(OURS, Ours(Arc::new(store)))
}

fn memory() -> Vec<Box<dyn Stand>> {
    vec![
        stand(RAW, raw::memory::Memory::new(true)),
        ours(session_store_memory::MemoryStore::new()),
        stand("raw, no clock", raw::memory::Memory::new(false)),
        stand("tower-sessions", Version15(tower_sessions::MemoryStore::default())),
        stand("tower-sessions-moka", Version14(tower_sessions_moka_store::MokaStore::new(None))),
        stand("saysion", Saysion(saysion::MemoryStore::new())),
    ]
}

async fn files(folder: &Path, is_synced: bool) -> Outcome<Vec<Box<dyn Stand>>> {
    use session_store_file::{Durability, FileStore};
    // The folder of a store that others may write to is refused.
    let private = |name: &str| -> Outcome<_> {
        let path = folder.join(name);
        std::fs::create_dir_all(&path)?;
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o700))?;
        Ok(path)
    };
    let durability = if is_synced { Durability::Full } else { Durability::Relaxed };
    let mut stands = vec![
        stand(RAW, raw::file::Files::new(private("raw")?, is_synced)?),
        ours(FileStore::open(private("ours")?).await?.with_durability(durability)),
    ];
    if !is_synced {
        let peer = tower_sessions_file_store::FileSessionStorage::new_in_folder(private("tower-sessions")?);
        stands.push(stand("tower-sessions-file", Version15(peer)));
    }
    Ok(stands)
}

async fn sqlite(folder: &Path, is_synced: bool) -> Outcome<Vec<Box<dyn Stand>>> {
    let name = |who: &str| folder.join(format!("{who}.sqlite"));
    let durability = if is_synced { Durability::PowerLoss } else { Durability::ProcessCrash };
    let store = SqliteOptions::new(&name("ours").to_string_lossy())?.with_durability(durability).open().await?;
    store.setup().await?;
    let tower = sqlx_8::sqlite::SqlitePoolOptions::new().connect_with(sqlite_8(&name("tower"), is_synced)).await?;
    let tower = tower_sessions_sqlx_store::SqliteStore::new(tower);
    tower.migrate().await?;
    let axum: sqlx::SqlitePool = sqlx::Pool::connect_with(sqlite_options(&name("axum"), is_synced)).await?;
    let axum = axum_session_sqlx::SessionSqlitePool::from(axum);
    let salvo = sqlx_8::sqlite::SqlitePoolOptions::new().connect_with(sqlite_8(&name("saysion"), is_synced)).await?;
    let salvo = saysion::SqlxSqliteStore::new(salvo);
    salvo.migrate().await.map_err(|error| error.to_string())?;
    Ok(vec![
        stand(RAW, Sql::<Sqlite>::sqlite(&name("raw"), is_synced).await?),
        ours(store),
        stand("tower-sessions", Version14(tower)),
        stand("axum_session", AxumSession::open(axum, "axum_sessions").await?),
        stand("saysion", Saysion(salvo)),
    ])
}

/// The same as [`sqlite_options`] for the older sqlx of two peers.
fn sqlite_8(file: &Path, is_synced: bool) -> sqlx_8::sqlite::SqliteConnectOptions {
    use sqlx_8::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
    SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(if is_synced { SqliteSynchronous::Full } else { SqliteSynchronous::Normal })
        .busy_timeout(Duration::from_secs(5))
}

async fn postgres(url: &str) -> Outcome<Vec<Box<dyn Stand>>> {
    let store = PostgresStore::open(url).await?;
    store.setup().await?;
    let pool = || sqlx_8::postgres::PgPoolOptions::new().max_connections(CONNECTIONS).connect(url);
    let tower = tower_sessions_sqlx_store::PostgresStore::new(pool().await?);
    tower.migrate().await?;
    let salvo = saysion::SqlxPostgresStore::new(pool().await?);
    salvo.migrate().await.map_err(|error| error.to_string())?;
    let axum: sqlx::PgPool = sqlx::Pool::connect(url).await?;
    Ok(vec![
        stand(RAW, Sql::<Postgres>::postgres(url).await?),
        ours(store),
        stand("tower-sessions", Version14(tower)),
        stand("axum_session", AxumSession::open(axum_session_sqlx::SessionPgPool::from(axum), "axum_sessions").await?),
        stand("saysion", Saysion(salvo)),
    ])
}

async fn mariadb(url: &str) -> Outcome<Vec<Box<dyn Stand>>> {
    let store = MySqlStore::open(url).await?;
    store.setup().await?;
    let pool = || sqlx_8::mysql::MySqlPoolOptions::new().max_connections(CONNECTIONS).connect(url);
    let tower = tower_sessions_sqlx_store::MySqlStore::new(pool().await?);
    tower.migrate().await?;
    let salvo = saysion::SqlxMySqlStore::new(pool().await?);
    salvo.migrate().await.map_err(|error| error.to_string())?;
    let axum: sqlx::MySqlPool = sqlx::Pool::connect(url).await?;
    Ok(vec![
        stand(RAW, Sql::<MySql>::mysql(url).await?),
        ours(store),
        stand("tower-sessions", Version14(tower)),
        stand(
            "axum_session",
            AxumSession::open(axum_session_sqlx::SessionMySqlPool::from(axum), "axum_sessions").await?,
        ),
        stand("saysion", Saysion(salvo)),
    ])
}

async fn redis(url: &str) -> Outcome<Vec<Box<dyn Stand>>> {
    use tower_sessions_redis_store::fred::prelude::{ClientLike, Config, Pool};
    let tower = Pool::new(Config::from_url(url)?, None, None, None, 6)?;
    tower.connect();
    tower.wait_for_connect().await?;
    let axum = redis_pool::RedisPool::from(::redis::Client::open(url)?);
    let salvo = saysion::RedisStore::from_url(url).await.map_err(|error| error.to_string())?;
    Ok(vec![
        stand(RAW, raw::redis::Redis::open(url, "raw:", false).await?),
        ours(session_store_redis::RedisStore::open(url).await?),
        stand("raw, script", raw::redis::Redis::open(url, "compare:", true).await?),
        stand("tower-sessions", Version14(tower_sessions_redis_store::RedisStore::new(tower))),
        stand("actix-session", Actix(actix_session::storage::RedisSessionStore::new(url).await?)),
        stand("axum_session", AxumSession::open(axum_session_redispool::SessionRedisPool::from(axum), "axum").await?),
        stand("saysion", Saysion(salvo)),
    ])
}

/// All clients say how durable writes are: acknowledged by the majority in their journals, as ours always are.
async fn mongo(url: &str) -> Outcome<Vec<Box<dyn Stand>>> {
    let (server, options) = url.split_once("/?").unwrap_or((url, ""));
    let durable = format!("{server}/bench?{options}&w=majority&journal=true");
    let store = session_store_mongo::MongoStore::open(&durable).await?;
    store.setup().await?;
    let tower = tower_sessions_mongodb_store::mongodb::Client::with_uri_str(&durable).await?;
    let tower = tower_sessions_mongodb_store::MongoDBStore::new(tower, "tower_sessions".to_owned());
    let axum = axum_session_mongo::SessionMongoPool::from(mongodb::Client::with_uri_str(&durable).await?);
    let salvo = saysion::MongoDbStore::new(mongodb::Client::with_uri_str(&durable).await?, "saysion");
    salvo.initialize().await.map_err(|error| error.to_string())?;
    Ok(vec![
        stand(RAW, raw::mongo::Mongo::open(&durable).await?),
        ours(store),
        stand("tower-sessions", Version11(tower)),
        stand("axum_session", AxumSession::open(axum, "axum_sessions").await?),
        stand("saysion", Saysion(salvo)),
    ])
}
