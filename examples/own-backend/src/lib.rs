//! A backend of one's own: a sorted map behind a lock, with the index.
//!
//! Every call takes the lock once, so it decides and writes in one step. A real backend has a statement, a script
//! or a command in its place.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use session_core::{
    Clock, Cursor, Error, Listing, OwnerId, Page, Record, Result, Revision, Scope, SessionIndex, SessionInfo, SessionKey,
    SessionStore, StoreOptions, Timestamp,
};

type Records = BTreeMap<SessionKey, (Record, Revision)>;

/// Keeps sessions in a sorted map. A clone is a second handle of the same map.
#[derive(Debug, Clone, Default)]
pub struct MapStore {
    records: Arc<Mutex<Records>>,
    options: StoreOptions,
}

impl MapStore {
    /// Sets the clock that decides whether a session is live.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Clock + 'static) -> Self {
        self.options.clock = Arc::new(clock);
        self
    }

    /// Locks the map. Each call changes it in one statement, so a panic elsewhere leaves nothing half done.
    fn lock(&self) -> MutexGuard<'_, Records> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Timestamp {
        self.options.now()
    }
}

/// Finds the live record that is to be replaced, and returns what replaces it.
fn replacement(records: &Records, key: &SessionKey, expected: Revision, record: &Record, now: Timestamp) -> Result<Record> {
    let (stored, revision) = records.get(key).filter(|(stored, _)| stored.is_live(now)).ok_or(Error::NotFound)?;
    if *revision != expected {
        return Err(Error::Conflict);
    }
    let mut replacement = record.clone();
    replacement.created_at = stored.created_at;
    replacement.deadline = stored.deadline;
    Ok(replacement)
}

#[async_trait]
impl SessionStore for MapStore {
    async fn create(&self, key: &SessionKey, record: &Record) -> Result<Revision> {
        self.options.check_size(record)?;
        let (mut records, revision) = (self.lock(), Revision::fresh());
        if records.get(key).is_some_and(|(stored, _)| stored.is_live(self.now())) {
            return Err(Error::AlreadyExists);
        }
        records.insert(key.clone(), (record.clone(), revision));
        Ok(revision)
    }

    async fn load(&self, key: &SessionKey) -> Result<Option<(Record, Revision)>> {
        Ok(self.lock().get(key).filter(|(record, _)| record.is_live(self.now())).cloned())
    }

    async fn update(&self, key: &SessionKey, expected: Revision, record: &Record) -> Result<Revision> {
        self.options.check_size(record)?;
        let (mut records, revision) = (self.lock(), Revision::fresh());
        let replacement = replacement(&records, key, expected, record, self.now())?;
        records.insert(key.clone(), (replacement, revision));
        Ok(revision)
    }

    async fn touch(&self, key: &SessionKey, expires_at: Timestamp) -> Result<()> {
        let (mut records, now) = (self.lock(), self.now());
        let (record, _) = records.get_mut(key).filter(|(record, _)| record.is_live(now)).ok_or(Error::NotFound)?;
        record.expires_at = record.expires_at.max(expires_at);
        Ok(())
    }

    async fn rotate(&self, old: &SessionKey, expected: Revision, new: &SessionKey, record: &Record) -> Result<Revision> {
        self.options.check_size(record)?;
        let (mut records, revision, now) = (self.lock(), Revision::fresh(), self.now());
        let replacement = replacement(&records, old, expected, record, now)?;
        if records.get(new).is_some_and(|(stored, _)| stored.is_live(now)) {
            return Err(Error::AlreadyExists);
        }
        records.remove(old);
        records.insert(new.clone(), (replacement, revision));
        Ok(revision)
    }

    async fn delete(&self, key: &SessionKey) -> Result<bool> {
        let mut records = self.lock();
        Ok(records.remove(key).is_some_and(|(record, _)| record.is_live(self.now())))
    }

    async fn delete_expired(&self, limit: u32) -> Result<u32> {
        let (mut records, now) = (self.lock(), self.now());
        let expired = records.iter().filter(|(_, (record, _))| !record.is_live(now)).map(|(key, _)| key.clone());
        let expired: Vec<SessionKey> = expired.take(limit as usize).collect();
        for key in &expired {
            records.remove(key);
        }
        Ok(expired.len() as u32)
    }
}

/// Says whether a live record is in scope.
fn is_in(scope: Scope<'_>, record: &Record, now: Timestamp) -> bool {
    let is_owned = match scope {
        Scope::Owner(owner) => record.owner.as_ref() == Some(owner),
        _ => true,
    };
    is_owned && record.is_live(now)
}

#[async_trait]
impl SessionIndex for MapStore {
    async fn list(&self, scope: Scope<'_>, page: &Page) -> Result<Listing> {
        let (records, now) = (self.lock(), self.now());
        let after = page.cursor().map_or("", Cursor::as_str);
        let rest = records.iter().filter(|(key, (record, _))| key.as_str() > after && is_in(scope, record, now));
        let mut sessions: Vec<SessionInfo> =
            rest.take(page.limit() as usize + 1).map(|(key, (record, _))| SessionInfo::of(key, record)).collect();
        let has_more = sessions.len() > page.limit() as usize;
        sessions.truncate(page.limit() as usize);
        let next = sessions.last().filter(|_| has_more).map(|last| Cursor::new(last.key.as_str()));
        Ok(Listing::new(sessions, next))
    }

    async fn count(&self, scope: Scope<'_>) -> Result<u64> {
        let (records, now) = (self.lock(), self.now());
        Ok(records.values().filter(|(record, _)| is_in(scope, record, now)).count() as u64)
    }

    async fn delete_owned(&self, owner: &OwnerId, except: Option<&SessionKey>) -> Result<u64> {
        let (mut records, now) = (self.lock(), self.now());
        let is_ended = |key: &SessionKey, record: &Record| record.owner.as_ref() == Some(owner) && Some(key) != except;
        let live = records.iter().filter(|(key, (record, _))| is_ended(key, record) && record.is_live(now)).count();
        records.retain(|key, (record, _)| !is_ended(key, record));
        Ok(live as u64)
    }

    async fn clear(&self) -> Result<u64> {
        let (mut records, now) = (self.lock(), self.now());
        let live = records.values().filter(|(record, _)| record.is_live(now)).count();
        records.clear();
        Ok(live as u64)
    }
}
