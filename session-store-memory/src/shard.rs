//! One part of the store, behind one lock: records, and the orders that they are found by.

use std::collections::BTreeSet;
use std::hash::{BuildHasher, RandomState};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use hashbrown::HashTable;
use session_core::{Data, OwnerId, Record, SessionInfo, Timestamp};

use crate::Usage;
use crate::expiries::{Expiries, Slot, index, number};
use crate::key::{KeyHasher, StoredKey};
use crate::node::Node;
use crate::room;

/// Records, found by key, by expiry for the sweep and by owner for the index. The four always agree.
#[derive(Debug, Default)]
pub(crate) struct Shard {
    /// Without gaps: when a node is removed, the last one takes its slot.
    nodes: Vec<Node>,
    /// The slots by the hash of their keys.
    keys: HashTable<Slot>,
    key_hasher: KeyHasher,
    expiries: Expiries,
    /// The slots that have an owner by the hash of that owner, which takes less space and time than the owner.
    owned: BTreeSet<(u64, Slot)>,
    owner_hasher: RandomState,
}

impl Shard {
    pub(crate) fn node(&self, slot: Slot) -> &Node {
        &self.nodes[index(slot)]
    }

    /// Returns the slot of a key, whose record may be live or not. It is good until the next removal.
    pub(crate) fn find(&self, key: &StoredKey) -> Option<Slot> {
        self.keys.find(self.key_hasher.hash(key), |slot| self.node(*slot).key == *key).copied()
    }

    /// Returns the slot of a key if the record is live.
    pub(crate) fn find_live(&self, key: &StoredKey, now: Timestamp) -> Option<Slot> {
        self.find(key).filter(|slot| self.node(*slot).is_live(now))
    }

    /// Stores a node whose key is not there.
    pub(crate) fn insert(&mut self, node: Node) {
        let slot = number(self.nodes.len());
        let rehash = |slot: &Slot| self.key_hasher.hash(&self.nodes[index(*slot)].key);
        self.keys.insert_unique(self.key_hasher.hash(&node.key), slot, rehash);
        if let Some(owner) = &node.owner {
            self.owned.insert((self.owner_hasher.hash_one(owner), slot));
        }
        self.expiries.push(node.expires_at);
        room::push(&mut self.nodes, node);
    }

    /// Removes a node, live or not, from all orders (`DELETE-02`), and returns it for the caller to drop after the lock.
    pub(crate) fn remove(&mut self, slot: Slot) -> Node {
        let last = number(self.nodes.len() - 1);
        self.forget(slot);
        if slot != last {
            self.renumber(last, slot);
        }
        self.expiries.swap_remove(slot);
        room::swap_remove(&mut self.nodes, index(slot))
    }

    /// Removes the entries of a slot by key and by owner.
    fn forget(&mut self, slot: Slot) {
        let node = &self.nodes[index(slot)];
        if let Ok(entry) = self.keys.find_entry(self.key_hasher.hash(&node.key), |found| *found == slot) {
            entry.remove();
        }
        if let Some(owner) = &node.owner {
            self.owned.remove(&(self.owner_hasher.hash_one(owner), slot));
        }
    }

    /// Gives a node another slot in the orders by key and by owner.
    fn renumber(&mut self, old: Slot, new: Slot) {
        let node = &self.nodes[index(old)];
        if let Some(found) = self.keys.find_mut(self.key_hasher.hash(&node.key), |found| *found == old) {
            *found = new;
        }
        if let Some(owner) = &node.owner {
            let hash = self.owner_hasher.hash_one(owner);
            self.owned.remove(&(hash, old));
            self.owned.insert((hash, new));
        }
    }

    /// Replaces data, owner and expiry, and returns what the caller shall drop after the lock.
    pub(crate) fn update(&mut self, slot: Slot, record: &Record) -> (Data, Option<OwnerId>) {
        let node = &mut self.nodes[index(slot)];
        if record.expires_at < node.expires_at && record.expires_at < self.expiries.due(slot) {
            self.expiries.refile(slot, record.expires_at);
        }
        let replaced = node.update(record);
        if replaced.1 != record.owner {
            let hash = |owner: &OwnerId| self.owner_hasher.hash_one(owner);
            if let Some(old) = &replaced.1 {
                self.owned.remove(&(hash(old), slot));
            }
            if let Some(new) = &record.owner {
                self.owned.insert((hash(new), slot));
            }
        }
        replaced
    }

    /// Makes a record live longer, never shorter. Its entry stays where it is until the sweep comes by.
    pub(crate) fn extend(&mut self, slot: Slot, expires_at: Timestamp) {
        let node = &mut self.nodes[index(slot)];
        node.expires_at = node.expires_at.max(expires_at);
    }

    /// Says whether a sweep would look at something.
    pub(crate) fn is_due(&self, now: Timestamp) -> bool {
        self.expiries.first_due(now).is_some()
    }

    /// Looks at no more than `looks` records whose entry is due, and removes no more than `limit` of them.
    ///
    /// What was extended since it was filed is filed again, and is not looked at before that time (`SWEEP-04`).
    pub(crate) fn sweep(&mut self, now: Timestamp, looks: usize, limit: usize) -> Vec<Node> {
        let mut removed = Vec::new();
        for _ in 0..looks {
            let Some(slot) = self.expiries.first_due(now).filter(|_| removed.len() < limit) else { break };
            let expires_at = self.node(slot).expires_at;
            if now < expires_at {
                self.expiries.refile(slot, expires_at);
            } else {
                removed.push(self.remove(slot));
            }
        }
        removed
    }

    /// Removes up to `limit` records of an owner but one, live or not.
    pub(crate) fn take_owned(&mut self, owner: &OwnerId, except: Option<&StoredKey>, limit: usize) -> Vec<Node> {
        let mut removed = Vec::new();
        loop {
            if removed.len() == limit {
                return removed;
            }
            // A removal renumbers slots, so the next one is looked up afterwards.
            let next = self.owned_by(owner).find(|slot| Some(&self.node(*slot).key) != except);
            let Some(slot) = next else { return removed };
            removed.push(self.remove(slot));
        }
    }

    /// Returns the number of live records, and how many it looked at: those whose entry is due.
    pub(crate) fn count(&self, now: Timestamp) -> (usize, usize) {
        let (mut expired, mut looks) = (0, 0);
        for slot in self.expiries.all_due(now) {
            looks += 1;
            expired += usize::from(!self.node(slot).is_live(now));
        }
        (self.nodes.len() - expired, looks)
    }

    /// Returns the number of live records of an owner.
    pub(crate) fn count_owned(&self, owner: &OwnerId, now: Timestamp) -> usize {
        self.owned_by(owner).filter(|slot| self.node(*slot).is_live(now)).count()
    }

    /// Describes the first `limit` live records, in the order of their keys, that come after a key.
    pub(crate) fn list(&self, after: Option<&StoredKey>, now: Timestamp, limit: usize) -> Vec<SessionInfo> {
        describe(self.nodes.iter(), after, now, limit)
    }

    /// Describes the first `limit` live records of an owner, in the order of their keys, that come after a key.
    pub(crate) fn list_owned(
        &self,
        owner: &OwnerId,
        after: Option<&StoredKey>,
        now: Timestamp,
        limit: usize,
    ) -> Vec<SessionInfo> {
        describe(self.owned_by(owner).map(|slot| self.node(slot)), after, now, limit)
    }

    /// Returns the slots of one owner's records.
    fn owned_by(&self, owner: &OwnerId) -> impl Iterator<Item = Slot> {
        let hash = self.owner_hasher.hash_one(owner);
        let slots = self.owned.range((hash, Slot::MIN)..=(hash, Slot::MAX)).map(|(_, slot)| *slot);
        slots.filter(|slot| self.node(*slot).owner.as_ref() == Some(owner))
    }

    /// Returns how many entries the records and both orders have.
    pub(crate) fn usage(&self) -> Usage {
        Usage { records: self.keys.len(), expiries: self.expiries.len(), owned: self.owned.len() }
    }
}

/// Describes the first `limit` live records, in the order of their keys, that come after a key.
fn describe<'a>(
    nodes: impl Iterator<Item = &'a Node>,
    after: Option<&StoredKey>,
    now: Timestamp,
    limit: usize,
) -> Vec<SessionInfo> {
    let follows = |node: &&Node| after.is_none_or(|after| node.key > *after) && node.is_live(now);
    let mut found: Vec<&Node> = nodes.filter(follows).collect();
    if found.len() > limit {
        found.select_nth_unstable_by(limit, |one, other| one.key.cmp(&other.key));
        found.truncate(limit);
    }
    found.sort_unstable_by(|one, other| one.key.cmp(&other.key));
    found.into_iter().filter_map(Node::info).collect()
}

/// A shard and its lock, which no other lock shares a cache line with.
///
/// A lock that a panic poisoned is taken all the same. What runs under it and could panic is the clock, which a caller
/// asks before it changes anything, and the comparison and hashing of our own text types, which do not.
#[derive(Debug, Default)]
#[repr(align(64))]
pub(crate) struct Locked(RwLock<Shard>);

impl Locked {
    pub(crate) fn read(&self) -> RwLockReadGuard<'_, Shard> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn write(&self) -> RwLockWriteGuard<'_, Shard> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}
