//! The stores of axum_session. A name is a name, a namespace is a table.

use async_trait::async_trait;
use axum_session::DatabasePool;
use axum_session_redispool::SessionRedisPool;
use axum_session_sqlx::{SessionMySqlPool, SessionPgPool};
use conformance_tests::Report;
use session_core::{BoxError, Timestamp};

use crate::peer::Peer;

/// A store of axum_session, with its table.
#[derive(Clone)]
struct Table<S> {
    store: S,
    table: String,
}

impl<S: DatabasePool> Table<S> {
    async fn make(store: S, table: String) -> Result<Self, BoxError> {
        store.initiate(&table).await?;
        Ok(Self { store, table })
    }
}

#[async_trait]
impl<S: DatabasePool + Clone + Send + Sync + 'static> Peer for Table<S> {
    async fn create(&self, name: &str, text: String, expires_at: Timestamp) -> Result<bool, BoxError> {
        // As its middleware makes an id that is not in use.
        if self.store.exists(name, &self.table).await? {
            return Ok(false);
        }
        self.save(name, text, expires_at).await?;
        Ok(true)
    }

    async fn save(&self, name: &str, text: String, expires_at: Timestamp) -> Result<(), BoxError> {
        Ok(self.store.store(name, &text, expires_at.unix_millis() / 1000, &self.table).await?)
    }

    async fn load(&self, name: &str) -> Result<Option<String>, BoxError> {
        Ok(self.store.load(name, &self.table).await?)
    }

    async fn delete(&self, name: &str) -> Result<(), BoxError> {
        Ok(self.store.delete_one_by_id(name, &self.table).await?)
    }

    async fn delete_expired(&self) -> Result<u32, BoxError> {
        Ok(u32::try_from(self.store.delete_by_expiry(&self.table).await?.len())?)
    }
}

pub(crate) fn postgres(name: &'static str, url: Option<String>) -> Result<Report, BoxError> {
    let url = url.ok_or("it has a server")?;
    crate::report(name, move |namespace| {
        let url = url.clone();
        async move {
            let pool = sqlx09::postgres::PgPoolOptions::new().max_connections(2).connect(&url).await?;
            Table::make(SessionPgPool::from(pool), namespace).await
        }
    })
}

pub(crate) fn mysql(name: &'static str, url: Option<String>) -> Result<Report, BoxError> {
    let url = url.ok_or("it has a server")?;
    crate::report(name, move |namespace| {
        let url = url.clone();
        async move {
            let pool = sqlx09::mysql::MySqlPoolOptions::new().max_connections(2).connect(&url).await?;
            Table::make(SessionMySqlPool::from(pool), namespace).await
        }
    })
}

pub(crate) fn redis(name: &'static str, url: Option<String>) -> Result<Report, BoxError> {
    let url = url.ok_or("it has a server")?;
    crate::report(name, move |namespace| {
        let url = url.clone();
        async move {
            let client = redis::Client::open(url)?;
            Table::make(SessionRedisPool::from(redis_pool::RedisPool::from(client)), namespace).await
        }
    })
}
