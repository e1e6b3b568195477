//! The memory store behind a connection whose writes take a while.

use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use session_core::{
    Listing, OwnerId, Page, Record, Result, Revision, Scope, SessionIndex, SessionKey, SessionStore, Timestamp,
};
use session_store_memory::MemoryStore;

/// Writes reach it after a while, and their answers come after another one; reads take no time.
#[derive(Default)]
pub(crate) struct Distant {
    pub(crate) inner: MemoryStore,
    way: Mutex<(Duration, Duration)>,
}

impl Distant {
    /// Sets how long writes take to reach it, and their answers to come back.
    pub(crate) fn set_way(&self, there: Duration, back: Duration) {
        *self.way.lock().expect("no test panics under this lock") = (there, back);
    }

    async fn travel<T>(&self, work: impl Future<Output = T>) -> T {
        let (there, back) = *self.way.lock().expect("no test panics under this lock");
        if !there.is_zero() {
            tokio::time::sleep(there).await;
        }
        let answer = work.await;
        if !back.is_zero() {
            tokio::time::sleep(back).await;
        }
        answer
    }
}

#[async_trait]
impl SessionStore for Distant {
    async fn create(&self, key: &SessionKey, record: &Record) -> Result<Revision> {
        self.travel(self.inner.create(key, record)).await
    }
    async fn load(&self, key: &SessionKey) -> Result<Option<(Record, Revision)>> {
        self.inner.load(key).await
    }
    async fn update(&self, key: &SessionKey, expected: Revision, record: &Record) -> Result<Revision> {
        self.travel(self.inner.update(key, expected, record)).await
    }
    async fn touch(&self, key: &SessionKey, expires_at: Timestamp) -> Result<()> {
        self.travel(self.inner.touch(key, expires_at)).await
    }
    async fn rotate(&self, old: &SessionKey, at: Revision, new: &SessionKey, record: &Record) -> Result<Revision> {
        self.travel(self.inner.rotate(old, at, new, record)).await
    }
    async fn delete(&self, key: &SessionKey) -> Result<bool> {
        self.travel(self.inner.delete(key)).await
    }
    async fn delete_expired(&self, limit: u32) -> Result<u32> {
        self.travel(self.inner.delete_expired(limit)).await
    }
}

#[async_trait]
impl SessionIndex for Distant {
    async fn list(&self, scope: Scope<'_>, page: &Page) -> Result<Listing> {
        self.inner.list(scope, page).await
    }
    async fn count(&self, scope: Scope<'_>) -> Result<u64> {
        self.inner.count(scope).await
    }
    async fn delete_owned(&self, owner: &OwnerId, except: Option<&SessionKey>) -> Result<u64> {
        self.travel(self.inner.delete_owned(owner, except)).await
    }
    async fn clear(&self) -> Result<u64> {
        self.travel(self.inner.clear()).await
    }
}
