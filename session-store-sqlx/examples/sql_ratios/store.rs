//! The store, as a contestant.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use session_core::{BoxError, Record, Revision, SessionKey, SessionStore};
use session_store_sqlx::{SqlDatabase, SqlStore};

use crate::measure::{Contestant, key};

pub(crate) struct Store<DB: SqlDatabase>(SqlStore<DB>, Arc<Mutex<HashMap<u64, Revision>>>);

impl<DB: SqlDatabase> Store<DB> {
    pub(crate) fn new(store: SqlStore<DB>) -> Self {
        Self(store, Arc::default())
    }

    fn revisions(&self) -> std::sync::MutexGuard<'_, HashMap<u64, Revision>> {
        self.1.lock().expect("no task panics under the lock")
    }
}

impl<DB: SqlDatabase> Clone for Store<DB> {
    fn clone(&self) -> Self {
        Self(self.0.clone(), Arc::clone(&self.1))
    }
}

fn session_key(number: u64) -> Result<SessionKey, BoxError> {
    Ok(SessionKey::parse(&key(number))?)
}

#[async_trait]
impl<DB: SqlDatabase> Contestant for Store<DB> {
    async fn create(&self, key: u64, record: &Record) -> Result<(), BoxError> {
        let revision = self.0.create(&session_key(key)?, record).await?;
        self.revisions().insert(key, revision);
        Ok(())
    }

    async fn load(&self, key: u64) -> Result<(), BoxError> {
        self.0.load(&session_key(key)?).await?.map(drop).ok_or_else(|| "a session is gone".into())
    }

    async fn update(&self, key: u64, record: &Record) -> Result<(), BoxError> {
        let expected = self.revisions().get(&key).copied().ok_or("no such session")?;
        let revision = self.0.update(&session_key(key)?, expected, record).await?;
        self.revisions().insert(key, revision);
        Ok(())
    }

    async fn touch(&self, key: u64, record: &Record) -> Result<(), BoxError> {
        let later = record.expires_at.saturating_add(std::time::Duration::from_secs(60));
        Ok(self.0.touch(&session_key(key)?, later).await?)
    }

    async fn delete(&self, key: u64) -> Result<(), BoxError> {
        if self.0.delete(&session_key(key)?).await? { Ok(()) } else { Err("a session is gone".into()) }
    }
}
