//! How each store is opened from what its URL says.

use crate::location::*;
use crate::open::Opening;
#[allow(unused_imports, reason = "what is needed depends on which stores are compiled in")]
use crate::{OpenError, Opened};

type Result<T> = std::result::Result<T, OpenError>;

/// Returns how the store of a feature is opened, or `None` if the feature is off.
pub(crate) fn opener(feature: &str) -> Option<fn(Location) -> Opening> {
    match feature {
        #[cfg(feature = "memory")]
        "memory" => Some(|at| Box::pin(async move { memory(&at) })),
        #[cfg(feature = "file")]
        "file" => Some(|at| Box::pin(async move { file(&at).await })),
        #[cfg(feature = "sqlite")]
        "sqlite" => Some(|at| Box::pin(async move { sqlite(&at).await })),
        #[cfg(feature = "postgres")]
        "postgres" => Some(|at| Box::pin(async move { postgres(&at).await })),
        #[cfg(feature = "mysql")]
        "mysql" => Some(|at| Box::pin(async move { mysql(&at).await })),
        #[cfg(feature = "redis")]
        "redis" => Some(|at| Box::pin(async move { redis(&at).await })),
        #[cfg(feature = "redis-tls")]
        "redis-tls" => Some(|at| Box::pin(async move { redis(&at).await })),
        #[cfg(feature = "mongodb")]
        "mongodb" => Some(|at| Box::pin(async move { mongodb(&at).await })),
        #[cfg(feature = "mongodb-srv")]
        "mongodb-srv" => Some(|at| Box::pin(async move { mongodb(&at).await })),
        _ => None,
    }
}

#[cfg(feature = "memory")]
fn memory(location: &Location) -> Result<Opened> {
    if !location.is_bare() {
        let wanted = "without a name: each opening is a store of its own";
        return Err(OpenError::Parameter { name: "memory:".into(), wanted });
    }
    let mut store = session_store_memory::MemoryStore::new();
    if let Some(bytes) = location.number(MAX_DATA)? {
        store = store.with_max_data_bytes(bytes);
    }
    Ok(Opened::new(store))
}

#[cfg(feature = "file")]
async fn file(location: &Location) -> Result<Opened> {
    use session_store_file::{Durability, FileStore};

    let durability = [("full", Durability::Full), ("relaxed", Durability::Relaxed)];
    let durability = location.one_of(DURABILITY, "full or relaxed", &durability)?;
    let bytes = location.number(MAX_DATA)?;
    let mut store = FileStore::open(location.path()?).await?;
    if let Some(durability) = durability {
        store = store.with_durability(durability);
    }
    if let Some(bytes) = bytes {
        store = store.with_max_data_bytes(bytes);
    }
    Ok(Opened::new(store))
}

#[cfg(feature = "sqlite")]
async fn sqlite(location: &Location) -> Result<Opened> {
    use session_store_sqlx::{Durability, SqliteOptions};

    let durability = [("power-loss", Durability::PowerLoss), ("process-crash", Durability::ProcessCrash)];
    let mut options = SqliteOptions::new(&location.path()?)?;
    if let Some(durability) = location.one_of(DURABILITY, "power-loss or process-crash", &durability)? {
        options = options.with_durability(durability);
    }
    if let Some(readers) = location.number(POOL)? {
        options = options.with_readers(readers);
    }
    if let Some(timeout) = location.timeout()? {
        options = options.with_busy_timeout(timeout);
    }
    let table = Table::of(location)?;
    table.of_store(options.open().await?).await
}

#[cfg(feature = "postgres")]
async fn postgres(location: &Location) -> Result<Opened> {
    location.read_hosters_parameters()?;
    let has_pooler = [("none", false), ("session", true), ("transaction", true)];
    let has_pooler = location.one_of(POOLER, "none, session or transaction", &has_pooler)?;
    let mut options = session_store_sqlx::PostgresOptions::new(&location.for_driver())?;
    if has_pooler == Some(true) {
        options = options.with_transaction_pooler();
    }
    sql_server(location, options).await
}

#[cfg(feature = "mysql")]
async fn mysql(location: &Location) -> Result<Opened> {
    sql_server(location, session_store_sqlx::MySqlOptions::new(&location.for_driver())?).await
}

#[cfg(any(feature = "postgres", feature = "mysql"))]
async fn sql_server<DB: session_store_sqlx::ServerDatabase>(
    location: &Location,
    mut options: session_store_sqlx::ServerOptions<DB>,
) -> Result<Opened> {
    if let Some(connections) = location.number(POOL)? {
        options = options.with_max_connections(connections);
    }
    if let Some(timeout) = location.timeout()? {
        options = options.with_timeout(timeout);
    }
    let table = Table::of(location)?;
    table.of_store(options.open().await?).await
}

/// What a URL says about the table, read before anything is connected to.
#[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
struct Table<'a> {
    name: Option<&'a str>,
    schema: Option<&'a str>,
    max_data_bytes: Option<usize>,
    setup: Setup,
}

#[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
impl<'a> Table<'a> {
    fn of(location: &'a Location) -> Result<Self> {
        let (name, schema) = (location.text(NAMESPACE), location.text(SCHEMA));
        Ok(Self { name, schema, max_data_bytes: location.number(MAX_DATA)?, setup: location.setup()? })
    }

    async fn of_store<DB: session_store_sqlx::SqlDatabase>(
        self,
        mut store: session_store_sqlx::SqlStore<DB>,
    ) -> Result<Opened> {
        if let Some(bytes) = self.max_data_bytes {
            store = store.with_max_data_bytes(bytes);
        }
        if let Some(name) = self.name {
            store = store.with_table(name).map_err(|invalid| OpenError::Namespace(invalid.into()))?;
        }
        if let Some(schema) = self.schema {
            store = store.with_schema(schema).map_err(|invalid| OpenError::Namespace(invalid.into()))?;
        }
        match self.setup {
            Setup::On => store.setup().await?,
            Setup::Verify => store.verify().await?,
            Setup::Off => {}
        }
        let closing = store.clone();
        Ok(Opened::new(store).closing(async move { closing.close().await }))
    }
}

#[cfg(feature = "redis")]
async fn redis(location: &Location) -> Result<Opened> {
    let (timeout, bytes, replicas) = (location.timeout()?, location.number(MAX_DATA)?, location.number(REPLICAS)?);
    let setup = location.setup()?;
    let mut store = session_store_redis::RedisStore::open(&location.for_driver()).await?;
    if let Some(namespace) = location.text(NAMESPACE) {
        store = store.with_prefix(namespace).map_err(|invalid| OpenError::Namespace(invalid.into()))?;
    }
    if let Some(timeout) = timeout {
        store = store.with_timeout(timeout);
    }
    if let Some(replicas) = replicas {
        store = store.with_replicas_acknowledging(replicas);
    }
    if let Some(bytes) = bytes {
        store = store.with_max_data_bytes(bytes);
    }
    match setup {
        Setup::On => store.setup().await?,
        Setup::Verify => store.verify().await?,
        Setup::Off => {}
    }
    Ok(Opened::new(store))
}

#[cfg(feature = "mongodb")]
async fn mongodb(location: &Location) -> Result<Opened> {
    use session_core::Error;
    use session_store_mongo::MongoStore;

    let (timeout, bytes, setup) = (location.timeout()?, location.number(MAX_DATA)?, location.setup()?);
    let invalid = |error: Error| match error {
        Error::Backend(cause) => OpenError::Url(cause),
        other => OpenError::Store(other),
    };
    let mut options = MongoStore::parse(&location.for_driver()).await.map_err(invalid)?;
    if let Some(pool) = location.number(POOL)? {
        options.max_pool_size = Some(pool);
    }
    let mut store = MongoStore::new(options).map_err(invalid)?;
    if let Some(namespace) = location.text(NAMESPACE) {
        store = store.with_collection(namespace).map_err(|invalid| OpenError::Namespace(invalid.into()))?;
    }
    if let Some(timeout) = timeout {
        store = store.with_timeout(timeout);
    }
    if let Some(bytes) = bytes {
        store = store.with_max_data_bytes(bytes);
    }
    match setup {
        Setup::On => store.setup().await?,
        Setup::Verify => store.verify().await?,
        Setup::Off => {}
    }
    Ok(Opened::new(store))
}
