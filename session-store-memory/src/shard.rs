//! One part of the store, behind one lock: records, and the two orders that they are found by.

use std::collections::{BTreeSet, HashSet};
use std::ops::Bound;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use session_core::{SessionInfo, Timestamp};

use crate::Usage;
use crate::node::{ByExpiry, ByKey, ByOwner, Node, StoredKey};

/// Records, ordered by expiry for the sweep and by owner for the index. The three always agree.
#[derive(Debug, Default)]
pub(crate) struct Shard {
    nodes: HashSet<ByKey>,
    expiries: BTreeSet<ByExpiry>,
    owned: BTreeSet<ByOwner>,
}

impl Shard {
    /// Returns the record under the key if it is live.
    pub(crate) fn live(&self, key: &StoredKey, now: Timestamp) -> Option<&Node> {
        self.nodes.get(key).map(|found| &*found.0).filter(|node| node.is_live(now))
    }

    /// Stores a record and returns the one that it replaces, for the caller to drop after the lock.
    pub(crate) fn put(&mut self, node: Node) -> Option<Arc<Node>> {
        let node = Arc::new(node);
        let replaced = self.nodes.replace(ByKey(Arc::clone(&node))).map(|ByKey(replaced)| replaced);
        if let Some(replaced) = &replaced {
            self.forget(replaced);
        }
        if node.owner.is_some() {
            self.owned.insert(ByOwner(Arc::clone(&node)));
        }
        self.expiries.insert(ByExpiry::new(node));
        replaced
    }

    /// Removes a record, live or not, with its entries in both orders (`DELETE-02`).
    pub(crate) fn remove(&mut self, key: &StoredKey) -> Option<Arc<Node>> {
        let ByKey(removed) = self.nodes.take(key)?;
        self.forget(&removed);
        Some(removed)
    }

    fn forget(&mut self, node: &Arc<Node>) {
        self.expiries.remove(&ByExpiry::new(Arc::clone(node)));
        if node.owner.is_some() {
            self.owned.remove(&ByOwner(Arc::clone(node)));
        }
    }

    /// Says whether a sweep would find something; looks at one entry.
    pub(crate) fn has_expired(&self, now: Timestamp) -> bool {
        self.expiries.first().is_some_and(|first| !first.node().is_live(now))
    }

    /// Removes at most `limit` expired records, the longest expired first, without looking at a live one (`SWEEP-04`).
    pub(crate) fn take_expired(&mut self, now: Timestamp, limit: usize) -> Vec<Arc<Node>> {
        let mut removed = Vec::new();
        while removed.len() < limit && self.has_expired(now) {
            let Some(first) = self.expiries.pop_first() else { break };
            // `remove` does not find the entry that is gone already, and need not.
            removed.extend(self.remove(&first.node().key));
        }
        removed
    }

    /// Removes all records of an owner but one, live or not.
    pub(crate) fn take_owned(&mut self, start: &Bound<ByOwner>, except: Option<&StoredKey>) -> Vec<Arc<Node>> {
        let nodes = self.owned_from(start);
        let keys: Vec<StoredKey> = nodes.map(|node| node.key.clone()).filter(|key| Some(key) != except).collect();
        keys.iter().filter_map(|key| self.remove(key)).collect()
    }

    /// Returns the number of live records; it costs as much as there are expired ones.
    pub(crate) fn count(&self, now: Timestamp) -> usize {
        self.nodes.len() - self.expiries.iter().take_while(|entry| !entry.node().is_live(now)).count()
    }

    /// Returns the number of live records of an owner.
    pub(crate) fn count_owned(&self, start: &Bound<ByOwner>, now: Timestamp) -> usize {
        self.owned_from(start).filter(|node| node.is_live(now)).count()
    }

    /// Describes the first `limit` live records, in the order of their keys, that come after a key.
    pub(crate) fn list(&self, after: Option<&StoredKey>, now: Timestamp, limit: usize) -> Vec<SessionInfo> {
        let follows = |node: &&Node| after.is_none_or(|after| node.key > *after) && node.is_live(now);
        let mut found: Vec<&Node> = self.nodes.iter().map(|found| &*found.0).filter(follows).collect();
        if found.len() > limit {
            found.select_nth_unstable_by(limit, |one, other| one.key.cmp(&other.key));
            found.truncate(limit);
        }
        found.sort_unstable_by(|one, other| one.key.cmp(&other.key));
        found.into_iter().filter_map(Node::info).collect()
    }

    /// Describes the first `limit` live records of an owner, in the order of their keys, from a place on.
    pub(crate) fn list_owned(&self, start: &Bound<ByOwner>, now: Timestamp, limit: usize) -> Vec<SessionInfo> {
        self.owned_from(start).filter(|node| node.is_live(now)).filter_map(Node::info).take(limit).collect()
    }

    /// Returns the records of one owner from a place on, in the order of their keys.
    fn owned_from<'a>(&'a self, start: &'a Bound<ByOwner>) -> impl Iterator<Item = &'a Node> {
        let owner = match start {
            Bound::Included(place) | Bound::Excluded(place) => place.0.owner.as_ref(),
            Bound::Unbounded => None,
        };
        let nodes = self.owned.range((start.as_ref(), Bound::Unbounded)).map(|found| &*found.0);
        nodes.take_while(move |node| node.owner.as_ref() == owner)
    }

    /// Returns how many entries the records and both orders have.
    pub(crate) fn usage(&self) -> Usage {
        Usage { records: self.nodes.len(), expiries: self.expiries.len(), owned: self.owned.len() }
    }
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
