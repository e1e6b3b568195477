//! The stores of tower-sessions. Their ids are numbers of 128 bits, so a name is hashed, together with the namespace: what the rules about keys
//! and namespaces say is not asked of them.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};

use async_trait::async_trait;
use conformance_tests::Report;
use fred::prelude::{ClientLike, Config, Pool as RedisPool};
use session_core::{BoxError, Timestamp};
use sha2::{Digest, Sha256};
use sqlx08::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions};
use time::OffsetDateTime;
use tokio::sync::OnceCell;
use tower_sessions_file_store::FileSessionStorage;
use tower_sessions_memory_store::MemoryStore;
use tower_sessions_moka_store::MokaStore;
use tower_sessions_mongodb_store::MongoDBStore;
use tower_sessions_redis_store::RedisStore;
use tower_sessions_sqlx_store::{MySqlStore, PostgresStore, SqliteStore};

use crate::peer::Peer;

/// A store of tower-sessions, in a namespace.
#[derive(Clone)]
struct Tower<S> {
    store: S,
    namespace: Arc<str>,
}

/// The name of the one value that a session has.
const VALUE: &str = "record";

impl<S> Tower<S> {
    fn new(store: S, namespace: String) -> Self {
        Self { store, namespace: namespace.into() }
    }

    fn id(&self, name: &str) -> i128 {
        let digest = Sha256::digest(format!("{}:{name}", self.namespace));
        digest[..16].iter().fold(0, |number: i128, byte| (number << 8) | i128::from(*byte))
    }
}

/// One core of tower-sessions is another type in each of its versions, and they all look the same.
macro_rules! peer {
    ($core:ident, $store:ty, $create:ident $(($mutable:tt))?, sweep: $sweep:expr) => {
        #[async_trait]
        impl Peer for Tower<$store> {
            async fn create(&self, name: &str, text: String, expires_at: Timestamp) -> Result<bool, BoxError> {
                use $core::SessionStore as _;
                use $core::session::Id;
                let id = Id(self.id(name));
                #[allow(unused_mut, reason = "the core of version 0.11 has no `create`, and `save` takes its place")]
                let mut record = record::$core(id, text, expires_at)?;
                self.store.$create(&$($mutable)? record).await?;
                if record.id == id {
                    return Ok(true);
                }
                // It took another id.
                self.store.delete(&record.id).await?;
                Ok(false)
            }

            async fn save(&self, name: &str, text: String, expires_at: Timestamp) -> Result<(), BoxError> {
                use $core::SessionStore as _;
                let record = record::$core($core::session::Id(self.id(name)), text, expires_at)?;
                Ok(self.store.save(&record).await?)
            }

            async fn load(&self, name: &str) -> Result<Option<String>, BoxError> {
                use $core::SessionStore as _;
                let record = self.store.load(&$core::session::Id(self.id(name))).await?;
                Ok(record.and_then(|record| Some(record.data.get(VALUE)?.as_str()?.to_owned())))
            }

            async fn delete(&self, name: &str) -> Result<(), BoxError> {
                use $core::SessionStore as _;
                Ok(self.store.delete(&$core::session::Id(self.id(name))).await?)
            }

            async fn delete_expired(&self) -> Result<u32, BoxError> {
                #[allow(unused_imports, reason = "some of the stores have no sweep")]
                use $core::session_store::ExpiredDeletion as _;
                #[allow(clippy::redundant_closure_call, reason = "it is a parameter of the macro")]
                ($sweep)(self.store.clone()).await
            }
        }
    };
}

mod record {
    use super::{BoxError, OffsetDateTime, Timestamp, VALUE};

    macro_rules! record {
        ($core:ident) => {
            pub(super) fn $core(
                id: $core::session::Id,
                text: String,
                expires_at: Timestamp,
            ) -> Result<$core::session::Record, BoxError> {
                let nanos = i128::from(expires_at.unix_millis()) * 1_000_000;
                let expiry_date = OffsetDateTime::from_unix_timestamp_nanos(nanos)?;
                let data = [(VALUE.to_owned(), serde_json::Value::String(text))].into_iter().collect();
                Ok($core::session::Record { id, data, expiry_date })
            }
        };
    }
    record!(tower_sessions_core_11);
    record!(tower_sessions_core_14);
    record!(tower_sessions_core_15);
}

peer!(tower_sessions_core_15, MemoryStore, create (mut), sweep: |_| async { Ok(0) });
peer!(tower_sessions_core_14, MokaStore, create (mut), sweep: |_| async { Ok(0) });
peer!(tower_sessions_core_15, FileSessionStorage, create (mut), sweep: |store: FileSessionStorage| async move {
    store.delete_expired().await?;
    Ok(0)
});
peer!(tower_sessions_core_14, SqliteStore, create (mut), sweep: |store: SqliteStore| async move {
    store.delete_expired().await?;
    Ok(0)
});
peer!(tower_sessions_core_14, PostgresStore, create (mut), sweep: |store: PostgresStore| async move {
    store.delete_expired().await?;
    Ok(0)
});
peer!(tower_sessions_core_14, MySqlStore, create (mut), sweep: |store: MySqlStore| async move {
    store.delete_expired().await?;
    Ok(0)
});
peer!(tower_sessions_core_14, RedisStore<RedisPool>, create (mut), sweep: |_| async { Ok(0) });
peer!(tower_sessions_core_11, MongoDBStore, save, sweep: |store: MongoDBStore| async move {
    store.delete_expired().await?;
    Ok(0)
});

/// Runs a store that lives in the memory of this process: the same namespace is the same store.
fn in_process<S>(name: &str, make: fn() -> S) -> Result<Report, BoxError>
where
    S: Clone + Send + Sync + 'static,
    Tower<S>: Peer,
{
    let stores: Arc<Mutex<HashMap<String, S>>> = Arc::default();
    crate::report(name, move |namespace| {
        let stores = Arc::clone(&stores);
        async move {
            let mut stores = stores.lock().map_err(|_| "a case panicked")?;
            let store = stores.entry(namespace.clone()).or_insert_with(make).clone();
            Ok(Tower::new(store, namespace))
        }
    })
}

pub(crate) fn memory(name: &'static str, _: Option<String>) -> Result<Report, BoxError> {
    in_process(name, MemoryStore::default)
}

pub(crate) fn moka(name: &'static str, _: Option<String>) -> Result<Report, BoxError> {
    in_process(name, || MokaStore::new(None))
}

pub(crate) fn file(name: &'static str, _: Option<String>) -> Result<Report, BoxError> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().to_owned();
    crate::report(name, move |namespace| {
        let folder = path.join(&namespace);
        async move {
            std::fs::create_dir_all(&folder)?;
            Ok(Tower::new(FileSessionStorage::new_in_folder(folder), namespace))
        }
    })
}

pub(crate) fn sqlite(name: &'static str, _: Option<String>) -> Result<Report, BoxError> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("sessions.sqlite");
    crate::report(name, move |namespace| {
        let options = SqliteConnectOptions::new().filename(&path).create_if_missing(true);
        let options = options.journal_mode(SqliteJournalMode::Wal).busy_timeout(std::time::Duration::from_secs(10));
        async move {
            let pool = SqlitePoolOptions::new().max_connections(4).connect_with(options).await?;
            let store = SqliteStore::new(pool).with_table_name(&namespace)?;
            store.migrate().await?;
            Ok(Tower::new(store, namespace))
        }
    })
}

pub(crate) fn postgres(name: &'static str, url: Option<String>) -> Result<Report, BoxError> {
    let url = url.ok_or("it has a server")?;
    crate::report(name, move |namespace| {
        let url = url.clone();
        async move {
            let pool = sqlx08::postgres::PgPoolOptions::new().max_connections(2).connect(&url).await?;
            let store = PostgresStore::new(pool).with_table_name(&namespace)?.with_schema_name("public")?;
            store.migrate().await?;
            Ok(Tower::new(store, namespace))
        }
    })
}

pub(crate) fn mysql(name: &'static str, url: Option<String>) -> Result<Report, BoxError> {
    let url = url.ok_or("it has a server")?;
    let schema = url.split('?').next().unwrap_or_default().rsplit('/').next().unwrap_or_default().to_owned();
    crate::report(name, move |namespace| {
        let (url, schema) = (url.clone(), schema.clone());
        async move {
            let pool = sqlx08::mysql::MySqlPoolOptions::new().max_connections(2).connect(&url).await?;
            let store = MySqlStore::new(pool).with_table_name(&namespace)?.with_schema_name(&schema)?;
            store.migrate().await?;
            Ok(Tower::new(store, namespace))
        }
    })
}

pub(crate) fn redis(name: &'static str, url: Option<String>) -> Result<Report, BoxError> {
    let url = url.ok_or("it has a server")?;
    crate::report(name, move |namespace| {
        let url = url.clone();
        async move {
            let pool = RedisPool::new(Config::from_url(&url)?, None, None, None, 1)?;
            pool.init().await?;
            Ok(Tower::new(RedisStore::new(pool), namespace))
        }
    })
}

/// The client of MongoDB is made once: it opens many connections.
static MONGO: LazyLock<OnceCell<mongodb2::Client>> = LazyLock::new(OnceCell::new);

pub(crate) fn mongodb(name: &'static str, url: Option<String>) -> Result<Report, BoxError> {
    let url = url.ok_or("it has a server")?;
    crate::report(name, move |namespace| {
        let url = url.clone();
        async move {
            let client = MONGO.get_or_try_init(|| mongodb2::Client::with_uri_str(&url)).await?.clone();
            // The collection's name is not to be chosen, so the database is the namespace.
            Ok(Tower::new(MongoDBStore::new(client, namespace.clone()), namespace))
        }
    })
}
