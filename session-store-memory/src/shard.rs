//! One part of the store, behind one lock: records, and the two orders that they are found by.

use std::collections::{BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use session_core::{OwnerId, Record, Revision, SessionInfo, SessionKey, Timestamp};

/// What is stored under one key.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) record: Record,
    pub(crate) revision: Revision,
}

/// Records, ordered by expiry for the sweep and by owner for the index. The three always agree.
#[derive(Debug, Default)]
pub(crate) struct Shard {
    entries: HashMap<SessionKey, Entry>,
    expiries: BTreeSet<(Timestamp, SessionKey)>,
    owned: BTreeSet<(OwnerId, SessionKey)>,
}

impl Shard {
    /// Returns the record under the key if it is live.
    pub(crate) fn live(&self, key: &SessionKey, now: Timestamp) -> Option<&Entry> {
        self.entries.get(key).filter(|entry| entry.record.is_live(now))
    }

    /// Stores a record and returns the one that it replaces, for the caller to drop after the lock.
    pub(crate) fn put(&mut self, key: &SessionKey, entry: Entry) -> Option<Entry> {
        let replaced = self.remove(key);
        self.expiries.insert((entry.record.expires_at, key.clone()));
        if let Some(owner) = &entry.record.owner {
            self.owned.insert((owner.clone(), key.clone()));
        }
        self.entries.insert(key.clone(), entry);
        replaced
    }

    /// Removes a record, live or not, with its entries in both orders (`DELETE-02`).
    pub(crate) fn remove(&mut self, key: &SessionKey) -> Option<Entry> {
        let (key, entry) = self.entries.remove_entry(key)?;
        let Entry { record, revision } = entry;
        let by_expiry = (record.expires_at, key);
        self.expiries.remove(&by_expiry);
        let mut removed = Entry { record, revision };
        if let Some(owner) = removed.record.owner.take() {
            let by_owner = (owner, by_expiry.1);
            self.owned.remove(&by_owner);
            removed.record.owner = Some(by_owner.0);
        }
        Some(removed)
    }

    /// Moves the expiry of a live record later; `false` if there is none (`TOUCH-02`, `TOUCH-03`).
    pub(crate) fn touch(&mut self, key: &SessionKey, now: Timestamp, expires_at: Timestamp) -> bool {
        let Some(entry) = self.entries.get_mut(key).filter(|entry| entry.record.is_live(now)) else { return false };
        if entry.record.expires_at < expires_at {
            let mut by_expiry = (entry.record.expires_at, key.clone());
            self.expiries.remove(&by_expiry);
            by_expiry.0 = expires_at;
            self.expiries.insert(by_expiry);
            entry.record.expires_at = expires_at;
        }
        true
    }

    /// Says whether a sweep would find something; looks at one entry.
    pub(crate) fn has_expired(&self, now: Timestamp) -> bool {
        self.expiries.first().is_some_and(|(expires_at, _)| *expires_at <= now)
    }

    /// Removes at most `limit` expired records, the longest expired first, without looking at a live one (`SWEEP-04`).
    pub(crate) fn take_expired(&mut self, now: Timestamp, limit: usize) -> Vec<Entry> {
        let mut removed = Vec::new();
        while removed.len() < limit && self.has_expired(now) {
            let Some((_, key)) = self.expiries.pop_first() else { break };
            // `remove` does not find the entry of `expiries` that is gone already, and needs it not.
            removed.extend(self.remove(&key));
        }
        removed
    }

    /// Removes all records of an owner but one, live or not.
    pub(crate) fn take_owned(&mut self, owner: &OwnerId, except: Option<&SessionKey>) -> Vec<Entry> {
        let keys: Vec<SessionKey> = self.owned_after(owner, None).filter(|key| Some(*key) != except).cloned().collect();
        keys.iter().filter_map(|key| self.remove(key)).collect()
    }

    /// Returns the number of live records; it costs as much as there are expired ones.
    pub(crate) fn count(&self, now: Timestamp) -> usize {
        let expired = self.expiries.iter().take_while(|(expires_at, _)| *expires_at <= now).count();
        self.entries.len() - expired
    }

    /// Returns the number of live records of an owner.
    pub(crate) fn count_owned(&self, owner: &OwnerId, now: Timestamp) -> usize {
        self.owned_after(owner, None).filter(|key| self.live(key, now).is_some()).count()
    }

    /// Describes the first `limit` live records, in the order of their keys, that come after a key.
    pub(crate) fn list(&self, after: Option<&SessionKey>, now: Timestamp, limit: usize) -> Vec<SessionInfo> {
        let follows = |key: &SessionKey| after.is_none_or(|after| key > after);
        let mut found: Vec<(&SessionKey, &Entry)> =
            self.entries.iter().filter(|(key, entry)| follows(key) && entry.record.is_live(now)).collect();
        if found.len() > limit {
            found.select_nth_unstable_by_key(limit, |(key, _)| *key);
            found.truncate(limit);
        }
        found.sort_unstable_by_key(|(key, _)| *key);
        found.into_iter().map(|(key, entry)| SessionInfo::of(key, &entry.record)).collect()
    }

    /// Describes the first `limit` live records of an owner, in the order of their keys, that come after a key.
    pub(crate) fn list_owned(
        &self,
        owner: &OwnerId,
        after: Option<&SessionKey>,
        now: Timestamp,
        limit: usize,
    ) -> Vec<SessionInfo> {
        let live = self.owned_after(owner, after).filter_map(|key| Some((key, self.live(key, now)?)));
        live.take(limit).map(|(key, entry)| SessionInfo::of(key, &entry.record)).collect()
    }

    /// Returns the keys of an owner that come after a key, in order.
    fn owned_after<'a>(
        &'a self,
        owner: &'a OwnerId,
        after: Option<&SessionKey>,
    ) -> impl Iterator<Item = &'a SessionKey> + use<'a> {
        let start = match after {
            Some(after) => Bound::Excluded((owner.clone(), after.clone())),
            None => Bound::Included((owner.clone(), smallest_key())),
        };
        let keys = self.owned.range((start, Bound::Unbounded));
        keys.take_while(move |(other, _)| other == owner).map(|(_, key)| key)
    }

    /// Returns how many entries the records and both orders have, for tests that nothing is left behind.
    #[cfg(test)]
    pub(crate) fn sizes(&self) -> [usize; 3] {
        [self.entries.len(), self.expiries.len(), self.owned.len()]
    }
}

/// Returns the key that comes before all others: keys are visible ASCII, of which `!` is the first.
fn smallest_key() -> SessionKey {
    static SMALLEST: std::sync::LazyLock<SessionKey> =
        std::sync::LazyLock::new(|| SessionKey::parse("!").expect("one visible ASCII character is a key"));
    SMALLEST.clone()
}

/// A shard and its lock.
///
/// A lock that a panic poisoned is taken all the same. What runs under it and could panic is the clock, which a caller
/// asks before it changes anything, and the comparison and hashing of our own text types, which do not.
#[derive(Debug, Default)]
pub(crate) struct Locked(RwLock<Shard>);

impl Locked {
    pub(crate) fn read(&self) -> RwLockReadGuard<'_, Shard> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn write(&self) -> RwLockWriteGuard<'_, Shard> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}
