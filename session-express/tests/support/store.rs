//! The memory store, with its calls listed, and out of reach if wanted.

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use session_core::{
    Error, Listing, OwnerId, Page, Record, Result, Revision, Scope, SessionId, SessionIndex, SessionKey, SessionStore,
    Timestamp,
};
use session_store_memory::MemoryStore;

pub(crate) struct WatchedStore {
    pub(crate) inner: MemoryStore,
    calls: Mutex<Vec<(&'static str, Option<SessionKey>)>>,
    /// The calls that fail; all do with an empty name.
    failing: Mutex<Option<&'static str>>,
}

impl WatchedStore {
    pub(crate) fn new(inner: MemoryStore) -> Self {
        Self { inner, calls: Mutex::default(), failing: Mutex::default() }
    }

    pub(crate) fn set_down(&self, is_down: bool) {
        *self.failing.lock().expect("no test panics under this lock") = is_down.then_some("");
    }

    /// Has the calls of this name fail, and no others.
    pub(crate) fn set_failing(&self, call: &'static str) {
        *self.failing.lock().expect("no test panics under this lock") = Some(call);
    }

    /// Returns the calls since the last time that this was asked.
    pub(crate) fn calls(&self) -> Vec<&'static str> {
        self.take().into_iter().map(|(call, _)| call).collect()
    }

    /// Does the same, by the ids that the keys are of.
    pub(crate) fn calls_of(&self, ids: &[String]) -> BTreeMap<String, Vec<&'static str>> {
        let mut calls: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (call, key) in self.take() {
            let id = ids.iter().find(|id| Some(key_of(id)) == key).map_or("unknown", String::as_str);
            calls.entry(id.to_owned()).or_default().push(call);
        }
        calls
    }

    fn take(&self) -> Vec<(&'static str, Option<SessionKey>)> {
        std::mem::take(&mut self.calls.lock().expect("no test panics under this lock"))
    }

    fn enter(&self, call: &'static str, key: Option<&SessionKey>) -> Result<()> {
        self.calls.lock().expect("no test panics under this lock").push((call, key.cloned()));
        let failing = *self.failing.lock().expect("no test panics under this lock");
        if failing.is_some_and(|name| call.starts_with(name)) {
            Err(Error::unavailable("switched off"))
        } else {
            Ok(())
        }
    }
}

#[async_trait]
impl SessionStore for WatchedStore {
    async fn create(&self, key: &SessionKey, record: &Record) -> Result<Revision> {
        self.enter("create", Some(key))?;
        self.inner.create(key, record).await
    }

    async fn load(&self, key: &SessionKey) -> Result<Option<(Record, Revision)>> {
        self.enter("load", Some(key))?;
        self.inner.load(key).await
    }

    async fn update(&self, key: &SessionKey, expected: Revision, record: &Record) -> Result<Revision> {
        self.enter("update", Some(key))?;
        self.inner.update(key, expected, record).await
    }

    async fn touch(&self, key: &SessionKey, expires_at: Timestamp) -> Result<()> {
        self.enter("touch", Some(key))?;
        self.inner.touch(key, expires_at).await
    }

    async fn rotate(
        &self,
        old: &SessionKey,
        expected: Revision,
        new: &SessionKey,
        record: &Record,
    ) -> Result<Revision> {
        self.enter("rotate", Some(old))?;
        self.inner.rotate(old, expected, new, record).await
    }

    async fn delete(&self, key: &SessionKey) -> Result<bool> {
        self.enter("delete", Some(key))?;
        self.inner.delete(key).await
    }

    async fn delete_expired(&self, limit: u32) -> Result<u32> {
        self.inner.delete_expired(limit).await
    }
}

#[async_trait]
impl SessionIndex for WatchedStore {
    async fn list(&self, scope: Scope<'_>, page: &Page) -> Result<Listing> {
        self.enter("list", None)?;
        self.inner.list(scope, page).await
    }

    async fn count(&self, scope: Scope<'_>) -> Result<u64> {
        self.inner.count(scope).await
    }

    async fn delete_owned(&self, owner: &OwnerId, except: Option<&SessionKey>) -> Result<u64> {
        self.enter("delete_owned", None)?;
        self.inner.delete_owned(owner, except).await
    }

    async fn clear(&self) -> Result<u64> {
        self.inner.clear().await
    }
}

pub(crate) fn key_of(id: &str) -> SessionKey {
    SessionKey::derive("session", &SessionId::foreign(id).expect("the test's ids are short"))
}
