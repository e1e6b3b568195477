//! A store whose calls are listed.

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use session_core::{Record, Result as StoreResult, Revision, SessionId, SessionKey, SessionStore, Timestamp};
use session_store_memory::MemoryStore;

/// The memory store, with its calls listed by the ids that the keys are of.
pub(crate) struct ListedStore {
    pub(crate) inner: MemoryStore,
    names: Mutex<Vec<(SessionKey, String)>>,
    calls: Mutex<BTreeMap<String, Vec<&'static str>>>,
}

impl ListedStore {
    pub(crate) fn new(inner: MemoryStore) -> Self {
        Self { inner, names: Mutex::default(), calls: Mutex::default() }
    }

    /// Learns the ids that are listed by their names.
    pub(crate) fn know(&self, ids: &[String]) {
        let names = ids.iter().map(|id| (key_of(id), id.clone()));
        self.names.lock().expect("no test panics under this lock").extend(names);
    }

    pub(crate) fn calls(&self) -> BTreeMap<String, Vec<&'static str>> {
        std::mem::take(&mut self.calls.lock().expect("no test panics under this lock"))
    }

    fn enter(&self, call: &'static str, key: &SessionKey) {
        let names = self.names.lock().expect("no test panics under this lock");
        let name = names.iter().find(|(known, _)| known == key).map_or("unknown", |(_, name)| name);
        self.calls.lock().expect("no test panics under this lock").entry(name.into()).or_default().push(call);
    }
}

#[async_trait]
impl SessionStore for ListedStore {
    async fn create(&self, key: &SessionKey, record: &Record) -> StoreResult<Revision> {
        self.enter("create", key);
        self.inner.create(key, record).await
    }

    async fn load(&self, key: &SessionKey) -> StoreResult<Option<(Record, Revision)>> {
        self.enter("load", key);
        self.inner.load(key).await
    }

    async fn update(&self, key: &SessionKey, expected: Revision, record: &Record) -> StoreResult<Revision> {
        self.enter("update", key);
        self.inner.update(key, expected, record).await
    }

    async fn touch(&self, key: &SessionKey, expires_at: Timestamp) -> StoreResult<()> {
        self.enter("touch", key);
        self.inner.touch(key, expires_at).await
    }

    async fn rotate(
        &self,
        old: &SessionKey,
        expected: Revision,
        new: &SessionKey,
        record: &Record,
    ) -> StoreResult<Revision> {
        self.enter("rotate", old);
        self.inner.rotate(old, expected, new, record).await
    }

    async fn delete(&self, key: &SessionKey) -> StoreResult<bool> {
        self.enter("delete", key);
        self.inner.delete(key).await
    }

    async fn delete_expired(&self, limit: u32) -> StoreResult<u32> {
        self.inner.delete_expired(limit).await
    }
}

pub(crate) fn key_of(id: &str) -> SessionKey {
    SessionKey::derive("session", &SessionId::foreign(id).expect("the case's ids are short"))
}
